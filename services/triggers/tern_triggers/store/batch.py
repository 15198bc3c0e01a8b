"""The batch transaction: what a poll brought, in one transaction (triggers.md §4.3, "A batch").

Read, lock, look again, write. Nobody is loaded, except where an event can end a decision that is still open, or
completes a reason that is decided at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from tern_common import failpoints
from tern_common.bus import Place, Span
from tern_common.db import Connection, Pool, transaction
from tern_common.errors import Transient
from tern_triggers.domain.agenda import LOOK_NOW, Plan
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.endings import Ending
from tern_triggers.domain.news import Batch, News, gather, read_again
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.touched import Known, erased, moved, prompted, touched
from tern_triggers.store import agenda, at_once, facts, lookups, memberships, positions, profiles, revoking
from tern_triggers.store.outbox import Claimed
from tern_triggers.store.writing import Writing

REPEATS = 5


class Written(NamedTuple):
    """What a batch came to: decisions that it ended, decisions that it took at once, letters that the caller publishes,
    and the partitions whose position it could not move, since records are missing."""

    ended: list[Ending]
    decisions: list[Decision]
    letters: list[Claimed]
    gaps: list[Place]


class _LookAgain(Exception):
    """Somebody else changed what the batch depends on: roll back, and lock these customers too."""

    def __init__(self, customers: Collection[str]) -> None:
        super().__init__()
        self.customers = customers


async def apply(
    pool: Pool, writing: Writing, items: Sequence[News], spans: Mapping[Place, Span], now: datetime
) -> Written:
    """Writes what the records say and how far they reach. Raises `Transient`, and `Poison` where the rules have changed
    and read more of a record than can be read."""
    wider: frozenset[str] = frozenset()
    for _ in range(REPEATS):
        try:
            async with transaction(pool) as conn:
                writer, seen = await _begun(conn, writing, items, now)
                return await writer.write(seen, spans, wider)
        except _LookAgain as again:
            wider = wider.union(again.customers)
    return await _halved(pool, writing, items, spans, now)


async def _halved(
    pool: Pool, writing: Writing, items: Sequence[News], spans: Mapping[Place, Span], now: datetime
) -> Written:
    """A batch that keeps being overtaken is written in halves; the positions come with the second.

    Raises `Transient` where nothing is left to halve: all of it is tried again after a pause.
    """
    half = len(items) // 2
    if half == 0:
        raise Transient("the batch was overtaken too often")
    first = await apply(pool, writing, items[:half], {}, now)
    second = await apply(pool, writing, items[half:], spans, now)
    return Written(
        [*first.ended, *second.ended],
        [*first.decisions, *second.decisions],
        [*first.letters, *second.letters],
        second.gaps,
    )


async def _begun(conn: Connection, writing: Writing, items: Sequence[News], now: datetime) -> tuple[_Writer, Known]:
    """Goes by the rules as they were last read, and reads them again where the first look finds others in force."""
    ruleset = await writing.rulebook.keep_still(conn)
    batch = gather(read_again(items, ruleset.reads))
    seen = await lookups.look(conn, batch, ruleset, now)
    if seen.revision != ruleset.revision:
        ruleset = await writing.rulebook.of(conn)
        batch = gather(read_again(items, ruleset.reads))
        seen = await lookups.look(conn, batch, ruleset, now)
    return _Writer(conn, writing, ruleset, batch, now), seen.known


class _Writer:
    """One batch in one transaction, by one state of the rules."""

    def __init__(self, conn: Connection, writing: Writing, ruleset: Ruleset, batch: Batch, now: datetime) -> None:
        self._conn = conn
        self._writing = writing
        self._ruleset = ruleset
        self._batch = batch
        self._now = now

    async def write(self, known: Known, spans: Mapping[Place, Span], wider: frozenset[str]) -> Written:
        """Everything, `position` last."""
        conn, batch, writing = self._conn, self._batch, self._writing
        plans = {customer: Plan() for customer in wider} | self._touched(known)
        if plans or batch.facts:
            known = await self._locked(plans, known)
        await _write_news(conn, batch, known, list(plans), self._now)
        ended = await self._end(plans, known)
        sat = await at_once.decide(conn, self._ruleset, writing, prompted(self._ruleset, batch, known), self._now)
        gaps = await positions.advance(conn, spans) if spans else []
        failpoints.reached("triggers.advanced")
        return Written(ended, sat.decisions, sat.letters, gaps)

    async def _end(self, plans: Collection[str], known: Known) -> list[Ending]:
        conn, source = self._conn, self._writing.source
        if not plans:
            return []
        ended = await revoking.end(conn, self._ruleset, self._writing, plans, self._batch.ordered, self._now)
        gone = [kept.home_id for kept, said in moved(self._batch, known) if said.is_erased]
        return [*ended, *await revoking.erase(conn, self._ruleset, gone, source, self._now)]

    def _touched(self, known: Known) -> dict[str, Plan]:
        return touched(self._ruleset, self._batch, known, self._writing.policy)

    async def _locked(self, plans: Mapping[str, Plan], known: Known) -> Known:
        """Locks the customers, then the carts, then looks again: what is known now cannot change any more.

        What changed meanwhile may have been planned around: the customers that are locked are then looked at once.
        """
        await agenda.lock_and_plan(self._conn, plans)
        again = await lookups.lock(self._conn, self._batch, self._ruleset, known, self._now)
        if again == known:
            return known
        replanned = self._touched(again)
        if not replanned.keys() <= plans.keys():
            raise _LookAgain(replanned.keys())
        if replanned:
            await agenda.lock_and_plan(self._conn, dict.fromkeys(replanned, LOOK_NOW))
        return again


async def _write_news(conn: Connection, batch: Batch, known: Known, locked: Collection[str], now: datetime) -> None:
    """Table by table in the one fixed order. Rows expected to be new that are not: somebody was first."""
    said = batch.memberships.values()
    fresh = [home for home in said if home.home_id not in known.memberships]
    if not await memberships.add(conn, fresh):
        raise _LookAgain(locked)
    await memberships.raise_to(
        conn,
        [h for h in said if (kept := known.memberships.get(h.home_id)) is not None and h.replaces(kept)],
    )
    await memberships.note_former(conn, batch.former)
    if not await facts.raise_carts(conn, batch, known.carts):
        raise _LookAgain(locked)
    gone = erased(batch, known)
    await facts.add(conn, (fact for fact in batch.facts.values() if fact.home_id not in gone))
    await profiles.raise_to(conn, batch.profiles.values(), now)
