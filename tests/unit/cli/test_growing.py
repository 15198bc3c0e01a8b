"""`tern topics grow` keeps claims true: nobody claims while a topic grows, and nothing stops them for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from support.running import running
from support.waiting import eventually
from tern_cli.growing import LEASE_S, Growing, Pace
from tern_common.bus import Message
from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured, Transient
from tern_common.events import PAUSE_KEY, Pause, encode
from tern_common.lanes import LIVE
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.memory.bus import MemoryLog
from tern_common.progress import Claims, Hop, Passage, claim_source
from tern_common.topics import EVENTS, PROGRESS, RESOLVED, Topic

LATER = ManualClock().now() + timedelta(milliseconds=1)


class BreaksWhenItGrows(MemoryLog):
    """Adds the partitions, and the answer is lost."""

    async def grow(self, topic: str, partitions: int) -> None:
        await super().grow(topic, partitions)
        raise Transient("kafka: could not add partitions")


class BreakingBus(MemoryBus):
    """A bus with that log."""

    @property
    def log(self) -> MemoryLog:
        return BreaksWhenItGrows(self.broker)


class Platform:
    """A claimer, the command, and what was said and sent in which order; one clock, which is real time."""

    def __init__(self) -> None:
        self.said = list[str]()
        self.clock = ManualClock()
        topics = (EVENTS, RESOLVED, "tern.triggers.cart.v1", "somebody.else")
        self.broker = MemoryBroker([*(Topic(name, 2) for name in topics), Topic(PROGRESS, 1)])
        self.bus = MemoryBus(self.broker)
        self.claims = Claims(self.bus, self.clock, self.clock)

    @asynccontextmanager
    async def claiming(self) -> AsyncIterator[None]:
        await self.bus.subscribe("identity", [EVENTS])
        passage = Passage("identity", LIVE, {EVENTS: "identity"}, (RESOLVED,))
        hop = Hop(passage, self.bus.log, self.bus.producer, self.clock, self.claims)
        async with running(self.claims.follow(), claim_source(hop, interval_s=0.5, holdoff_s=0)):
            await eventually(lambda: self.claims.newest("identity", LIVE), 5, "claims come")
            yield

    async def grow(self, topic: str = RESOLVED, partitions: int = 5, pace: Pace | None = None) -> None:
        await Growing(self.bus, self.clock, pace or Pace(), self.said.append).grow(topic, partitions)

    @property
    def keys(self) -> list[bytes]:
        """Of what stands on the topic of claims."""
        return [record.key for record in self.bus.sent(PROGRESS)]

    def partitions(self, topic: str = RESOLVED) -> int:
        return self.broker.topics[topic].partitions


async def test_a_topic_grows_while_nobody_claims_and_then_claims_go_on() -> None:
    platform = Platform()
    async with platform.claiming():
        await platform.grow()
        grown_at = platform.clock.now()
        assert platform.partitions() == 5
        newest = platform.claims.newest("identity", LIVE)
        assert newest is not None
        assert grown_at - newest.at > timedelta(seconds=40), "nobody claimed from the pause to the end"
        await eventually(
            lambda: len((platform.claims.newest("identity", LIVE) or newest).ends[RESOLVED]) == 5, 5, "claims go on"
        )
    assert platform.keys.count(PAUSE_KEY) == 2
    assert platform.said == [
        "nobody claims: tern.resolved.v1 grows from 2 to 5 partitions",
        "waiting 30 s until everybody knows the new partitions",
        "claims go on",
    ]


async def test_where_claims_do_not_stop_nothing_grows_and_the_pause_is_ended() -> None:
    platform = Platform()

    async def deaf() -> None:
        while True:
            await platform.bus.producer.send([Message(PROGRESS, b"identity/live", b"{}")])
            await platform.clock.sleep(1)

    async with running(deaf()):
        with pytest.raises(Transient, match="does not heed the pause"):
            await platform.grow()
    assert platform.partitions() == 2
    pauses = [record.value for record in platform.bus.sent(PROGRESS) if record.key == PAUSE_KEY]
    assert pauses[1:] == [b""]


@pytest.mark.parametrize(
    ("topic", "partitions", "why"),
    [
        ("tern.triggers.cart.v1", 8, "a retraction must not overtake its trigger"),
        (PROGRESS, 2, "claims keep their order"),
        (RESOLVED, 1, "a topic cannot shrink"),
        ("somebody.else", 8, "is no topic of this platform"),
        ("tern.events.backfill.v1", 8, "is no topic of this platform"),
    ],
)
async def test_what_must_not_grow_is_refused_before_anything_is_done(topic: str, partitions: int, why: str) -> None:
    platform = Platform()
    with pytest.raises(Misconfigured, match=why):
        await platform.grow(topic, partitions)
    assert platform.keys == []


async def test_a_topic_that_is_as_large_is_left_alone() -> None:
    platform = Platform()
    await platform.grow(partitions=2)
    assert platform.keys == []
    assert platform.said == ["tern.resolved.v1 has 2 partitions: nothing to do"]


async def test_a_growth_under_way_or_interrupted_refuses_another_until_its_pause_is_over() -> None:
    platform = Platform()
    until = platform.clock.now() + timedelta(seconds=LEASE_S)
    await platform.bus.producer.send([Message(PROGRESS, PAUSE_KEY, encode(Pause(until=until)))])
    with pytest.raises(Misconfigured, match="claims pause until 00:05:00 UTC"):
        await platform.grow()
    platform.clock.advance(timedelta(seconds=LEASE_S))
    await platform.grow()
    assert platform.partitions() == 5


async def test_of_two_growths_that_begin_together_one_goes_on_with_its_pause() -> None:
    platform = Platform()
    async with asyncio.TaskGroup() as both:
        growths = [both.create_task(_outcome(platform, one)) for one in (ManualClock(), ManualClock(LATER))]
    assert sorted(str(growth.result()) for growth in growths) == [
        "None",
        "another growth began at the same time: it goes on, this one does not",
    ]
    assert platform.bus.sent(PROGRESS)[-1].value == b""


async def _outcome(platform: Platform, clock: ManualClock) -> Transient | None:
    try:
        await Growing(platform.bus, clock, Pace(), platform.said.append).grow(RESOLVED, 5)
    except Transient as wrong:
        return wrong
    return None


async def test_once_partitions_may_have_been_added_the_pause_is_left_to_its_end() -> None:
    """Killed or away in the middle: claims go on by themselves, late enough."""
    platform = Platform()
    platform.bus = BreakingBus(platform.broker)
    with pytest.raises(Transient, match="could not add"):
        await platform.grow()
    assert platform.keys == [PAUSE_KEY]
    assert platform.said[-1] == "the topic may have grown: claims go on by themselves at 00:05:00 UTC"
    async with platform.claiming():
        pass
    first = platform.claims.newest("identity", LIVE)
    assert first is not None
    assert first.at >= ManualClock().now() + timedelta(seconds=LEASE_S)


async def test_when_quiet_comes_too_late_for_the_pause_nothing_grows() -> None:
    platform = Platform()
    with pytest.raises(Transient, match="claims do not stop"):
        await platform.grow(pace=Pace(quiet_s=LEASE_S))
    assert platform.partitions() == 2
