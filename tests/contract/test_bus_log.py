"""What every bus promises to tell about its topics, on the memory bus and on Kafka alike."""

from __future__ import annotations

import asyncio

import pytest

from contract.conftest import PARTITIONS, Platform
from contract.reading import messages, numbers
from support.waiting import eventually
from tern_common.bus import Bus, Consumer, Message, Record
from tern_common.errors import Misconfigured, Transient
from tern_common.partitioning import partition_of
from tern_common.topics import Topic, faults


async def test_sends_at_the_same_time_are_all_acknowledged(bus: Bus, topic: str) -> None:
    await asyncio.gather(*(bus.producer.send(messages(topic, numbers(n, n + 10))) for n in range(0, 1000, 10)))
    assert sum((await bus.log.ends(topic)).values()) == 1000


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


async def test_a_question_that_fails_takes_nothing_from_those_asked_beside_it(bus: Bus, topic: str) -> None:
    await bus.producer.send([Message(topic, b"ann", b"1")])
    for _ in range(10):
        asked = [bus.log.ends("no-such-topic"), *(bus.log.ends(topic) for _ in range(5)), bus.log.ends("no-such-topic")]
        first, *answers, last = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(first), type(last)] == [Transient, Transient]
        assert answers == [dict.fromkeys(range(PARTITIONS), 0) | {partition_of(b"ann", PARTITIONS): 1}] * 5


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


async def test_an_error_inside_the_block_comes_out_as_it_is(platform: Platform) -> None:
    with pytest.raises(Misconfigured, match="mine"):
        async with platform.open():
            raise Misconfigured("mine")


async def test_a_grown_topic_keeps_what_it_has_and_tells_of_all_its_partitions_at_once(bus: Bus, topic: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 50)))
    before = await bus.log.ends(topic)
    await bus.log.grow(topic, PARTITIONS + 3)
    assert await bus.log.ends(topic) == before | dict.fromkeys(range(PARTITIONS, PARTITIONS + 3), 0)
    assert (await bus.log.shapes())[topic].partitions == PARTITIONS + 3


async def test_members_learn_of_new_partitions_and_read_them_from_their_start(
    platform: Platform, bus: Bus, topic: str, group: str
) -> None:
    """Within some metadata ages; and whoever sends by then sends there too."""
    reader = await bus.subscribe(group, [topic])
    await eventually(lambda: _polled(reader, PARTITIONS), 30, "it reads the topic")
    async with platform.open() as other:
        await other.producer.send(messages(topic, numbers(0, 1)))
        await other.log.grow(topic, PARTITIONS + 3)
        new = next(key for key in numbers(0, 999) if partition_of(key.encode(), PARTITIONS + 3) >= PARTITIONS)

        async def written() -> bool:
            await other.producer.send([Message(topic, new.encode(), b"new")])
            return any(end for number, end in (await other.log.ends(topic)).items() if number >= PARTITIONS)

        await eventually(written, 30, "a producer sends to a new partition")
        found = await eventually(lambda: _read_from_new(reader), 30, "a member reads it")
    assert found[0].offset == 0


async def _polled(reader: Consumer, partitions: int) -> bool:
    await reader.poll(1, 0.1)
    return len(reader.assigned()) == partitions


async def _read_from_new(reader: Consumer) -> list[Record]:
    return [record for record in (await reader.poll(100, 0.2)).records if record.partition >= PARTITIONS]
