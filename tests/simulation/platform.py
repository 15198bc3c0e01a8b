"""All services of a simulated deployment, each instance with the loops that it runs for real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from simulation.bus import Network, PlayedBus, PlayedConsumer
from simulation.flaws import Flaw
from simulation.identity import IdentityTables, PlayedIdentity
from simulation.loop import VirtualTime
from simulation.process import Loop, Pace, Process
from simulation.profile import PlayedProfile, ProfileTables
from simulation.triggers import STALE_AFTER_S, Row, TriggerTables, read
from tern_common import topics
from tern_common.bus import Place, Record
from tern_common.consume import Batch, consume
from tern_common.errors import Transient
from tern_common.events import Claim
from tern_common.lanes import UPSTREAM
from tern_common.progress import Claims, Hop, claim_relay, claim_source, covered
from tern_common.rejecting import Rejecting
from tern_identity import consumer as identity
from tern_profile import consumer as profile
from tern_triggers.domain.news import News
from tern_triggers.domain.rounds import Safe

CLAIM_EVERY_S = 0.5
LOOK_S = 0.2
RELAY_EVERY_S = 0.5
BATCH = 200
CUSTOMERS = 5
GROUP = "triggers"


@dataclass
class Tables:
    """What outlives processes, and what is deliberately wrong with them."""

    identity: IdentityTables
    profile: ProfileTables
    triggers: TriggerTables
    flaw: Flaw | None = None


@dataclass
class Member:
    """One process of a service, with its bus."""

    service: str
    process: Process
    bus: PlayedBus

    def begin(self, tables: Tables) -> None:
        """Starts its loops."""
        self.process.start(_LOOPS[self.service](self, tables))


def member(service: str, number: int, random: Random, network: Network, pace: Pace) -> Member:
    """A new process of a service."""
    process = Process(f"{service}-{number}", Random(random.random()), pace)
    return Member(service, process, PlayedBus(process, network))


def _identity(of: Member, tables: Tables) -> dict[str, Loop]:
    claims = Claims(of.bus, of.process.clock)
    handler = PlayedIdentity(of.process, tables.identity, of.bus.producer, flaw=tables.flaw)
    clock = Hasty(of.process.clock) if tables.flaw is Flaw.LATE_MOMENT else of.process.clock
    hop = Hop(identity.LIVE_PASSAGE, of.bus.log, of.bus.producer, clock, claims)

    async def events() -> None:
        members = await of.bus.subscribe(identity.GROUP, [topics.EVENTS])
        await consume(members, handler, Rejecting(of.bus.producer, of.service), of.process.clock, limit=BATCH)

    async def progress() -> None:
        await claim_source(hop, interval_s=CLAIM_EVERY_S, holdoff_s=0.0)

    return {"events": events, "claims": claims.follow, "progress": progress}


def _profile(of: Member, tables: Tables) -> dict[str, Loop]:
    claims = Claims(of.bus, of.process.clock)
    handler = PlayedProfile(of.process, tables.profile, of.bus.producer)
    hop = Hop(profile.LIVE_PASSAGE, of.bus.log, of.bus.producer, of.process.clock, claims)

    async def events() -> None:
        members = await of.bus.subscribe(profile.GROUP, [topics.RESOLVED])
        await consume(members, handler, Rejecting(of.bus.producer, of.service), of.process.clock, limit=BATCH)

    async def progress() -> None:
        await claim_relay(hop, upstream="identity", poll_s=CLAIM_EVERY_S / 2)

    return {"events": events, "claims": claims.follow, "progress": progress}


class Hasty(VirtualTime):
    """Says a moment that is still to come: as if it had been asked for later."""

    def __init__(self, clock: VirtualTime) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=8)


class _Triggers:
    """The edges of the trigger service around tables in memory; also its `consume.Handler`."""

    def __init__(self, of: Member, tables: TriggerTables, flaw: Flaw | None) -> None:
        self._flaw = flaw
        self._of = of
        self._process = of.process
        self._tables = tables
        self._member: PlayedConsumer | None = None
        self.claims = Claims(of.bus, of.process.clock)

    def decode(self, record: Record) -> News:
        if self._flaw is Flaw.EARLY_POSITIONS:
            place = Place(record.topic, record.partition)
            self._tables.positions[place] = max(record.offset + 1, self._tables.positions.get(place, 0))
        return read(record, self._tables)

    async def apply(self, batch: Batch[News]) -> None:
        if self._flaw is not Flaw.COMMIT_UNAPPLIED:
            await self._apply(batch)
            return
        asyncio.get_running_loop().call_later(0.3, self._apply_unless_dead, batch)

    def _apply_unless_dead(self, batch: Batch[News]) -> None:
        if not self._process.dead:
            clock = self._process.clock
            self._tables.apply(batch.items, batch.spans, clock.now(), clock.monotonic())

    async def _apply(self, batch: Batch[News]) -> None:
        await self._process.transaction()
        clock = self._process.clock
        self._tables.apply(batch.items, batch.spans, clock.now(), clock.monotonic())
        await self._process.io()
        await self._publish_now()

    async def events(self) -> None:
        members = await self._of.bus.subscribe(GROUP, [topics.RESOLVED, topics.PROFILES])
        self._member = members
        rejecting = Rejecting(self._of.bus.producer, self._of.service)
        await consume(members, self, rejecting, self._process.clock, limit=BATCH)

    async def safe_time(self) -> None:
        passed: list[Claim] = []
        while True:
            upstream = UPSTREAM[:1] if self._flaw is Flaw.NO_PROFILE_HOP else UPSTREAM
            newest = [self.claims.newest(service, "live") for service in upstream]
            claims = [claim for claim in newest if claim is not None]
            if len(claims) < len(upstream) or claims == passed:
                await self.claims.changed()
                continue
            while not all(covered(self._positions(claim), claim) for claim in claims):
                await self._process.clock.sleep(LOOK_S / 2)
            await self._process.io()
            self._tables.raise_safe("live", min(claim.at for claim in claims))
            self._tables.raise_safe("backfill", min(claim.at for claim in claims))
            passed = claims

    def _positions(self, claim: Claim) -> Mapping[Place, int]:
        """Those that all instances share."""
        if self._flaw is not Flaw.OWN_POSITIONS or self._member is None:
            return self._tables.positions
        ends = {Place(t, int(p)): end for t, found in claim.ends.items() for p, end in found.items()}
        others = {place: end for place, end in ends.items() if place not in self._member.assigned()}
        return {**self._tables.positions, **others}

    def _reached(self) -> Safe | None:
        if self._flaw is not Flaw.WALL_CLOCK:
            return self._tables.reached()
        return Safe(self._process.clock.now(), self._process.clock.now())

    async def decisions(self) -> None:
        """What a look decides is published beside the next one."""
        unsaid: list[Row] = []
        while True:
            _, unsaid = await asyncio.gather(self._say(unsaid), self._look())

    async def _look(self) -> list[Row]:
        safe = self._reached()
        if safe is None or not self._tables.due(safe):
            await self._process.clock.sleep(LOOK_S)
            return []
        await self._process.io()
        due = self._tables.due(safe)[:CUSTOMERS]
        await self._process.transaction()
        clock = self._process.clock
        fired = self._tables.decide(due, safe, clock.now(), clock.monotonic())
        await self._process.io(self._process.pace.acknowledgement_s)
        return fired

    async def _say(self, rows: list[Row]) -> None:
        """What waited for too long is left to the relay, which asks about it again."""
        clock = self._process.clock
        if any(row.created < clock.monotonic() - STALE_AFTER_S for row in rows):
            self._tables.failed(rows, clock.now())
            return
        try:
            await self._send(rows)
        except Transient:
            return

    async def relay(self) -> None:
        while True:
            while await self._publish():
                pass
            await self._process.clock.sleep(RELAY_EVERY_S)

    async def _publish_now(self) -> None:
        try:
            await self._publish()
        except Transient:
            return

    async def _publish(self) -> int:
        clock = self._process.clock
        rows = self._tables.claim(clock.now(), clock.monotonic())
        await self._send(rows)
        return len(rows)

    async def _send(self, rows: list[Row]) -> None:
        if not rows:
            return
        clock = self._process.clock
        self._tables.tried(rows, clock.monotonic())
        await self._process.io()
        try:
            await self._of.bus.producer.send([row.message() for row in rows])
        except Transient:
            self._tables.failed(rows, clock.now())
            raise
        self._tables.delivered(rows)


def _triggers(of: Member, tables: Tables) -> dict[str, Loop]:
    edge = _Triggers(of, tables.triggers, tables.flaw)
    return {
        "events": edge.events,
        "claims": edge.claims.follow,
        "safe_time": edge.safe_time,
        "decisions": edge.decisions,
        "relay": edge.relay,
    }


_LOOPS: dict[str, Callable[[Member, Tables], dict[str, Loop]]] = {
    "identity": _identity,
    "profile": _profile,
    "triggers": _triggers,
}
