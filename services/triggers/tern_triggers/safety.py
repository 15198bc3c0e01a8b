"""Safe time: the last hop. Believes the claims of identity and profile once their ends are in this database.

Positions are shared by all instances and written in the transactions that applied the records (triggers.md §2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tern_common.bus import Place
from tern_common.clock import Clock
from tern_common.db import Pool, connection, transaction
from tern_common.events import Claim
from tern_common.logs import logger
from tern_common.progress import Claims, covered
from tern_triggers import meters
from tern_triggers.consumer import TOPICS, Positions
from tern_triggers.store import positions

UPSTREAM = ("identity", "profile")
LANE = "live"
ALARM_AFTER_S = 60.0
_LOOK_S = 0.05
_STARTS_EVERY = 40


class SafeTime:
    """Raises safe time as the claims prove it. Any instance may run it: the maximum counts."""

    def __init__(self, pool: Pool, claims: Claims, known: Positions, clock: Clock) -> None:
        self._pool = pool
        self._claims = claims
        self._positions = known
        self._clock = clock

    async def follow(self) -> None:
        """Endless. Raises `Transient`, and `Misconfigured` when a topic was recreated."""
        await self._positions.raise_to_starts(TOPICS)
        passed: list[Claim] = []
        while True:
            newest = [self._claims.newest(service, LANE) for service in UPSTREAM]
            claims = [claim for claim in newest if claim is not None]
            if len(claims) < len(UPSTREAM) or claims == passed:
                await self._claims.changed()
                continue
            if _is_ahead(await self._until_covered(claims), claims):
                await self._positions.check_not_recreated(TOPICS)
            async with transaction(self._pool) as conn:
                await positions.raise_safe(conn, LANE, min(claim.at for claim in claims))
            passed = claims

    async def _until_covered(self, claims: Sequence[Claim]) -> dict[Place, int]:
        """These claims and no newer ones: under load the newest are always ahead. Returns the positions."""
        begun = self._clock.monotonic()
        alarm_at = begun + ALARM_AFTER_S
        looks = 0
        while True:
            looks += 1
            async with connection(self._pool) as conn:
                reached = await positions.of_topics(conn, list(TOPICS))
            age = self._clock.now() - min(claim.at for claim in claims)
            meters.SAFE_AGE.labels(LANE).set(age.total_seconds())
            missing = [claim.service for claim in claims if not covered(reached, claim)]
            if not missing:
                return reached
            if self._clock.monotonic() >= alarm_at:
                logger.error("safe time stands still", claims=missing, seconds=self._clock.monotonic() - begun)
                alarm_at += ALARM_AFTER_S
            if looks % _STARTS_EVERY == 0:
                await self._positions.raise_to_starts(TOPICS)
            await self._clock.sleep(_LOOK_S)


def _is_ahead(reached: Mapping[Place, int], claims: Sequence[Claim]) -> bool:
    """Whether a position is past what was claimed: by being faster than the claims, or since the log is another one."""
    ends = {Place(t, int(p)): end for claim in claims for t, ends in claim.ends.items() for p, end in ends.items()}
    return any(offset > ends.get(place, 0) for place, offset in reached.items())
