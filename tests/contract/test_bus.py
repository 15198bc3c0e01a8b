"""What every bus promises (`tern_common/bus.py`), proved on the memory bus and on Kafka alike."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from itertools import pairwise

import pytest

from contract.conftest import PARTITIONS, Platform
from support.waiting import eventually
from tern_common.bus import Bus, Consumer, Message, Place, Record, Span
from tern_common.errors import Misconfigured, Transient
from tern_common.partitioning import partition_of
from tern_common.topics import Topic, faults

TIMEOUT_S = 20.0


def messages(topic: str, texts: Sequence[str], keys: int = 8) -> list[Message]:
    return [Message(topic, f"key-{int(text) % keys}".encode(), text.encode()) for text in texts]


def numbers(first: int, after: int) -> list[str]:
    return [str(number) for number in range(first, after)]


class Reader:
    """Polls until it has what it wants, and keeps everything."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.records: list[Record] = []
        self.spans: dict[Place, list[Span]] = defaultdict(list)

    async def once(self, limit: int = 1000, wait_s: float = 0.1) -> int:
        poll = await self.consumer.poll(limit, wait_s)
        self.records += poll.records
        for place, span in poll.spans.items():
            self.spans[place].append(span)
        return len(poll.records)

    async def until(self, count: int) -> list[str]:
        async def enough() -> bool:
            await self.once()
            return len(self.records) >= count

        await eventually(enough, TIMEOUT_S, f"{count} records")
        return self.texts

    @property
    def texts(self) -> list[str]:
        return [record.value.decode("utf-8", "replace") for record in self.records]

    @property
    def ends(self) -> dict[Place, int]:
        return {place: spans[-1].end for place, spans in self.spans.items()}


async def joined(bus: Bus, group: str, topic: str) -> Reader:
    return Reader(await bus.subscribe(group, [topic]))


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


async def test_sends_at_the_same_time_are_all_acknowledged(bus: Bus, topic: str) -> None:
    await asyncio.gather(*(bus.producer.send(messages(topic, numbers(n, n + 10))) for n in range(0, 1000, 10)))
    assert sum((await bus.log.ends(topic)).values()) == 1000


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


async def test_a_new_group_starts_at_the_logs_start(bus: Bus, topic: str, group: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 20)))
    reader = await joined(bus, group, topic)
    await bus.producer.send(messages(topic, numbers(20, 30)))
    assert sorted(map(int, await reader.until(30))) == list(range(30))


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


async def test_nothing_is_committed_but_by_commit(platform: Platform, bus: Bus, topic: str, group: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 10)))
    async with platform.open() as first:
        await (await joined(first, group, topic)).until(10)
    assert await bus.log.committed(group, topic) == {}
    async with platform.open() as second:
        assert sorted(await (await joined(second, group, topic)).until(10)) == sorted(numbers(0, 10))


async def test_after_a_restart_reading_goes_on_where_it_was_committed(
    platform: Platform, bus: Bus, topic: str, group: str
) -> None:
    await bus.producer.send(messages(topic, numbers(0, 10)))
    async with platform.open() as first:
        reader = await joined(first, group, topic)
        await reader.until(10)
        await reader.consumer.commit(reader.ends)
        await bus.producer.send(messages(topic, numbers(10, 20)))
        await reader.until(20)
    async with platform.open() as second:
        again = await joined(second, group, topic)
        assert sorted(map(int, await again.until(10))) == list(range(10, 20))
        assert all(spans[0].start == reader.spans[place][0].end for place, spans in again.spans.items())


async def test_committed_offsets_are_told_and_a_partition_without_one_is_absent(
    bus: Bus, topic: str, group: str
) -> None:
    assert await bus.log.committed(group, topic) == {}
    await bus.producer.send(messages(topic, numbers(0, 40)))
    reader = await joined(bus, group, topic)
    await reader.until(40)
    await reader.consumer.commit({Place(topic, 2): 1})
    assert await bus.log.committed(group, topic) == {2: 1}
    await reader.consumer.commit(reader.ends)
    assert await bus.log.committed(group, topic) == await bus.log.ends(topic)


async def test_a_commit_of_a_partition_of_another_member_is_left_out(bus: Bus, topic: str, group: str) -> None:
    reader = await joined(bus, group, topic)
    await bus.producer.send(messages(topic, numbers(0, 40)))
    await reader.until(40)
    await reader.consumer.commit({Place(topic, 0): 1, Place(topic, 99): 5, Place("elsewhere", 0): 5})
    assert await bus.log.committed(group, topic) == {0: 1}
    assert await bus.log.committed(group, "elsewhere") == {}


async def test_a_paused_member_reads_nothing_and_skips_nothing(bus: Bus, topic: str, group: str) -> None:
    reader = await joined(bus, group, topic)
    await bus.producer.send(messages(topic, numbers(0, 10)))
    await reader.until(10)
    reader.consumer.pause()
    await bus.producer.send(messages(topic, numbers(10, 20)))
    for _ in range(5):
        assert await reader.once(wait_s=0.05) == 0
    assert len(reader.consumer.assigned()) == PARTITIONS
    reader.consumer.resume()
    assert sorted(map(int, await reader.until(20))) == list(range(20))


async def test_a_poll_without_waiting_returns_at_once(bus: Bus, topic: str, group: str) -> None:
    reader = await joined(bus, group, topic)
    async with asyncio.timeout(2):
        assert await reader.once(wait_s=0) == 0


async def test_members_share_the_partitions_and_take_over_when_one_leaves(
    platform: Platform, processes: AsyncExitStack, bus: Bus, topic: str, group: str
) -> None:
    first = await joined(bus, group, topic)
    leaver = AsyncExitStack()
    second_bus = await leaver.enter_async_context(platform.open())
    joining = asyncio.gather(joined(second_bus, group, topic), first.once(wait_s=1))

    second, _ = await joining

    async def shared() -> bool:
        await first.once()
        await second.once()
        return len(first.consumer.assigned()) == len(second.consumer.assigned()) == PARTITIONS // 2

    await eventually(shared, TIMEOUT_S, "both have half")
    assert not first.consumer.assigned() & second.consumer.assigned()
    await bus.producer.send(messages(topic, numbers(0, 80), keys=40))

    async def all_read() -> bool:
        await first.once()
        await second.once()
        return len(first.records) + len(second.records) >= 80

    await eventually(all_read, TIMEOUT_S, "80 records between them")
    assert first.records
    assert second.records
    assert not {r.partition for r in first.records} & {r.partition for r in second.records}
    first.records.clear()
    await leaver.aclose()

    async def taken_over() -> bool:
        await first.once()
        return len(first.consumer.assigned()) == PARTITIONS

    await eventually(taken_over, TIMEOUT_S, "the first has all again")
    assert sorted(map(int, await first.until(80))) == list(range(80))  # nobody committed: all of it comes again


async def test_after_a_rebalance_spans_start_at_the_committed_offset(
    platform: Platform, bus: Bus, topic: str, group: str
) -> None:
    await bus.producer.send(messages(topic, numbers(0, 40), keys=40))
    reader = await joined(bus, group, topic)
    await reader.until(40)
    committed = dict.fromkeys(reader.ends, 1)
    await reader.consumer.commit(committed)
    reader.records.clear()
    reader.spans.clear()
    async with platform.open() as other:
        second, _ = await asyncio.gather(joined(other, group, topic), reader.once(wait_s=1))
        expected = 40 - len(committed)

        async def read_again() -> bool:
            await reader.once()
            await second.once()
            return len(reader.records) + len(second.records) >= expected

        await eventually(read_again, TIMEOUT_S, "all that was not committed")
        for place, spans in [*reader.spans.items(), *second.spans.items()]:
            assert spans[0].start == committed[place]


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


async def test_ends_and_starts_are_told_for_every_partition(bus: Bus, topic: str) -> None:
    everywhere = dict.fromkeys(range(PARTITIONS), 0)
    assert await bus.log.ends(topic) == everywhere
    assert await bus.log.starts(topic) == everywhere
    await bus.producer.send([Message(topic, b"ann", b"1"), Message(topic, b"ann", b"2")])
    assert await bus.log.ends(topic) == everywhere | {partition_of(b"ann", PARTITIONS): 2}


async def test_an_acknowledged_message_is_below_the_end_at_once(bus: Bus, topic: str) -> None:
    for sent in range(1, 30):
        await bus.producer.send([Message(topic, b"ann", b"")])
        assert (await bus.log.ends(topic))[partition_of(b"ann", PARTITIONS)] == sent


async def test_the_ends_of_a_missing_topic_are_a_transient_error(bus: Bus) -> None:
    with pytest.raises(Transient):
        await bus.log.ends("no-such-topic")


async def test_a_message_for_a_missing_topic_is_refused_within_the_callers_time(bus: Bus) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(Transient):
            await bus.producer.send([Message("no-such-topic", b"k", b"v")], timeout_s=0.5)


async def test_shapes_tell_partitions_and_settings(bus: Bus, topic: str) -> None:
    declared = Topic(topic, PARTITIONS, config={"cleanup.policy": "delete", "retention.ms": "86400000"})
    found = await bus.log.shapes()
    assert faults([declared], found) == []
    wrong = Topic(topic, PARTITIONS + 1, config={"cleanup.policy": "compact"})
    few, policy = faults([wrong], found)
    assert "grow" in few
    assert "cleanup.policy=delete" in policy


async def test_creating_a_topic_that_exists_changes_nothing(bus: Bus, topic: str) -> None:
    before = (await bus.log.shapes())[topic]
    await bus.log.create([Topic(topic, PARTITIONS * 2, config={"cleanup.policy": "compact"})])
    assert (await bus.log.shapes())[topic] == before


async def test_one_bus_may_hold_several_groups(bus: Bus, topic: str, group: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 10)))
    one, other = await joined(bus, group, topic), await joined(bus, f"{group}-2", topic)
    assert sorted(await one.until(10)) == sorted(await other.until(10))


async def test_an_error_inside_the_block_comes_out_as_it_is(platform: Platform) -> None:
    with pytest.raises(Misconfigured, match="mine"):
        async with platform.open():
            raise Misconfigured("mine")
