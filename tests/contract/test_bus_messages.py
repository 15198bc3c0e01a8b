"""What every bus promises about messages and what a poll covers, on the memory bus and on Kafka alike."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import aclosing
from itertools import pairwise

import pytest

from contract.conftest import PARTITIONS, Platform
from contract.reading import TIMEOUT_S, joined, messages, numbers
from support.waiting import eventually
from tern_common.bus import Bus, Message, Place, Span
from tern_common.errors import Transient
from tern_common.partitioning import partition_of


async def test_everything_sent_is_read_once_with_its_bytes(bus: Bus, topic: str, group: str) -> None:
    headers = (("message-id", b"m1"), ("mode", b"live"), ("odd", b"\xff\x00"), ("empty", b""))
    sent = Message(topic, b"\x00key\xff", b"\xff\x00 value", headers)
    await bus.producer.send([sent])
    reader = await joined(bus, group, topic)
    await reader.until(1)
    (record,) = reader.records
    assert (record.topic, record.key, record.value, record.headers) == sent
    assert record.header("mode") == "live"
    assert record.header("missing") is None
    assert record.offset == 0
    assert await reader.once() == 0


async def test_sending_nothing_is_nothing(bus: Bus, topic: str) -> None:
    await bus.producer.send([])
    assert sum((await bus.log.ends(topic)).values()) == 0


async def test_records_of_one_key_keep_their_order(bus: Bus, topic: str, group: str) -> None:
    for first in range(0, 500, 50):
        await bus.producer.send(messages(topic, numbers(first, first + 50)))
    reader = await joined(bus, group, topic)
    await reader.until(500)
    by_key: dict[bytes, list[int]] = defaultdict(list)
    for record in reader.records:
        by_key[record.key].append(int(record.value))
    assert sum(map(len, by_key.values())) == 500
    assert all(values == sorted(values) for values in by_key.values())


async def test_large_batches_and_large_messages_arrive(bus: Bus, topic: str, group: str) -> None:
    large = [Message(topic, b"k", bytes([n]) * 700_000) for n in range(5)]
    await bus.producer.send(large)
    reader = await joined(bus, group, topic)
    await reader.until(5)
    assert [record.value for record in reader.records] == [message.value for message in large]


async def test_a_key_lands_where_every_other_client_puts_it(bus: Bus, topic: str, group: str) -> None:
    known = {b"ann": 2, b"0190f3a2-7c11-7cc1-8e0a-5a5f3c1d9e21": 2, b"1": 3, b"\x00key\xff": 1}
    await bus.producer.send([Message(topic, key, b"") for key in known])
    reader = await joined(bus, group, topic)
    await reader.until(len(known))
    assert {record.key: record.partition for record in reader.records} == known
    assert all(partition_of(record.key, PARTITIONS) == record.partition for record in reader.records)


async def test_a_poll_gives_at_most_the_limit(bus: Bus, topic: str, group: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 100)))
    reader = await joined(bus, group, topic)
    sizes = []

    async def enough() -> bool:
        sizes.append(await reader.once(limit=7))
        return len(reader.records) == 100

    await eventually(enough, TIMEOUT_S, "100 records")
    assert max(sizes) == 7


async def test_spans_follow_each_other_and_cover_what_was_read(bus: Bus, topic: str, group: str) -> None:
    reader = await joined(bus, group, topic)
    for first in range(0, 60, 20):
        await bus.producer.send(messages(topic, numbers(first, first + 20)))
        await reader.until(first + 20)
    ends = await bus.log.ends(topic)
    for place, spans in reader.spans.items():
        assert spans[0].start == 0
        assert spans[-1].end == ends[place.partition]
        assert all(before.end == after.start for before, after in pairwise(spans))
    for record in reader.records:
        assert any(s.start <= record.offset < s.end for s in reader.spans[Place(topic, record.partition)])


async def test_a_span_covers_what_retention_took(platform: Platform, bus: Bus, topic: str, group: str) -> None:
    await bus.producer.send([Message(topic, b"ann", str(n).encode()) for n in range(10)])
    place = Place(topic, partition_of(b"ann", PARTITIONS))
    first = await joined(bus, group, topic)
    await first.until(10)
    await first.consumer.commit({place: 2})
    await platform.truncate(place, 6)
    assert (await bus.log.starts(topic))[place.partition] == 6
    async with platform.open() as other:
        again = await joined(other, f"{group}-2", topic)
        assert (await again.until(4))[0] == "6"
        assert again.spans[place][0] == Span(6, 10)
        await again.consumer.commit({place: 3})
    async with platform.open() as other:
        behind = await joined(other, f"{group}-2", topic)
        assert (await behind.until(4))[0] == "6"
        assert behind.spans[place] == [Span(3, 10)]


async def test_a_tail_reads_everything_from_the_start_and_goes_on(bus: Bus, topic: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 10)))
    seen = []
    async with asyncio.timeout(TIMEOUT_S), aclosing(bus.tail(topic)) as records:
        async for record in records:
            seen.append(int(record.value))
            if len(seen) == 10:
                await bus.producer.send(messages(topic, numbers(10, 15)))
            if len(seen) == 15:
                break
    assert sorted(seen) == list(range(15))
    assert await bus.log.committed("", topic) == {}


async def test_a_tail_begins_where_it_is_told_to(bus: Bus, topic: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 40)))
    ends = await bus.log.ends(topic)
    starts = {partition: end // 2 for partition, end in ends.items()}
    left = sum(ends.values()) - sum(starts.values())
    async with asyncio.timeout(TIMEOUT_S), aclosing(bus.tail(topic, starts=starts)) as records:
        seen = [await anext(records) for _ in range(left)]
    assert all(record.offset >= starts[record.partition] for record in seen)


async def test_a_message_for_a_missing_topic_is_refused_within_the_callers_time(bus: Bus) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(Transient):
            await bus.producer.send([Message("no-such-topic", b"k", b"v")], timeout_s=0.5)
