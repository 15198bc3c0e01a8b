"""Algorithm P: a claim is published only when it is true (triggers.md §2.1, §2.2). Each condition has its test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.running import running
from support.waiting import eventually
from tern_common.bus import Message, Place
from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured, Transient
from tern_common.events import Claim, decode_claim
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.memory.bus import MemoryLog
from tern_common.meters import Unmetered
from tern_common.partitioning import partition_of
from tern_common.progress import Claims, claim_relay, claim_source, covered
from tern_common.topics import PROGRESS, Topic

SOURCE, OUTPUT, GROUP = "source", "output", "identity"
PARTITIONS = 3
START = ManualClock().now()
KEYS = {partition_of(f"k{n}".encode(), PARTITIONS): f"k{n}".encode() for n in range(20)}


class Log(MemoryLog):
    """A log on which something happens before each question is answered, or after it."""

    def __init__(
        self,
        broker: MemoryBroker,
        before: Callable[[str], None] = lambda _: None,
        after: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(broker)
        self.before = before
        self.after = after

    async def ends(self, topic: str) -> dict[int, int]:
        self.before(f"ends {topic}")
        answer = await super().ends(topic)
        self.after(f"ends {topic}")
        return answer

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        self.before("committed")
        answer = await super().committed(group, topic)
        self.after("committed")
        return answer

    async def starts(self, topic: str) -> dict[int, int]:
        self.before("starts")
        answer = await super().starts(topic)
        self.after("starts")
        return answer


class World:
    """A source topic, a group that applies it to an output topic in the order that C1 asks for, and claims about it."""

    def __init__(self) -> None:
        self.bus = MemoryBus(MemoryBroker([Topic(SOURCE, PARTITIONS), Topic(OUTPUT, 2), Topic(PROGRESS, 1)]))
        self.clock = ManualClock()
        self.acks: list[tuple[datetime, Place, int]] = []
        self.outputs: dict[tuple[Place, int], tuple[int, int]] = {}

    @property
    def group(self) -> dict[Place, int]:
        """The group's committed offsets."""
        return self.bus.broker.groups[GROUP].committed

    async def join(self) -> None:
        """Makes the group known; it has committed nothing."""
        await self.bus.subscribe(GROUP, [SOURCE])

    def ack(self, partition: int) -> None:
        """A client is told that its event is in; then time goes on."""
        place = Place(SOURCE, partition)
        offset = self.bus.broker.partition(place).end
        self.bus.broker.append([Message(SOURCE, KEYS[partition], b"event")])
        self.acks.append((self.clock.now(), place, offset))
        self.clock.advance(timedelta(milliseconds=1))

    def apply(self, partition: int) -> None:
        """All outputs of the next record are acknowledged, then its offset is committed."""
        place = Place(SOURCE, partition)
        offset = self.group.get(place, 0)
        if offset < self.bus.broker.partition(place).end:
            key = f"out {partition} {offset}".encode()
            output = partition_of(key, 2)
            self.outputs[place, offset] = (output, self.bus.broker.partition(Place(OUTPUT, output)).end)
            self.bus.broker.append([Message(OUTPUT, key, b"output")])
            self.group[place] = offset + 1

    def apply_all(self) -> None:
        """The group catches up."""
        for partition in range(PARTITIONS):
            while self.group.get(Place(SOURCE, partition), 0) < self.bus.broker.partition(Place(SOURCE, partition)).end:
                self.apply(partition)

    @property
    def claims(self) -> list[Claim]:
        """What was claimed, in order."""
        return [decode_claim(record.value) for record in self.bus.sent(PROGRESS)]

    def is_true(self, claim: Claim) -> bool:
        """Whether the outputs of all that was acknowledged before T exist below the claimed ends."""
        return all(
            (place, offset) in self.outputs
            and self.outputs[place, offset][1] < claim.ends[OUTPUT][str(self.outputs[place, offset][0])]
            for at, place, offset in self.acks
            if at < claim.at
        )

    async def source_loop(self, log: MemoryLog, holdoff_s: float = 0) -> None:
        await claim_source(
            log,
            self.bus.producer,
            self.clock,
            group=GROUP,
            source_topic=SOURCE,
            output_topic=OUTPUT,
            service="identity",
            lane="live",
            interval_s=0.5,
            holdoff_s=holdoff_s,
        )

    async def relay_loop(self, claims: Claims) -> None:
        await claim_relay(
            claims,
            self.bus.log,
            self.bus.producer,
            upstream="identity",
            group=GROUP,
            source_topic=SOURCE,
            output_topic=OUTPUT,
            service="profile",
            lane="live",
            clock=self.clock,
            poll_s=0.1,
        )


async def claimed(world: World, number: int = 1) -> None:
    await eventually(lambda: len(world.claims) >= number, 5, f"{number} claims")


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
            await world.source_loop(world.bus.log)
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


async def test_after_an_outage_claims_wait_until_refused_clients_have_come_back() -> None:
    world = World()
    await world.join()
    last_failure = START

    def away(_: str) -> None:
        nonlocal last_failure
        if world.clock.now() < START + timedelta(seconds=30):
            last_failure = world.clock.now()
            raise Transient("broker away")

    async with running(world.source_loop(Log(world.bus.broker, away), holdoff_s=120)):
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


async def test_a_relay_passes_the_time_on_once_its_own_group_is_there() -> None:
    world, claims = World(), Claims(MemoryBus())
    await world.join()
    world.ack(0)
    world.ack(1)
    async with running(world.relay_loop(claims)):
        claims.believe(Claim(service="identity", lane="live", at=START, ends={SOURCE: {"0": 1, "1": 1, "2": 0}}))
        world.apply(0)
        assert world.claims == []
        world.apply(1)
        await claimed(world)
    (claim,) = world.claims
    assert (claim.service, claim.lane, claim.at) == ("profile", "live", START)
    assert sum(claim.ends[OUTPUT].values()) == 2


async def test_a_relay_passes_each_claim_once_and_only_its_upstreams() -> None:
    world, claims = World(), Claims(MemoryBus())
    await world.join()
    nothing = {SOURCE: {"0": 0}}
    async with running(world.relay_loop(claims)):
        claims.believe(Claim(service="identity", lane="live", at=START, ends=nothing))
        await claimed(world)
        claims.believe(Claim(service="identity", lane="live", at=START - timedelta(1), ends=nothing))
        claims.believe(Claim(service="other", lane="live", at=START + timedelta(1), ends=nothing))
        claims.believe(Claim(service="identity", lane="backfill", at=START + timedelta(1), ends=nothing))
        claims.believe(Claim(service="identity", lane="live", at=START + timedelta(2), ends={"elsewhere": {}}))
        claims.believe(Claim(service="identity", lane="live", at=START + timedelta(3), ends=nothing))
        await claimed(world, 2)
    assert [claim.at for claim in world.claims] == [START, START + timedelta(3)]


async def test_a_relay_waits_for_a_broker_that_is_away() -> None:
    world, claims = World(), Claims(MemoryBus())
    await world.join()
    world.bus.fail_with(Transient("broker away"))
    claims.believe(Claim(service="identity", lane="live", at=START, ends={SOURCE: {"0": 0}}))
    async with running(world.relay_loop(claims)):
        await eventually(lambda: world.clock.monotonic() > 1, 5, "some attempts")
        world.bus.recover()
        await claimed(world)


async def test_followers_keep_the_newest_claim_of_each_service_and_lane() -> None:
    bus = MemoryBus()
    claims = Claims(bus)

    def sent(at: datetime, service: str = "identity") -> Message:
        stamp = at.isoformat().replace("+00:00", "Z")
        text = f'{{"service": "{service}", "lane": "live", "at": "{stamp}", "ends": {{}}}}'
        return Message(PROGRESS, b"k", text.encode())

    newer = datetime(2026, 2, 2, tzinfo=UTC)
    await bus.producer.send([sent(newer), Message(PROGRESS, b"pause", b"pause"), sent(START), sent(START, "profile")])
    async with running(claims.follow()):
        await eventually(lambda: claims.newest("profile", "live"), 5, "the last claim is read")
        await bus.producer.send([sent(newer + timedelta(1))])
        await claims.changed()
    found = claims.newest("identity", "live")
    assert found is not None
    assert found.at == newer + timedelta(1)
    assert claims.newest("identity", "backfill") is None


def test_a_claim_is_covered_when_every_partition_is_there() -> None:
    claim = Claim(service="identity", lane="live", at=START, ends={"t": {"0": 5, "1": 0}, "u": {"0": 2}})
    assert covered({Place("t", 0): 5, Place("u", 0): 3}, claim)
    assert not covered({Place("t", 0): 4, Place("u", 0): 3}, claim)
    assert not covered({Place("t", 0): 5}, claim)


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

    loop = claim_source(
        Log(world.bus.broker, lambda q: apply(q) if len(meter.seen) < 3 else None),
        world.bus.producer,
        world.clock,
        group=GROUP,
        source_topic=SOURCE,
        output_topic=OUTPUT,
        service="identity",
        lane="live",
        interval_s=0.5,
        meter=meter,
    )
    async with running(loop):
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
