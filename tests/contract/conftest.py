"""Two platforms for one suite: a process-local broker, and Apache Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from support.names import unique
from tern_common.bus import Bus, Place
from tern_common.kafka import kafka_bus
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.topics import Topic

PARTITIONS = 4


class Platform(Protocol):
    """A broker that several buses can be opened on, as if by several processes."""

    def open(self) -> AbstractAsyncContextManager[Bus]:
        """Another process's bus; closing it is that process's clean end."""
        ...

    async def truncate(self, place: Place, before: int) -> None:
        """Retention: drops the records below an offset."""
        ...


class MemoryPlatform:
    def __init__(self) -> None:
        self._broker = MemoryBroker([])

    def open(self) -> AbstractAsyncContextManager[Bus]:
        return MemoryBus(self._broker)

    async def truncate(self, place: Place, before: int) -> None:
        self._broker.truncate(place, before)


class KafkaPlatform:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def open(self) -> AbstractAsyncContextManager[Bus]:
        return kafka_bus(self._bootstrap, unique("contract"))

    async def truncate(self, place: Place, before: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(*place): RecordsToDelete(before)})
        finally:
            await admin.close()


@pytest.fixture(params=["memory", "kafka"])
def platform(request: pytest.FixtureRequest) -> Platform:
    """The suite runs once on each."""
    if request.param == "memory":
        return MemoryPlatform()
    return KafkaPlatform(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
async def processes(platform: Platform) -> AsyncIterator[AsyncExitStack]:
    """Buses entered here end with the test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def bus(platform: Platform, processes: AsyncExitStack) -> Bus:
    """One process's bus."""
    return await processes.enter_async_context(platform.open())


@pytest.fixture
async def topic(bus: Bus) -> str:
    """A topic of four partitions that no other test uses."""
    name = unique("topic")
    await bus.log.create([Topic(name, PARTITIONS, config={"cleanup.policy": "delete", "retention.ms": "86400000"})])
    return name


@pytest.fixture
def group() -> str:
    """A consumer group that no other test uses."""
    return unique("group")
