"""Questions about Kafka's topics and groups, answered from metadata fetched afresh. Reads and writes no record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from tern_common.errors import Transient
from tern_common.kafka.connection import Connection, closed, translated
from tern_common.kafka.reader import Reader
from tern_common.topics import TABLE, Topic

_ANSWER_TIMEOUT_S = 10.0
_VISIBLE_POLL_S = 0.05
_BROKER_DEFAULT = -1
_SETTINGS = sorted({name for topic in TABLE for name in topic.config})


class _Clients:
    """Connections that questions share, opened when they are first needed, and how many questions are under way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._opening = asyncio.Lock()
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: Reader | None = None
        self.under_way = 0

    async def admin(self) -> AIOKafkaAdminClient:
        async with self._opening:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self._connection.options())
                try:
                    await admin.start()
                except BaseException:
                    await closed("admin", admin.close())
                    raise
                self._admin = admin
            return self._admin

    async def reader(self) -> Reader:
        async with self._opening:
            if self._reader is None:
                reader = Reader(**self._connection.options())
                try:
                    await reader.start()
                except BaseException:
                    await closed("reader", reader.stop())
                    raise
                self._reader = reader
            return self._reader

    async def close(self) -> None:
        admin, self._admin = self._admin, None
        reader, self._reader = self._reader, None
        closing = [
            *([closed("admin", admin.close())] if admin else []),
            *([closed("reader", reader.stop())] if reader else []),
        ]
        await asyncio.gather(*closing)


class KafkaLog:
    """`bus.Log`. Connects when it is first asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._clients = _Clients(connection)

    async def starts(self, topic: str) -> dict[int, int]:
        async with self._asking("read log starts") as clients:
            places = await _places(clients, topic)
            found = await (await clients.reader()).beginning_offsets(places)
        return {at.partition: offset for at, offset in found.items()}

    async def ends(self, topic: str) -> dict[int, int]:
        async with self._asking("read log ends") as clients:
            places = await _places(clients, topic)
            found = await (await clients.reader()).end_offsets(places)
        return {at.partition: offset for at, offset in found.items()}

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        async with self._asking("read committed offsets") as clients:
            found = await (await clients.admin()).list_consumer_group_offsets(group)
        return {at.partition: was.offset for at, was in found.items() if at.topic == topic and was.offset >= 0}

    async def shapes(self) -> dict[str, Topic]:
        async with self._asking("describe topics") as clients:
            admin = await clients.admin()
            counts = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics() if not t["is_internal"]}
            wanted = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(_SETTINGS)) for name in counts]
            answers = await admin.describe_configs(wanted) if wanted else []
        configs = {entry[3]: _values(entry[4]) for answer in answers for entry in answer.resources}
        return {name: Topic(name, count, config=configs.get(name, {})) for name, count in counts.items()}

    async def create(self, topics: Sequence[Topic]) -> None:
        async with self._asking("create topics") as clients:
            admin = await clients.admin()
            known = {found["topic"] for found in await admin.describe_topics()}
            missing = [topic for topic in topics if topic.name not in known]
            if missing:
                answer = await admin.create_topics(list(map(_new, missing)))
                _check(answer.topic_errors)
            while not await _led(clients, [topic.name for topic in topics]):
                await self._connection.clock.sleep(_VISIBLE_POLL_S)

    async def grow(self, topic: str, partitions: int) -> None:
        async with self._asking("add partitions") as clients:
            admin = await clients.admin()
            await admin.create_partitions({topic: NewPartitions(partitions)})
            while len(await _places(clients, topic)) < partitions or not await _led(clients, [topic]):
                await self._connection.clock.sleep(_VISIBLE_POLL_S)

    @asynccontextmanager
    async def _asking(self, doing: str) -> AsyncIterator[_Clients]:
        """After an error the next question starts with fresh connections. The old ones are closed by the last question
        that is under way on them: closed by the first, they took the answers of the others."""
        clients = self._clients
        clients.under_way += 1
        try:
            with translated(doing):
                async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                    yield clients
        except Transient:
            if clients is self._clients:
                self._clients = _Clients(self._connection)
            raise
        finally:
            clients.under_way -= 1
            if clients is not self._clients and not clients.under_way:
                await clients.close()

    async def close(self) -> None:
        """Closes what was opened, whatever is under way; another question opens it again."""
        clients, self._clients = self._clients, _Clients(self._connection)
        await clients.close()


async def _led(clients: _Clients, names: list[str]) -> bool:
    """Whether every partition of these topics has a leader, so that the next write succeeds."""
    found = await (await clients.admin()).describe_topics(names)
    return all(t["error_code"] == 0 and all(p["leader"] >= 0 for p in t["partitions"]) for t in found)


async def _places(clients: _Clients, topic: str) -> list[TopicPartition]:
    (found,) = await (await clients.admin()).describe_topics([topic])
    if found["error_code"]:
        raise for_code(found["error_code"])
    return [TopicPartition(topic, partition["partition"]) for partition in found["partitions"]]


def _new(topic: Topic) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, _BROKER_DEFAULT, {}, dict(topic.config))


def _check(errors: Sequence[tuple[Any, ...]]) -> None:
    """Somebody else may have created a topic at the same time: that is as good."""
    for _, code, *_ in errors:
        wrong = for_code(code)
        if code and wrong is not TopicAlreadyExistsError:
            raise wrong


def _values(entries: Sequence[tuple[Any, ...]]) -> dict[str, str]:
    return {entry[0]: entry[1] for entry in entries}
