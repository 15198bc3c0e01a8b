"""Algorithm P further on: who passes a claim on, who believes it, and when it is covered (triggers.md §2.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from support.running import running
from support.waiting import eventually
from tern_common.bus import Message, Place
from tern_common.errors import Transient
from tern_common.events import Claim
from tern_common.memory import MemoryBus
from tern_common.progress import Claims, covered
from tern_common.topics import PROGRESS
from unit.common.claiming import OUTPUT, SOURCE, START, World, claimed


async def test_a_relay_passes_the_time_on_once_its_own_group_is_there() -> None:
    world = World()
    claims = world.heard
    await world.join()
    world.ack(0)
    world.ack(1)
    async with running(world.relay_loop()):
        claims.believe(Claim(service="identity", lane="live", at=START, ends={SOURCE: {"0": 1, "1": 1, "2": 0}}))
        world.apply(0)
        assert world.claims == []
        world.apply(1)
        await claimed(world)
    (claim,) = world.claims
    assert (claim.service, claim.lane, claim.at) == ("profile", "live", START)
    assert sum(claim.ends[OUTPUT].values()) == 2


async def test_a_relay_passes_each_claim_once_and_only_its_upstreams() -> None:
    world = World()
    claims = world.heard
    await world.join()
    nothing = {SOURCE: {"0": 0}}
    async with running(world.relay_loop()):
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
    world = World()
    claims = world.heard
    await world.join()
    world.bus.fail_with(Transient("broker away"))
    claims.believe(Claim(service="identity", lane="live", at=START, ends={SOURCE: {"0": 0}}))
    async with running(world.relay_loop()):
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
