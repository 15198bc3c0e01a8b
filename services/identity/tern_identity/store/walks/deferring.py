"""Giant groups: a late pair only marks them, and they are folded here, now and then (identity.md §9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tern_common.db import connection
from tern_common.errors import Misconfigured, Transient
from tern_common.logs import logger
from tern_identity.store.hubs import hubs_of
from tern_identity.store.walks.desk import Desk, folded
from tern_identity.store.walks.folding_again import NO_STRETCH, Task

INTERVAL_S = 60.0
NAMED = 5

_OWED = """
SELECT g.grp, n.first, n.size
FROM grp g CROSS JOIN LATERAL (SELECT min(node_id) AS first, count(*) AS size FROM node WHERE node.grp = g.grp) AS n
WHERE g.deferred AND n.size > 0 ORDER BY g.grp
"""


class _Giant(NamedTuple):
    grp: int
    first: int
    size: int


class Deferred:
    """Folds what is owed, each group at most once in an interval of real time, and says whom to look at."""

    def __init__(self, desk: Desk, interval_s: float = INTERVAL_S) -> None:
        self._desk = desk
        self._interval_s = interval_s
        self._folded_at: dict[int, float] = {}

    async def step(self) -> int:
        """Folds the groups whose time has come; how many they were."""
        async with connection(self._desk.pool) as conn:
            owed = [_Giant(*row) for row in await conn.fetch(_OWED)]
        self._desk.tally.deferred(len(owed))
        due = self._due(owed)
        for giant in due:
            await self._warn(giant)
            await self._fold(giant)
        return len(due)

    def _due(self, owed: Sequence[_Giant]) -> list[_Giant]:
        now = self._desk.clock.monotonic()
        self._folded_at = {grp: at for grp, at in self._folded_at.items() if now - at < self._interval_s}
        return [giant for giant in owed if giant.grp not in self._folded_at]

    async def _fold(self, giant: _Giant) -> None:
        """One that cannot be folded now waits for its next turn, and keeps nothing else waiting."""
        try:
            await folded(self._desk, Task(NO_STRETCH, also=frozenset({giant.first})))
        except Transient as wrong:
            logger.warning("a group could not be folded", size=giant.size, why=str(wrong))
        except Misconfigured:
            raise
        except Exception:  # noqa: BLE001 - each start would meet this group again, and events would wait for it
            logger.error("a group met an error of ours, and waits for its next turn", exc_info=True, grp=giant.grp)
        self._folded_at[giant.grp] = self._desk.clock.monotonic()

    async def _warn(self, giant: _Giant) -> None:
        async with connection(self._desk.pool) as conn:
            hubs = await hubs_of(conn, giant.grp, NAMED)
        logger.warning(
            "a group is too large to be folded at once: look at its best-connected values, and block what is shared",
            size=giant.size,
            best_connected=[str(hub.token) for hub in hubs],
            partners=[hub.partners for hub in hubs],
        )
