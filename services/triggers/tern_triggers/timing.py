"""The clockwork: decides what is due as soon as safe time has passed it, and publishes what fired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from itertools import count
from typing import NamedTuple

from tern_common import failpoints
from tern_common.clock import Clock
from tern_common.db import Pool, connection, transaction
from tern_common.logs import logger
from tern_triggers import meters
from tern_triggers.publishing import Publisher
from tern_triggers.store import agenda, firing, rule_plans, rulesets
from tern_triggers.store.firing import Pass
from tern_triggers.store.writing import Writing

_PAUSE_S = 0.1
_EDITS_PAUSE_S = 0.5
_PAGE = 2000


class _Unsaid(NamedTuple):
    """What a look that began then has decided, and nobody has been told."""

    done: Pass = Pass()
    begun: float = 0.0


class Looker:
    """Looks at those who are due, one transaction after the other, and publishes beside each what the one before it
    decided. Any number may be at work: each customer is decided about under its own lock. Through one of them one look
    at a time: of two at once the second forgets what the first decided, which then waits until its lease ends."""

    def __init__(self, pool: Pool, writing: Writing, publisher: Publisher, clock: Clock) -> None:
        self._pool = pool
        self._writing = writing
        self._publisher = publisher
        self._clock = clock
        self._unsaid = _Unsaid()
        self._is_heard = True

    async def while_many_are_due(self) -> None:
        """Returns when a look was not full, and all that was decided here is published or left to the relay.

        Raises `Transient`.
        """
        while await self.look() >= self._writing.policy.fire_batch:
            pass
        unsaid, self._unsaid = self._unsaid, _Unsaid()
        await self._say(unsaid)

    async def look(self) -> int:
        """Decides for those who are due, and publishes beside it what the look before decided; returns how many
        customers were looked at. When that is nobody, all that was decided here is published or left to the relay.

        Raises `Transient`.
        """
        unsaid, self._unsaid = self._unsaid, _Unsaid()
        await _both(self._say(unsaid), self._decide())
        return self._unsaid.done.customers

    async def _decide(self) -> None:
        """Reads safe time before any state."""
        begun = self._clock.monotonic()
        async with connection(self._pool) as conn:
            safe = await agenda.safe_if_due(conn)
        if safe is None:
            return
        lease = self._writing.policy.outbox.lease if self._is_heard else None
        done = await firing.fire_due(self._pool, self._writing, safe, self._clock.now(), lease)
        if not done.customers:
            done = await firing.fire_overdue(self._pool, self._writing, safe, self._clock.now(), lease)
        self._unsaid = _Unsaid(done, begun)
        meters.LOOKS.inc(done.customers)
        meters.count_decisions(done.decisions)
        if done.letters or done.speaks:
            failpoints.reached("triggers.fired")

    async def _say(self, unsaid: _Unsaid) -> None:
        """What waited for too long is told to nobody before it has been asked about again. While nobody hears, nothing
        is noted as attempted that need not be."""
        done, outbox = unsaid.done, self._writing.policy.outbox
        if done.letters and self._clock.monotonic() - unsaid.begun > outbox.recheck_after.total_seconds():
            self._is_heard = False
            await self._publisher.hold_back(done.letters)
        elif done.letters:
            self._is_heard = await self._publisher.publish_these(done.letters)
        if done.speaks:
            self._is_heard = await self._publisher.publish_now()


class Timing:
    """Any number of instances may run it."""

    def __init__(self, pool: Pool, writing: Writing, publisher: Publisher, clock: Clock) -> None:
        self._pool = pool
        self._writing = writing
        self._clock = clock
        self._looker = Looker(pool, writing, publisher, clock)
        self._second = Looker(pool, writing, publisher, clock)

    async def run(self, digest: str) -> None:
        """Endless; plans anew between looks, so that nobody who is due waits for it. Raises `Transient`."""
        async with aclosing(self.plan_anew(digest)) as pages:
            while True:
                planned = await anext(pages, 0)
                looked = await self.look()
                if looked >= self._writing.policy.fire_batch:
                    await self.catch_up()
                elif not looked and not planned:
                    await self._clock.sleep(_PAUSE_S)

    async def look(self) -> int:
        """One look, as `Looker.look` says. Raises `Transient`."""
        return await self._looker.look()

    async def catch_up(self) -> None:
        """Where more are due than one transaction takes: two take turns until a look is not full, so that one decides
        while the other waits for the database. Raises `Transient`."""
        await _both(self._looker.while_many_are_due(), self._second.while_many_are_due())

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


async def _both(one: Awaitable[None], other: Awaitable[None]) -> None:
    """What runs beside it is always brought to its end. Raises what either does."""
    for wrong in await asyncio.gather(one, other, return_exceptions=True):
        if wrong is not None:
            raise wrong
