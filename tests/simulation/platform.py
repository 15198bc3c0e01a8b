"""All services of a simulated deployment, each instance with the loops that it runs for real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from simulation import deciders
from simulation.flaws import Flaw
from simulation.identity import PlayedIdentity
from simulation.loop import VirtualTime
from simulation.member import Lanes, Member, Tables
from simulation.process import Loop
from simulation.profile import PlayedProfile
from tern_common import topics
from tern_common.lanes import BACKFILL, LIVE
from tern_common.progress import Claims, Passage, claim_relay, claim_source
from tern_identity import consumer as identity
from tern_profile import consumer as profile

CLAIM_EVERY_S: Mapping[str, float] = {LIVE: 0.5, BACKFILL: 1.5}


def begin(one: Member, tables: Tables) -> None:
    """Starts its loops."""
    one.process.start(_LOOPS[one.service](one, tables))


def _identity(of: Member, tables: Tables) -> dict[str, Loop]:
    lanes = Lanes(of, Claims(of.bus, of.process.clock))
    clock = Hasty() if tables.flaw is Flaw.LATE_MOMENT else of.process.clock

    def handler(output: str) -> PlayedIdentity:
        return PlayedIdentity(of.process, tables.identity, of.bus.producer, output, tables.flaw)

    def progress(passage: Passage) -> Loop:
        every_s = CLAIM_EVERY_S[passage.lane]
        return lambda: claim_source(lanes.hop(passage, clock), interval_s=every_s, holdoff_s=0.0)

    return {
        "events": lanes.live(identity.GROUP, [topics.EVENTS], handler(topics.RESOLVED)),
        "events-backfill": lanes.backfill(
            identity.BACKFILL_GROUP, topics.EVENTS_BACKFILL, handler(topics.RESOLVED_BACKFILL)
        ),
        "claims": lanes.claims.follow,
        "progress": progress(identity.LIVE_PASSAGE),
        "progress-backfill": progress(identity.BACKFILL_PASSAGE),
    }


def _profile(of: Member, tables: Tables) -> dict[str, Loop]:
    lanes = Lanes(of, Claims(of.bus, of.process.clock))
    handler = PlayedProfile(of.process, tables.profile, of.bus.producer)

    def progress(passage: Passage) -> Loop:
        hop = lanes.hop(passage, of.process.clock)
        return lambda: claim_relay(hop, upstream=identity.SERVICE, poll_s=CLAIM_EVERY_S[passage.lane] / 2)

    return {
        "events": lanes.live(profile.GROUP, [topics.RESOLVED], handler),
        "events-backfill": lanes.backfill(profile.BACKFILL_GROUP, topics.RESOLVED_BACKFILL, handler),
        "claims": lanes.claims.follow,
        "progress": progress(profile.LIVE_PASSAGE),
        "progress-backfill": progress(profile.BACKFILL_PASSAGE),
    }


class Hasty(VirtualTime):
    """Says a moment that is still to come: as if it had been asked for later."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=8)


_LOOPS: dict[str, Callable[[Member, Tables], dict[str, Loop]]] = {
    "identity": _identity,
    "profile": _profile,
    "triggers": deciders.loops_of,
}
