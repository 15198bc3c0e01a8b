"""The batch transaction: what a poll brought, in one transaction (triggers.md §4.3, "A batch").

Read, lock, look again, write. Nobody is loaded, except where an event can end a decision that is still open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from tern_common.bus import Place, Span
from tern_common.db import Connection, Pool, transaction
from tern_common.errors import Transient
from tern_triggers.domain import endings
from tern_triggers.domain.agenda import LOOK_NOW, Plan
from tern_triggers.domain.endings import Ending, Revocation
from tern_triggers.domain.folds import stories
from tern_triggers.domain.news import Batch, News, gather
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.touched import Known, erased, moved, touched
from tern_triggers.store import agenda, decisions, facts, letters, memberships, outbox, positions, profiles, views

REPEATS = 5


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """What the writing of batches depends on besides the batch. `source` is the CloudEvents source."""

    ruleset: Ruleset
    policy: Policy
    source: str


class Written(NamedTuple):
    """The decisions that a batch ended, and the partitions whose position it could not move: records are missing."""

    ended: list[Ending]
    gaps: list[Place]


class _LookAgain(Exception):
    """Somebody else changed what the batch depends on: roll back, and lock these customers too."""

    def __init__(self, customers: Collection[str]) -> None:
        super().__init__()
        self.customers = customers


async def apply(
    pool: Pool, writing: Writing, items: Sequence[News], spans: Mapping[Place, Span], now: datetime
) -> Written:
    """Writes what the records say and how far they reach. Raises `Transient`."""
    batch = gather(items)
    wider: frozenset[str] = frozenset()
    for _ in range(REPEATS):
        try:
            async with transaction(pool) as conn:
                return await _write(conn, writing, batch, spans, now, wider)
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
    return Written([*first.ended, *second.ended], second.gaps)


async def _write(
    conn: Connection,
    writing: Writing,
    batch: Batch,
    spans: Mapping[Place, Span],
    now: datetime,
    wider: frozenset[str],
) -> Written:
    known = await _known(conn, batch, now)
    plans = {customer: Plan() for customer in wider} | touched(writing.ruleset, batch, known, writing.policy)
    if plans or batch.facts:
        known = await _locked(conn, writing, batch, plans, known, now)
    await _write_news(conn, batch, known, list(plans), now)
    ended = await _end(conn, writing, batch, list(plans), known, now) if plans else []
    ended += await _erase(conn, writing, [kept.home_id for kept, said in moved(batch, known) if said.is_erased], now)
    gaps = await positions.advance(conn, spans) if spans else []
    return Written(ended, gaps)


async def _locked(
    conn: Connection, writing: Writing, batch: Batch, plans: Mapping[str, Plan], known: Known, now: datetime
) -> Known:
    """Locks the customers, then the carts, then looks again: what is known now cannot change any more.

    What changed meanwhile may have been planned around: the customers that are locked are then looked at once.
    """
    await agenda.lock_and_plan(conn, plans)
    await facts.lock_carts(conn, batch.cart_ids)
    again = await _known(conn, batch, now)
    if again == known:
        return known
    replanned = touched(writing.ruleset, batch, again, writing.policy)
    if not replanned.keys() <= plans.keys():
        raise _LookAgain(replanned.keys())
    if replanned:
        await agenda.lock_and_plan(conn, dict.fromkeys(replanned, LOOK_NOW))
    return again


async def _known(conn: Connection, batch: Batch, now: datetime) -> Known:
    carts = await facts.carts(conn, batch.cart_ids)
    open_homes = await decisions.open_homes(conn, list(batch.ordered), now)
    homes = {*batch.memberships, *(home for found in open_homes.values() for home in found)}
    homes.update(cart.newest.home_id for cart in carts.values() if cart.newest is not None)
    return Known(memberships=await memberships.of_homes(conn, homes), carts=carts, open_homes=open_homes)


async def _write_news(conn: Connection, batch: Batch, known: Known, locked: Collection[str], now: datetime) -> None:
    """Table by table in the one fixed order. Rows expected to be new that are not: somebody was first."""
    said = batch.memberships.values()
    fresh = [home for home in said if home.home_id not in known.memberships]
    unseen_carts = [cart_id for cart_id in batch.cart_ids if cart_id not in known.carts]
    if not await memberships.add(conn, fresh):
        raise _LookAgain(locked)
    await memberships.raise_to(
        conn,
        [h for h in said if (kept := known.memberships.get(h.home_id)) is not None and h.replaces(kept)],
    )
    await memberships.note_former(conn, batch.former)
    if not await facts.add_carts(conn, unseen_carts):
        raise _LookAgain(locked)
    await facts.raise_carts(conn, batch, known.carts)
    gone = erased(batch, known)
    await facts.add(conn, (fact for fact in batch.facts.values() if fact.home_id not in gone))
    await profiles.raise_to(conn, batch.profiles.values(), now)


async def _end(
    conn: Connection, writing: Writing, batch: Batch, locked: Sequence[str], known: Known, now: datetime
) -> list[Ending]:
    """Withdraws, retracts or cancels what the batch's exits end: a small, indexed set of open decisions."""
    if not batch.facts and not moved(batch, known):
        return []
    holders = await decisions.holders_of_open(conn, locked, now)
    if not holders:
        return []
    found: list[Ending] = []
    for view in await views.load(conn, writing.ruleset, holders, lock=False, keys=list(batch.ordered)):
        more = {key: (*view.foreign.get(key, ()), *orders) for key, orders in batch.ordered.items()}
        seen = msgspec.structs.replace(view, foreign={**view.foreign, **more})
        told = stories(writing.ruleset, seen, writing.policy, now)
        own = [decision for decision in seen.decisions if decision.home_id in seen.homes]
        found.extend(endings.endings(told, own, now))
    await _carry_out(conn, writing, found, now)
    return found


async def _erase(conn: Connection, writing: Writing, homes: Sequence[str], now: datetime) -> list[Ending]:
    """Deletes what is kept of these homes, and calls back what is still out about them. Their customers are locked."""
    if not homes:
        return []
    found = endings.erased(await decisions.open_under(conn, homes, now), now)
    await facts.erase(conn, homes)
    await decisions.erase(conn, homes)
    await _carry_out(conn, writing, found, now)
    return found


async def _carry_out(conn: Connection, writing: Writing, ended: Sequence[Ending], now: datetime) -> None:
    if not ended:
        return
    unseen = await outbox.take_back(conn, [ending.decision.trigger_id for ending in ended])
    await decisions.withdraw(
        conn, {e.decision.trigger_id: e.exit.why for e in ended if e.decision.trigger_id in unseen}
    )
    revoked = [ending for ending in ended if ending.decision.trigger_id not in unseen]
    by_kind = {kind: [e.decision.trigger_id for e in revoked if e.revocation is kind] for kind in Revocation}
    await decisions.note_revocations(conn, by_kind[Revocation.RETRACTED], by_kind[Revocation.CANCELLED], now)
    await outbox.put(
        conn, [letters.of_ending(writing.ruleset.rules, ending, now, writing.source) for ending in revoked]
    )
