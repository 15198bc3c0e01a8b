"""What every bus promises to tell about its topics, on the memory bus and on Kafka alike."""

from __future__ import annotations

import asyncio

import pytest

from contract.conftest import PARTITIONS, Platform
from contract.reading import messages, numbers
from tern_common.bus import Bus, Message
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
