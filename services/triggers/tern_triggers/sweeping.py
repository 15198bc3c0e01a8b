"""The slow broom: facts and decisions that have grown too old go, page by page. Knows no customer."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tern_common.clock import Clock
from tern_common.db import Pool, transaction
from tern_common.errors import Misconfigured
from tern_common.topics import BY_NAME, DAY_MS, RESOLVED, RESOLVED_BACKFILL
from tern_triggers.domain.keeping import kept_for_good, longest_window
from tern_triggers.domain.policy import Keep
from tern_triggers.store import keeping
from tern_triggers.store.writing import Writing

_PAGE = 1000
_BETWEEN_PAGES_S = 0.2
_BETWEEN_SWEEPS_S = 3600.0


def check(keep: Keep) -> None:
    """Raises `Misconfigured` where a topic keeps an event longer than the decision about it: read again, it would be
    decided about again."""
    kept = max(int(BY_NAME[name].config["retention.ms"]) // DAY_MS for name in (RESOLVED, RESOLVED_BACKFILL))
    if keep.decisions <= timedelta(days=kept):
        raise Misconfigured(f"keep.decisions must be longer than topics keep events: write more than {kept}d")


class Sweeping:
    """Any number of instances may run it."""

    def __init__(self, pool: Pool, writing: Writing, clock: Clock) -> None:
        self._pool = pool
        self._writing = writing
        self._clock = clock

    async def run(self) -> None:
        """Endless. Raises `Transient`."""
        while True:
            await self.sweep()
            await self._clock.sleep(_BETWEEN_SWEEPS_S)

    async def sweep(self) -> None:
        """Once over everything."""
        while await self._decisions():
            await self._clock.sleep(_BETWEEN_PAGES_S)
        after = await self._facts(None)
        while after is not None:
            await self._clock.sleep(_BETWEEN_PAGES_S)
            after = await self._facts(after)

    async def _decisions(self) -> bool:
        async with transaction(self._pool) as conn:
            return await keeping.sweep_decisions(conn, self._clock.now() - self._writing.policy.keep.decisions, _PAGE)

    async def _facts(self, after: UUID | None) -> UUID | None:
        """By the rules as they are: one that was written meanwhile may read further back."""
        async with transaction(self._pool) as conn:
            ruleset = await self._writing.rulebook.of(conn)
            window = longest_window(ruleset)
            if window is None:
                return None
            before = self._clock.now() - window - self._writing.policy.keep.beyond
            return await keeping.sweep_facts(conn, before, kept_for_good(ruleset), after, _PAGE)
