"""What only the memory bus can do: break, compact, and be looked into. Its promises as a bus are in tests/contract."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from support.waiting import eventually
from tern_common.bus import Bus, Message, Place, Span
from tern_common.errors import Transient
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.topics import EVENTS, PROFILES, TABLE, Topic

ONE = Topic("one", 1, config={"cleanup.policy": "compact"})


def numbered(first: int, after: int, key: bytes = b"k") -> list[Message]:
    return [Message("one", key, str(number).encode()) for number in range(first, after)]


async def test_by_itself_it_has_every_topic_of_the_table() -> None:
    bus: Bus = MemoryBus()
    assert (await bus.log.shapes()).keys() == {topic.name for topic in TABLE}


async def test_while_it_is_broken_every_call_fails_and_nothing_is_lost() -> None:
    bus = MemoryBus(MemoryBroker([ONE]))
    consumer = await bus.subscribe("g", ["one"])
    await bus.producer.send(numbered(0, 1))
    away = Transient("broker away")
    bus.fail_with(away)
    for call in (
        bus.producer.send(numbered(1, 2)),
        consumer.poll(10, 0),
        consumer.commit({Place("one", 0): 1}),
        bus.subscribe("g", ["one"]),
        bus.log.ends("one"),
        bus.log.starts("one"),
        bus.log.committed("g", "one"),
        bus.log.shapes(),
        bus.log.create([]),
    ):
        with pytest.raises(Transient) as caught:
            await call
        assert caught.value is away
    bus.recover()
    assert [record.value for record in (await consumer.poll(10, 0)).records] == [b"0"]
    assert await bus.log.committed("g", "one") == {}


async def test_a_poll_that_waits_fails_when_it_breaks_meanwhile() -> None:
    bus = MemoryBus()
    consumer = await bus.subscribe("g", [EVENTS])

    async def break_it() -> None:
        bus.fail_with(Transient("broker away"))
        bus.broker.tell()

    with pytest.raises(Transient):
        await asyncio.gather(consumer.poll(10, 5), break_it())


async def test_a_tail_waits_an_outage_out() -> None:
    bus = MemoryBus(MemoryBroker([ONE]))
    bus.fail_with(Transient("broker away"))

    async def come_back() -> None:
        bus.recover()
        await bus.producer.send(numbered(0, 2))

    async def read() -> list[bytes]:
        async with aclosing(bus.tail("one")) as records:
            return [(await anext(records)).value, (await anext(records)).value]

    async with asyncio.timeout(5):
        found, _ = await asyncio.gather(read(), come_back())
    assert found == [b"0", b"1"]


async def test_a_tail_from_the_end_leaves_out_what_was_there() -> None:
    bus = MemoryBus(MemoryBroker([ONE]))
    await bus.producer.send(numbered(0, 5))

    async def read() -> bytes:
        async with aclosing(bus.tail("one", from_start=False)) as records:
            return (await anext(records)).value

    async with asyncio.timeout(5):
        found, _ = await asyncio.gather(read(), bus.producer.send(numbered(5, 6)))
    assert found == b"5"


async def test_compaction_leaves_gaps_that_a_span_covers() -> None:
    bus = MemoryBus(MemoryBroker([ONE]))
    await bus.producer.send([*numbered(0, 3, b"a"), *numbered(3, 5, b"b")])
    bus.broker.compact("one")
    assert [(record.offset, record.value) for record in bus.sent("one")] == [(2, b"2"), (4, b"4")]
    poll = await (await bus.subscribe("g", ["one"])).poll(10, 0)
    assert [record.offset for record in poll.records] == [2, 4]
    assert poll.spans == {Place("one", 0): Span(0, 5)}


async def test_a_partition_may_move_without_a_record() -> None:
    bus = MemoryBus(MemoryBroker([ONE]))
    consumer = await bus.subscribe("g", ["one"])
    await bus.producer.send(numbered(0, 3))
    bus.broker.truncate(Place("one", 0), 3)
    poll = await consumer.poll(10, 0)
    assert poll.records == []
    assert poll.spans == {Place("one", 0): Span(0, 3)}


async def test_no_partition_starves_behind_a_full_one() -> None:
    bus = MemoryBus()
    await bus.producer.send([Message(PROFILES, str(n).encode(), b"") for n in range(800)])
    consumer = await bus.subscribe("g", [PROFILES])
    seen = set[int]()

    async def all_seen() -> bool:
        seen.update(record.partition for record in (await consumer.poll(10, 0)).records)
        return len(seen) == 8

    await eventually(all_seen, 5, "every partition within a few polls")


async def test_members_with_different_topics_get_only_theirs() -> None:
    bus = MemoryBus()
    one, other = await bus.subscribe("g", [EVENTS]), await bus.subscribe("g", [PROFILES])
    assert {place.topic for place in one.assigned()} == {EVENTS}
    assert {place.topic for place in other.assigned()} == {PROFILES}


async def test_a_closed_bus_has_left_its_groups() -> None:
    broker = MemoryBroker()
    async with MemoryBus(broker) as bus:
        leaver = await bus.subscribe("g", [EVENTS])
        stayer = await MemoryBus(broker).subscribe("g", [EVENTS])
        assert len(stayer.assigned()) == 4
    assert leaver.assigned() == frozenset()
    assert len(stayer.assigned()) == 8
