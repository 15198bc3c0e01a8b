"""While a topic grows nobody claims: a claim made of an old and a new view of it could be false (triggers.md §2.1, C4).

And what a claim tells of its sender's clock (C5).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest

from support.running import running
from support.waiting import eventually
from tern_common.bus import Message, Place
from tern_common.clock import ManualClock
from tern_common.events import PAUSE_KEY, Claim, Pause, encode
from tern_common.memory import MemoryBus
from tern_common.metrics import render
from tern_common.progress import Claims
from tern_common.topics import PROGRESS
from unit.common.claiming import OUTPUT, SOURCE, START, Log, World, claimed

MINUTES_5 = timedelta(minutes=5)


def pausing(until: datetime) -> Message:
    return Message(PROGRESS, PAUSE_KEY, encode(Pause(until=until)))


LIFTED = Message(PROGRESS, PAUSE_KEY, b"")


class Asked(Log):
    """Counts what was asked, so that a test can wait for rounds."""

    def __init__(self, world: World) -> None:
        self.questions = list[str]()
        super().__init__(world.bus.broker, self.questions.append)

    async def rounds(self, number: int = 5) -> None:
        goal = len(self.questions) + number
        await eventually(lambda: len(self.questions) >= goal, 5, "some rounds")


async def test_claims_stop_for_a_pause_and_go_on_after_it() -> None:
    world = World()
    await world.join()
    log = Asked(world)
    async with running(world.source_loop(log)):
        await claimed(world)
        await world.bus.producer.send([pausing(world.clock.now() + timedelta(days=9))])
        await eventually(lambda: world.heard.paused, 5, "the pause is known")
        await log.rounds(20)  # one that was just being sent is true: its offsets were read before
        before = len(world.claims)
        await log.rounds(20)
        assert len(world.claims) == before
        await world.bus.producer.send([LIFTED])
        await eventually(lambda: len(world.claims) > before, 5, "claims go on")


async def test_a_pause_that_nobody_ends_is_over_by_itself() -> None:
    world = World()
    await world.join()
    until = world.clock.now() + MINUTES_5
    await world.bus.producer.send([pausing(until)])
    async with running(world.source_loop(world.bus.log)):
        await claimed(world)
    assert world.claims[0].at >= until


async def test_a_pause_is_real_time_whatever_the_domain_does() -> None:
    world = World()
    wall = ManualClock()
    heard = Claims(world.bus, world.clock, wall)
    async with running(heard.follow()):
        await world.bus.producer.send([pausing(wall.now() + MINUTES_5)])
        await eventually(lambda: heard.paused, 5, "the pause is known")
        world.clock.advance(timedelta(days=90))
        assert heard.paused
        wall.advance(MINUTES_5)
        assert not heard.paused


@pytest.mark.parametrize("lifted", [False, True], ids=["still growing", "grown"])
async def test_a_round_that_a_growth_fell_into_ends_without_a_claim(lifted: bool) -> None:
    """It took its ends before, and its group catches up long after: what it read of the source may be too little."""
    world = World()
    await world.join()
    world.ack(0)
    looks = 0

    def meanwhile(question: str) -> None:
        nonlocal looks
        looks += question == "committed"
        if question == "committed" and looks == 3:
            said = [pausing(world.clock.now() + MINUTES_5), *([LIFTED] if lifted else [])]
            world.bus.broker.append(said)
        if question == "committed" and looks == 6:
            world.apply_all()

    started = world.clock.now()
    async with running(world.source_loop(Log(world.bus.broker, meanwhile))):
        await claimed(world)
    first = world.claims[0]
    assert first.at > started + timedelta(milliseconds=600), "a later round's"
    assert (first.at >= started + MINUTES_5) is not lifted


async def test_no_claim_is_made_before_all_that_stands_on_its_topic_is_read() -> None:
    """Whoever has just started, or lost its connection, cannot miss a pause."""
    world = World()
    await world.join()
    await world.bus.producer.send([pausing(world.clock.now() + timedelta(days=1))])
    log = Asked(world)
    async with running(world.unheard_loop(log)):
        await log.rounds(2)
        await eventually(lambda: f"ends {PROGRESS}" in log.questions, 5, "it asks how far the topic goes")
        assert world.claims == []


async def test_a_relay_passes_nothing_on_meanwhile_and_the_newest_afterwards() -> None:
    world = World()
    await world.join()
    nothing = {SOURCE: {"0": 0}}
    async with running(world.relay_loop()):
        await world.bus.producer.send([pausing(START + timedelta(days=9))])
        await eventually(lambda: world.heard.paused, 5, "the pause is known")
        world.heard.believe(Claim(service="identity", lane="live", at=START, ends=nothing))
        world.heard.believe(Claim(service="identity", lane="live", at=START + timedelta(1), ends=nothing))
        await world.bus.producer.send([LIFTED])
        await eventually(lambda: not world.heard.paused, 5, "the pause is over")
        world.heard.believe(Claim(service="identity", lane="live", at=START + timedelta(2), ends=nothing))
        await claimed(world)
    assert [claim.at for claim in world.claims] == [START + timedelta(2)]


async def test_partitions_that_were_added_are_claimed_like_the_others() -> None:
    world = World()
    await world.join()
    world.ack(0)
    world.apply_all()
    async with running(world.source_loop(world.bus.log)):
        await claimed(world)
        await world.bus.log.grow(OUTPUT, 4)
        await eventually(lambda: len(world.claims[-1].ends[OUTPUT]) == 4, 5, "a claim names the new partitions")
        await world.bus.log.grow(SOURCE, 6)
        world.bus.broker.append([Message(SOURCE, key, b"event") for key in (b"k1", b"k2", b"k3", b"k4", b"k5", b"k6")])
        at = world.clock.now()
        new = [place for place in world.bus.broker.places(SOURCE)[3:] if world.bus.broker.partition(place).end]
        assert new
        for place in world.bus.broker.places(SOURCE)[:3]:
            world.group[place] = world.bus.broker.partition(place).end
        held = len(world.claims)
        await eventually(lambda: world.clock.now() > at + timedelta(seconds=20), 5, "rounds pass")
        assert all(claim.at <= at for claim in world.claims[held:]), "the new ones are not read"
        for place in new:
            world.group[Place(*place)] = world.bus.broker.partition(place).end
        await eventually(lambda: world.claims[-1].at > at, 5, "now they are")


@pytest.mark.parametrize(("ahead_s", "alarmed"), [(-3600, False), (0, False), (30, False), (31, True)], ids=str)
def test_a_claim_about_the_future_is_an_alarm_since_clocks_differ(
    ahead_s: int, alarmed: bool, logged: StringIO
) -> None:
    """Skew eats as much of the grace, and nothing else: so the claim is believed."""
    clock = ManualClock()
    claims = Claims(MemoryBus(), clock)
    said = Claim(service="identity", lane="live", at=clock.now() + timedelta(seconds=ahead_s), ends={})
    claims.believe(said)
    assert ("a claim is about the future" in logged.getvalue()) is alarmed
    assert claims.newest("identity", "live") == said
    assert f'tern_claim_age_seconds{{claimer="identity",lane="live"}} {float(-ahead_s)}' in render().decode()


def test_what_several_have_proved_is_the_least_of_it() -> None:
    claims = Claims(MemoryBus(), ManualClock())
    say: Callable[[str, int], None] = lambda service, hours: claims.believe(  # noqa: E731
        Claim(service=service, lane="live", at=START - timedelta(hours=hours), ends={})
    )
    say("identity", 1)
    assert claims.proved(["identity", "profile"], "live") is None
    say("profile", 2)
    assert claims.proved(["identity", "profile"], "live") == START - timedelta(hours=2)
    assert claims.proved(["identity"], "live") == START - timedelta(hours=1)
    assert claims.proved(["identity"], "backfill") is None
