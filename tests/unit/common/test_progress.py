"""Algorithm P at its source: a claim is published only when it is true (triggers.md §2.1, §2.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.running import running
from support.waiting import eventually
from tern_common.bus import Place
from tern_common.errors import Misconfigured, Transient
from tern_common.meters import Unmetered
from tern_common.progress import claim_source
from tern_common.topics import PROGRESS
from unit.common.claiming import OUTPUT, PARTITIONS, SOURCE, START, Log, World, claimed


async def test_what_is_acknowledged_and_applied_is_claimed_again_and_again() -> None:
    world = World()
    await world.join()
    for partition in (0, 1, 1, 2):
        world.ack(partition)
    world.apply_all()
    async with running(world.source_loop(world.bus.log)):
        await claimed(world, 3)
    first, second, *_ = world.claims
    assert first.at < second.at
    assert (first.service, first.lane) == ("identity", "live")
    assert sum(first.ends[OUTPUT].values()) == 4
    assert [record.key for record in world.bus.sent(PROGRESS)[:2]] == [b"identity/live"] * 2
    assert {(record.header("schema"), record.header("mode")) for record in world.bus.sent(PROGRESS)} == {
        ("claim", "live")
    }
    assert all(map(world.is_true, world.claims))


async def test_the_time_of_a_claim_is_taken_before_the_ends_of_the_source() -> None:
    world = World()
    await world.join()

    def late(question: str) -> None:
        if question == f"ends {SOURCE}":
            world.clock.advance(timedelta(hours=1))

    async with running(world.source_loop(Log(world.bus.broker, late))):
        await claimed(world)
    assert world.claims[0].at == START


async def test_ends_of_the_output_are_read_after_the_commits() -> None:
    world = World()
    await world.join()
    world.ack(1)
    looks = iter(range(1000))

    def third_time(question: str) -> None:
        if question == "committed" and next(looks) == 2:
            world.apply_all()

    async with running(world.source_loop(Log(world.bus.broker, third_time))):
        await claimed(world)
    assert sum(world.claims[0].ends[OUTPUT].values()) == 1
    assert world.claims[0].at == START + timedelta(milliseconds=1)


async def test_no_committed_offset_counts_as_the_logs_start_never_as_passed() -> None:
    world = World()
    world.ack(0)
    questions = list[str]()
    async with running(world.source_loop(Log(world.bus.broker, questions.append))):
        await eventually(lambda: questions.count("committed") > 50, 5, "many looks")
        assert world.claims == []
        await world.join()
        world.ack(1)
        world.group[Place(SOURCE, 1)] = 1
        await eventually(lambda: questions.count("committed") > 100, 5, "many more looks")
        assert world.claims == []
        world.apply(0)
        await claimed(world)


async def test_a_partition_that_retention_has_emptied_holds_nothing_up() -> None:
    world = World()
    await world.join()
    for _ in range(3):
        world.ack(2)
    world.group[Place(SOURCE, 2)] = 1
    world.bus.broker.truncate(Place(SOURCE, 2), 3)
    async with running(world.source_loop(world.bus.log)):
        await claimed(world)


async def test_a_group_that_is_past_the_end_of_the_topic_stops_the_loop() -> None:
    world = World()
    await world.join()
    world.ack(0)
    world.group.update({Place(SOURCE, 0): 50})
    with pytest.raises(Misconfigured, match="recreated"):
        async with asyncio.timeout(5):
            await claim_source(world.hop("identity", world.bus.log), interval_s=0.5, holdoff_s=0)
    assert world.claims == []


async def test_a_group_that_ran_ahead_of_an_old_end_is_no_reason_for_alarm() -> None:
    world = World()
    await world.join()

    def more(question: str) -> None:
        if question == "committed":
            world.ack(0)
            world.apply_all()

    async with running(world.source_loop(Log(world.bus.broker, more))):
        await claimed(world, 5)


async def test_while_the_broker_is_away_nothing_is_claimed_and_then_again() -> None:
    world = World()
    await world.join()
    failures = 20

    def away(_: str) -> None:
        nonlocal failures
        failures -= 1
        if failures > 0:
            raise Transient("broker away")

    async with running(world.source_loop(Log(world.bus.broker, away))):
        await claimed(world)
    assert world.claims[0].at > START + timedelta(seconds=5)


@pytest.mark.parametrize("lane", ["live", "backfill"])
async def test_after_an_outage_claims_wait_until_refused_clients_have_come_back(lane: str) -> None:
    world = World()
    await world.join()
    last_failure = START

    def away(_: str) -> None:
        nonlocal last_failure
        if world.clock.now() < START + timedelta(seconds=30):
            last_failure = world.clock.now()
            raise Transient("broker away")

    async with running(world.source_loop(Log(world.bus.broker, away), holdoff_s=120, lane=lane)):
        await claimed(world)
    assert last_failure > START + timedelta(seconds=20)
    assert world.claims[0].at >= last_failure + timedelta(seconds=119)


async def test_a_short_outage_costs_no_holdoff() -> None:
    world = World()
    await world.join()

    def away(_: str) -> None:
        if world.clock.now() < START + timedelta(seconds=3):
            raise Transient("broker away")

    async with running(world.source_loop(Log(world.bus.broker, away), holdoff_s=120)):
        await claimed(world)
    assert world.claims[0].at < START + timedelta(seconds=10)


async def test_lag_is_told_to_the_meter() -> None:
    class Lags(Unmetered):
        def __init__(self) -> None:
            self.seen = list[int]()

        def lag(self, records: int) -> None:
            self.seen.append(records)

    world, meter = World(), Lags()
    await world.join()
    world.ack(0)
    world.ack(1)

    def apply(question: str) -> None:
        if question == "committed" and meter.seen:
            world.apply(len(meter.seen) - 1)

    log = Log(world.bus.broker, lambda q: apply(q) if len(meter.seen) < 3 else None)
    loop = claim_source(world.hop("identity", log, meter), interval_s=0.5, holdoff_s=0)
    async with running(world.heard.follow(), loop):
        await claimed(world)
    assert meter.seen[:3] == [2, 1, 0]


class Step(NamedTuple):
    """Something that happens between two questions of the loop."""

    acked: bool
    partition: int


steps = st.lists(st.builds(Step, st.booleans(), st.integers(0, PARTITIONS - 1)), max_size=60)


@given(steps, st.integers(0, 3))
async def test_whatever_happens_between_its_questions_no_claim_is_false(happening: list[Step], at_once: int) -> None:
    world = World()
    await world.join()
    left: Iterator[Step] = iter(happening)

    def happen(_question: str) -> None:
        for _ in range(at_once):
            step = next(left, None)
            if step is None:
                world.apply_all()
            elif step.acked:
                world.ack(step.partition)
            else:
                world.apply(step.partition)

    async with running(world.source_loop(Log(world.bus.broker, happen, happen))):
        if at_once == 0:
            world.apply_all()
        await claimed(world, 3)
    assert all(map(world.is_true, world.claims))
