"""How a consumer of Kafka ends: whole when its stop is cut short, and never unnoticed when a task of its own ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest

from support.names import unique
from support.waiting import eventually
from tern_common.bus import Message
from tern_common.clock import SystemClock
from tern_common.errors import Transient
from tern_common.kafka.bus import KafkaBus, kafka_bus
from tern_common.kafka.connection import Connection, KafkaSecurity, closed
from tern_common.kafka.reader import Reader
from tern_common.topics import Topic

FETCHES, KEEPS_METADATA = "Fetcher._fetch_requests_routine", "AIOKafkaClient._md_synchronizer"


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[KafkaBus]:
    async with kafka_bus(kafka_bootstrap, "test") as bus:
        yield bus


async def topic_with_a_record(bus: KafkaBus) -> str:
    topic = unique("ended")
    await bus.log.create([Topic(topic, 1, config={})])
    await bus.producer.send([Message(topic, b"k", b"v")])
    return topic


def end(of: str, before: set[asyncio.Task[object]]) -> None:
    """Ends the task that has begun since."""
    (task,) = (one for one in asyncio.all_tasks() - before if of in repr(one))
    task.cancel()


async def lets_a_cancellation_out() -> None:
    raise asyncio.CancelledError


async def is_not_answered() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("leaving", [lets_a_cancellation_out, is_not_answered])
async def test_a_stop_that_is_cut_short_leaves_nothing_behind(
    bus: KafkaBus, kafka_bootstrap: str, leaving: Callable[[], Awaitable[None]]
) -> None:
    """What it left would fetch, and be a member, beside the next one, and one more after each such stop."""
    topic = await topic_with_a_record(bus)
    before = asyncio.all_tasks()
    connection = Connection(kafka_bootstrap, "test", KafkaSecurity(), SystemClock())
    reader = Reader(topic, group_id=topic, **connection.options())
    await reader.start()
    reader._coordinator.close = leaving
    await closed("consumer", reader.stop())
    await eventually(lambda: asyncio.all_tasks() <= before, 5, "all of its tasks have ended")
    assert not any(one.connected() for one in reader._client._conns.values())


@pytest.mark.parametrize("of", [FETCHES, KEEPS_METADATA])
async def test_a_member_joins_anew_when_a_task_that_reading_rests_on_has_ended(bus: KafkaBus, of: str) -> None:
    topic = await topic_with_a_record(bus)
    before = asyncio.all_tasks()
    consumer = await bus.subscribe(unique("ended"), [topic])

    async def polled() -> bool:
        return bool((await consumer.poll(1, 0.1)).records)

    await eventually(polled, 10, "it reads")
    end(of, before)

    async def told() -> bool:
        try:
            await consumer.poll(1, 0)
        except Transient:
            return True
        return False

    await eventually(told, 5, "it has left")
    await eventually(polled, 10, "it reads what was not committed")


@pytest.mark.parametrize("of", [FETCHES, KEEPS_METADATA])
async def test_a_tail_begins_again_when_a_task_that_reading_rests_on_has_ended(bus: KafkaBus, of: str) -> None:
    topic = await topic_with_a_record(bus)
    before = asyncio.all_tasks()
    async with aclosing(bus.tail(topic)) as records:
        assert (await anext(records)).value == b"v"
        end(of, before)
        await bus.producer.send([Message(topic, b"k", b"later")])
        async with asyncio.timeout(10):
            while (await anext(records)).value != b"later":
                pass


class _Quick(Connection):
    """Learns at once that a topic has grown."""

    def options(self) -> dict[str, object]:
        return {**super().options(), "metadata_max_age_ms": 100}


async def test_a_tail_of_a_topic_that_grows_goes_on_where_it_was(bus: KafkaBus, kafka_bootstrap: str) -> None:
    topic = await topic_with_a_record(bus)
    connection = _Quick(kafka_bootstrap, "test", KafkaSecurity(), SystemClock())
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(20):
        quick = KafkaBus(connection, tasks)
        async with aclosing(quick.tail(topic, starts=await bus.log.ends(topic))) as records:
            await bus.producer.send([Message(topic, b"k", b"first")])
            assert (await anext(records)).value == b"first"
            await bus.log.grow(topic, 2)
            await eventually(lambda: written_to_both(quick, topic), 15, "the producer knows")
            found = [await anext(records)]
            while found[-1].partition == 0:
                found.append(await anext(records))
        assert {record.value for record in found} == {b"grown"}
        await quick.close()


async def written_to_both(bus: KafkaBus, topic: str) -> bool:
    await bus.producer.send([Message(topic, f"{number}".encode(), b"grown") for number in range(20)])
    return min((await bus.log.ends(topic)).values()) > 0
