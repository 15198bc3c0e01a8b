"""Safe time: the last hop. Believes the claims of identity and profile once their ends are in this database.

Each lane is followed by itself: a claim names the topics on which all that follows from its lane lies, and only their
positions are waited for. So the live lane never waits for the backfill lane; the backfill lane's claims name the live
topic too, since membership changes that history brings travel there. Positions are shared by all instances and
written in the transactions that applied the records (triggers.md §2.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from tern_common.bus import Place
from tern_common.clock import Clock
from tern_common.db import Pool, connection, transaction
from tern_common.events import Claim
from tern_common.lanes import UPSTREAM, Lane
from tern_common.logs import logger
from tern_common.progress import Claims, covered
from tern_triggers import meters
from tern_triggers.consumer import BACKFILL_TOPICS, TOPICS, Positions
from tern_triggers.store import positions

ALARM_AFTER_S = 60.0
_TOPICS = {"live": TOPICS, "backfill": (*BACKFILL_TOPICS, *TOPICS)}
_LOOK_S = 0.05
_SAY_EVERY_S = 1.0
_STARTS_EVERY = 40


class SafeTime:
    """Raises a lane's safe time as the claims prove it. Any instance may run it: the maximum counts."""

    def __init__(self, pool: Pool, claims: Claims, known: Positions, clock: Clock) -> None:
        self._pool = pool
        self._claims = claims
        self._positions = known
        self._clock = clock
        self._reached: dict[Lane, datetime] = {}

    def reached(self, lane: Lane) -> datetime | None:
        """What this instance has raised the lane's safe time to; None before the first time."""
        return self._reached.get(lane)

    async def follow(self, lane: Lane) -> None:
        """Endless. Raises `Transient`, and `Misconfigured` when a topic was recreated."""
        await self._positions.raise_to_starts(_TOPICS[lane])
        passed: list[Claim] = []
        while True:
            claims = await self._newer(lane, passed)
            if _is_ahead(await self._until_covered(lane, claims), claims):
                await self._positions.check_not_recreated(_topics_of(claims))
            at = min(claim.at for claim in claims)
            async with transaction(self._pool) as conn:
                await positions.raise_safe(conn, lane, at)
            self._reached[lane] = at
            passed = claims

    async def _newer(self, lane: Lane, passed: Sequence[Claim]) -> list[Claim]:
        """The newest claims, as soon as all have claimed and one of them more than before."""
        waiting = _Waiting(lane, self._clock)
        while True:
            newest = {service: self._claims.newest(service, lane) for service in UPSTREAM}
            claims = [claim for claim in newest.values() if claim is not None]
            if len(claims) == len(UPSTREAM) and claims != passed:
                return claims
            waiting.look([service for service, claim in newest.items() if claim is None or claim in passed], claims)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SAY_EVERY_S):
                    await self._claims.changed()

    async def _until_covered(self, lane: Lane, claims: Sequence[Claim]) -> dict[Place, int]:
        """These claims and no newer ones: under load the newest are always ahead. Returns the positions."""
        topics = _topics_of(claims)
        waiting = _Waiting(lane, self._clock)
        looks = 0
        while True:
            looks += 1
            async with connection(self._pool) as conn:
                reached = await positions.of_topics(conn, topics)
            missing = [claim.service for claim in claims if not covered(reached, claim)]
            waiting.look(missing, claims)
            if not missing:
                return reached
            if looks % _STARTS_EVERY == 0:
                await self._positions.raise_to_starts(topics)
            await self._clock.sleep(_LOOK_S)


class _Waiting:
    """Says how far a lane is behind, and every minute who keeps it: who claims nothing, or whose claim is not in."""

    def __init__(self, lane: Lane, clock: Clock) -> None:
        self._lane = lane
        self._clock = clock
        self._begun = clock.monotonic()
        self._alarm_at = self._begun + ALARM_AFTER_S

    def look(self, missing: Sequence[str], claims: Sequence[Claim]) -> None:
        """`missing`: services that are waited for; `claims`: the newest known."""
        if claims:
            age = self._clock.now() - min(claim.at for claim in claims)
            meters.SAFE_AGE.labels(self._lane).set(age.total_seconds())
        if missing and self._clock.monotonic() >= self._alarm_at:
            seconds = self._clock.monotonic() - self._begun
            logger.error("safe time stands still", lane=self._lane, claims=missing, seconds=seconds)
            self._alarm_at += ALARM_AFTER_S


def _topics_of(claims: Sequence[Claim]) -> list[str]:
    return sorted({topic for claim in claims for topic in claim.ends})


def _is_ahead(reached: Mapping[Place, int], claims: Sequence[Claim]) -> bool:
    """Whether a position is past what was claimed: by being faster than the claims, or since the log is another one."""
    ends = {Place(t, int(p)): end for claim in claims for t, ends in claim.ends.items() for p, end in ends.items()}
    return any(offset > ends.get(place, 0) for place, offset in reached.items())
