"""What profile knows of the time, and the loop that makes records change although nothing happens. Knows no SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from tern_common.clock import Clock
from tern_common.lanes import LANES
from tern_common.lifecycle import Loop
from tern_common.progress import Claims
from tern_profile.consumer import SERVICE

SETTLES_IN = timedelta(minutes=10)
"""Ahead of the clock by more than an event may be (5 min), a transaction lasts and clocks differ: what is of the day of
that moment is of everybody's newest day, and stays so while it is applied."""


class Present:
    """`records.Moments`: by the clock, and by what was claimed in the service's own name in all lanes."""

    def __init__(self, clock: Clock, claims: Claims, grace: timedelta) -> None:
        self._clock = clock
        self._claims = claims
        self.grace = grace

    def newest_day(self) -> int:
        return (self._clock.now() + SETTLES_IN).toordinal()

    def passed(self) -> datetime | None:
        safe = self.safe_time()
        return None if safe is None else safe - self.grace

    def safe_time(self) -> datetime | None:
        """Everything acknowledged before is applied and published. None before the first claim of any lane."""
        proved = [self._claims.proved([SERVICE], lane) for lane in LANES]
        return min((at for at in proved if at is not None), default=None) if None not in proved else None


def waking(begin: Callable[[], Awaitable[None]], wake: Callable[[], Awaitable[int]], claims: Claims) -> Loop:
    """Whenever safe time has moved, looks at those whose moment it has passed. Endless. Raises `Transient`."""

    async def loop() -> None:
        await begin()
        while True:
            while await wake():
                pass
            await claims.changed()

    return loop
