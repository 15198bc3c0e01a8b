"""What every bus promises to the members of a group, on the memory bus and on Kafka alike."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from contract.conftest import PARTITIONS, Platform
from contract.reading import TIMEOUT_S, joined, messages, numbers
from support.waiting import eventually
from tern_common.bus import Bus, Place


async def test_a_new_group_starts_at_the_logs_start(bus: Bus, topic: str, group: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 20)))
    reader = await joined(bus, group, topic)
    await bus.producer.send(messages(topic, numbers(20, 30)))
    assert sorted(map(int, await reader.until(30))) == list(range(30))


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


async def test_a_poll_is_held_until_partitions_are_dealt_anew(
    platform: Platform, bus: Bus, topic: str, group: str
) -> None:
    await bus.producer.send(messages(topic, numbers(0, 40), keys=40))
    reader = await joined(bus, group, topic)
    polls = [await reader.consumer.poll(5, TIMEOUT_S) for _ in range(2)]
    assert all(poll.records and reader.consumer.holds(poll) for poll in polls)
    async with platform.open() as other:
        await asyncio.gather(joined(other, group, topic), reader.once(wait_s=1))

        async def let_go() -> bool:
            await reader.once()
            return not any(map(reader.consumer.holds, polls))

        await eventually(let_go, TIMEOUT_S, "the polls are not held any more")


async def test_one_bus_may_hold_several_groups(bus: Bus, topic: str, group: str) -> None:
    await bus.producer.send(messages(topic, numbers(0, 10)))
    one, other = await joined(bus, group, topic), await joined(bus, f"{group}-2", topic)
    assert sorted(await one.until(10)) == sorted(await other.until(10))
