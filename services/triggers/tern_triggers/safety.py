"""Safe time: the last hop. Believes the claims of identity and profile once their ends are in this database.

Each lane is followed by itself: a claim names the topics on which all that follows from its lane lies, and only their
positions are waited for. So the live lane never waits for the backfill lane; the backfill lane's claims name the live
topic too, since membership changes that history brings travel there. Positions are shared by all instances and
written in the transactions that applied the records (triggers.md §2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
            newest = [self._claims.newest(service, lane) for service in UPSTREAM]
            claims = [claim for claim in newest if claim is not None]
            if len(claims) < len(UPSTREAM) or claims == passed:
                await self._claims.changed()
                continue
            if _is_ahead(await self._until_covered(lane, claims), claims):
                await self._positions.check_not_recreated(_topics_of(claims))
            at = min(claim.at for claim in claims)
            async with transaction(self._pool) as conn:
                await positions.raise_safe(conn, lane, at)
            self._reached[lane] = at
            passed = claims

    async def _until_covered(self, lane: Lane, claims: Sequence[Claim]) -> dict[Place, int]:
        """These claims and no newer ones: under load the newest are always ahead. Returns the positions."""
        topics = _topics_of(claims)
        begun = self._clock.monotonic()
        alarm_at = begun + ALARM_AFTER_S
        looks = 0
        while True:
            looks += 1
            async with connection(self._pool) as conn:
                reached = await positions.of_topics(conn, topics)
            age = self._clock.now() - min(claim.at for claim in claims)
            meters.SAFE_AGE.labels(lane).set(age.total_seconds())
            missing = [claim.service for claim in claims if not covered(reached, claim)]
            if not missing:
                return reached
            if self._clock.monotonic() >= alarm_at:
                seconds = self._clock.monotonic() - begun
                logger.error("safe time stands still", lane=lane, claims=missing, seconds=seconds)
                alarm_at += ALARM_AFTER_S
            if looks % _STARTS_EVERY == 0:
                await self._positions.raise_to_starts(topics)
            await self._clock.sleep(_LOOK_S)


def _topics_of(claims: Sequence[Claim]) -> list[str]:
    return sorted({topic for claim in claims for topic in claim.ends})


def _is_ahead(reached: Mapping[Place, int], claims: Sequence[Claim]) -> bool:
    """Whether a position is past what was claimed: by being faster than the claims, or since the log is another one."""
    ends = {Place(t, int(p)): end for claim in claims for t, ends in claim.ends.items() for p, end in ends.items()}
    return any(offset > ends.get(place, 0) for place, offset in reached.items())
