"""The clockwork: decides what is due as soon as safe time has passed it, and publishes what fired."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count

from tern_common import failpoints
from tern_common.clock import Clock
from tern_common.db import Pool, connection, transaction
from tern_common.logs import logger
from tern_triggers import meters
from tern_triggers.publishing import Publisher
from tern_triggers.store import agenda, firing, positions, rule_plans, rulesets
from tern_triggers.store.writing import Writing

_PAUSE_S = 0.1
_EDITS_PAUSE_S = 0.5
_PAGE = 2000


class Timing:
    """Any number of instances may run it: each customer is decided about under its own lock."""

    def __init__(self, pool: Pool, writing: Writing, publisher: Publisher, clock: Clock) -> None:
        self._pool = pool
        self._writing = writing
        self._publisher = publisher
        self._clock = clock

    async def run(self, digest: str) -> None:
        """Endless; plans anew between looks, so that nobody who is due waits for it. Raises `Transient`."""
        async with aclosing(self.plan_anew(digest)) as pages:
            while True:
                planned = await anext(pages, 0)
                if not await self.look() and not planned:
                    await self._clock.sleep(_PAUSE_S)

    async def look(self) -> int:
        """Decides for those who are due; returns for how many. Reads safe time before any state."""
        async with connection(self._pool) as conn:
            safe = await positions.safe(conn)
        if safe is None:
            return 0
        done = await firing.fire_due(self._pool, self._writing, safe, self._clock.now())
        if not done.customers:
            done = await firing.fire_overdue(self._pool, self._writing, safe, self._clock.now())
        meters.LOOKS.inc(done.customers)
        meters.count_decisions(done.decisions)
        if done.speaks:
            failpoints.reached("triggers.fired")
            await self._publisher.publish_now()
        return done.customers

    async def plan_anew(self, digest: str) -> AsyncGenerator[int, None]:
        """Looks at everybody with facts once, if the rules are not those that the agenda was planned with. Who is known
        by a profile alone is left to `follow_edits`.

        Yields the number of each page that is planned. Raises `Transient`.
        """
        async with connection(self._pool) as conn:
            if await rulesets.planned_with(conn) == digest:
                return
        last: str | None = None
        for page in count(1):
            async with transaction(self._pool) as conn:
                last = await agenda.look_at_all(conn, last, _PAGE)
            if last is None:
                break
            yield page
        async with transaction(self._pool) as conn:
            await rule_plans.ask_about_profiles(conn, await self._writing.rulebook.of(conn))
            await rulesets.note(conn, digest)
        logger.info("agenda planned anew", digest=digest[:12])

    async def follow_edits(self) -> None:
        """Endless: plans a look at everybody whom a changed rule concerns, page by page. Raises `Transient`."""
        while True:
            if not await rule_plans.plan_page(self._pool, self._writing.rulebook):
                await self._clock.sleep(_EDITS_PAUSE_S)
