"""How far the trigger service has come, looked at all the time: what is certainly decided at which moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tern_common.clock import SystemClock
from tern_common.db import Row, connection, open_pool
from tern_common.errors import Transient
from tern_triggers.domain.moments import ALWAYS, NEVER

LOOK_S = 0.1
SOON = timedelta(seconds=3)
QUIET_WITHIN = timedelta(seconds=90)

_LOOK = """
SELECT (SELECT at FROM safe_time WHERE lane = 'live'), (SELECT at FROM safe_time WHERE lane = 'backfill'),
  (SELECT min(next_live) FROM agenda), (SELECT min(next_all) FROM agenda), (SELECT count(*) FROM outbox),
  (SELECT count(*) FROM identity.outbox) + (SELECT count(*) FROM identity.parcel)
"""


class Look(NamedTuple):
    """At `at` all was safe up to `safe`, nobody was due up to `idle`, and so many letters waited in outboxes."""

    at: datetime
    safe: datetime
    idle: datetime
    letters: int

    @property
    def decided(self) -> datetime:
        """Every round before this has been decided."""
        return min(self.safe, self.idle)


class Watch:
    """Looks through an administrator's eyes; while the database is away it sees nothing."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._clock = SystemClock()
        self.looks: list[Look] = []
        self.until = ALWAYS
        """Set it once nobody sends any more."""

    async def watch(self) -> None:
        """Returns when all rounds before `until` are decided and all letters are out. Raises `TimeoutError`."""
        pool = await open_pool(self._database, service="triggers", size=1)
        try:
            while not self._rests(self.until):
                if self._clock.now() - QUIET_WITHIN > self.until:
                    raise TimeoutError(f"it does not come to rest: {self.looks[-1:]}")
                try:
                    async with connection(pool) as conn:
                        self._note(await conn.fetchrow(_LOOK))
                except Transient:
                    pass
                await self._clock.sleep(LOOK_S)
        finally:
            pool.terminate()

    def stands(self) -> bool:
        """Whether what happens is decided soon."""
        return bool(self.looks) and self.looks[-1].safe > self._clock.now() - SOON

    def _rests(self, until: datetime) -> bool:
        last = self.looks[-1] if self.looks else None
        return last is not None and last.decided > until and not last.letters

    def _note(self, row: Row | None) -> None:
        if row is None:
            return
        live, backfill, next_live, next_all, ours, theirs = row
        safe = min(_moment(live, NEVER), _moment(backfill, NEVER))
        idle = min(_moment(next_live, ALWAYS), _moment(next_all, ALWAYS))
        self.looks.append(Look(self._clock.now(), safe, idle, ours + theirs))


def _moment(value: object, missing: datetime) -> datetime:
    return value.astimezone(UTC) if isinstance(value, datetime) else missing


class Decided:
    """When it was certain that a round had been decided."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._reached: list[datetime] = []
        self._at: list[datetime] = []
        for look in looks:
            if not self._reached or look.decided > self._reached[-1]:
                self._reached.append(look.decided)
                self._at.append(look.at)

    def by(self, moment: datetime) -> datetime:
        """The first moment at which everything due up to `moment` was seen to be decided."""
        place = bisect_right(self._reached, moment)
        return self._at[place] if place < len(self._at) else ALWAYS
