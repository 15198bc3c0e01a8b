"""The edges of the trigger service in a simulation: what its loops do around tables in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from simulation.flaws import Flaw
from simulation.member import Lanes, Member, Tables
from simulation.process import Loop
from simulation.triggers import STALE_AFTER_S, Row, TriggerTables, read
from tern_common.bus import Place, Record
from tern_common.consume import Batch
from tern_common.errors import Transient
from tern_common.events import Claim
from tern_common.lanes import BACKFILL, LIVE, UPSTREAM, Lane
from tern_common.progress import Claims, covered
from tern_triggers import consumer as triggers
from tern_triggers.domain.news import News
from tern_triggers.domain.rounds import Safe

LOOK_S = 0.2
RELAY_EVERY_S = 0.5
CUSTOMERS = 5


class _Triggers:
    """The edges of the trigger service around tables in memory; also its `consume.Handler`."""

    def __init__(self, of: Member, tables: TriggerTables, flaw: Flaw | None) -> None:
        self._flaw = flaw
        self._of = of
        self._process = of.process
        self._tables = tables
        self.lanes = Lanes(of, Claims(of.bus, of.process.clock))

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

    async def safe_time(self, lane: Lane) -> None:
        passed: list[Claim] = []
        while True:
            upstream = UPSTREAM[:1] if self._flaw is Flaw.NO_PROFILE_HOP else UPSTREAM
            newest = [self.lanes.claims.newest(service, lane) for service in upstream]
            claims = [claim for claim in newest if claim is not None]
            if len(claims) < len(upstream) or claims == passed:
                await self.lanes.claims.changed()
                continue
            while not all(covered(self._positions(claim), claim) for claim in claims):
                await self._process.clock.sleep(LOOK_S / 2)
            await self._process.io()
            self._tables.raise_safe(lane, min(claim.at for claim in claims))
            passed = claims

    def _positions(self, claim: Claim) -> Mapping[Place, int]:
        """Those that all instances share."""
        if self._flaw is not Flaw.OWN_POSITIONS or self.lanes.member is None:
            return self._tables.positions
        ends = {Place(t, int(p)): end for t, found in claim.ends.items() for p, end in found.items()}
        others = {place: end for place, end in ends.items() if place not in self.lanes.member.assigned()}
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


def loops_of(of: Member, tables: Tables) -> dict[str, Loop]:
    """Of one process."""
    edge = _Triggers(of, tables.triggers, tables.flaw)
    return {
        "events": edge.lanes.live(triggers.GROUP, triggers.TOPICS, edge),
        "events-backfill": edge.lanes.backfill(triggers.BACKFILL_GROUP, triggers.BACKFILL_TOPICS[0], edge),
        "claims": edge.lanes.claims.follow,
        "safe_time": partial(edge.safe_time, LIVE),
        "safe_time-backfill": partial(edge.safe_time, BACKFILL),
        "decisions": edge.decisions,
        "relay": edge.relay,
    }
