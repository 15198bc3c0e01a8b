"""What comes back: outcomes of triggers, and a shop's answers about stock. For the topics and for their HTTP twins.

Each function is a transaction of its own and may be repeated; reports may come in any order. Whoever calls has nothing
to publish: the customers whom a report concerns are planned to be looked at, and what that comes to is published as
ever. Reports about what is not known here are left out, and counted in what is returned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from tern_common.db import Connection, Pool, transaction
from tern_common.errors import Transient
from tern_triggers.domain.agenda import LOOK_NOW, Plan
from tern_triggers.domain.reports import FREES_THE_SLOT, REACHED, HoldAnswered, OutcomeReported
from tern_triggers.store import agenda, deferrals, holds, memberships, outcomes

REPEATS = 5


class Taken(NamedTuple):
    """How many reports were about something that is known here, and how many were not."""

    known: int
    unknown: int


class _Moved(Exception):
    """A home changed hands while its holder was waited for: roll back, and lock these too."""

    def __init__(self, customers: Collection[str]) -> None:
        super().__init__()
        self.customers = customers


async def take_outcomes(pool: Pool, reported: Sequence[OutcomeReported], now: datetime) -> Taken:
    """Notes what became of triggers. A contact that failed or was skipped gives its slot back, and whatever waits for
    one is looked at. Raises `Transient`."""

    async def take(conn: Connection, wider: Collection[str]) -> Taken:
        homes = await outcomes.homes_of(conn, {one.trigger_id for one in reported})
        known = [one for one in reported if one.trigger_id in homes]
        plans = {homes[one.trigger_id]: Plan() for one in known if one.status in REACHED}
        plans |= {homes[one.trigger_id]: LOOK_NOW for one in known if one.status in FREES_THE_SLOT}
        await _lock(conn, plans, wider)
        there = await outcomes.hold_still(conn, homes)
        known = [one for one in known if one.trigger_id in there]
        await outcomes.add(conn, known, homes)
        freed = await outcomes.release(conn, {one.trigger_id for one in known})
        if freed:
            holders = await _holders(conn, {homes[trigger_id] for trigger_id in freed})
            await deferrals.free(conn, set(holders.values()), now)
        return Taken(len(known), len(reported) - len(known))

    return await _repeated(pool, take)


async def take_answers(pool: Pool, answers: Sequence[HoldAnswered], now: datetime) -> Taken:
    """Notes what the shop says about stock that it was asked to hold; who waits for it is looked at. Of several answers
    to one request the last stays; one that was given up already is answered too late. Raises `Transient`."""

    async def take(conn: Connection, wider: Collection[str]) -> Taken:
        asked = await holds.requests(conn, {one.hold_id for one in answers})
        known = [one for one in answers if one.hold_id in asked]
        await _lock(conn, {asked[one.hold_id].home_id: LOOK_NOW for one in known}, wider)
        await holds.answer(conn, {one.hold_id: one for one in known})
        await deferrals.answered(conn, {asked[one.hold_id].trigger_id for one in known}, now)
        return Taken(len(known), len(answers) - len(known))

    return await _repeated(pool, take)


async def _repeated(pool: Pool, take: Callable[[Connection, Collection[str]], Awaitable[Taken]]) -> Taken:
    wider: frozenset[str] = frozenset()
    for _ in range(REPEATS):
        try:
            async with transaction(pool) as conn:
                return await take(conn, wider)
        except _Moved as moved:
            wider = wider.union(moved.customers)
    raise Transient("the reports were overtaken too often")


async def _lock(conn: Connection, plans: Mapping[str, Plan], wider: Collection[str]) -> None:
    """Locks and plans the holders of these homes. Raises `_Moved` when they are others once they are locked."""
    if not plans and not wider:
        return
    holders = await _holders(conn, plans)
    customers = dict.fromkeys(wider, Plan())
    for home_id in sorted(holders, key=lambda home_id: plans[home_id] == LOOK_NOW):
        customers[holders[home_id]] = plans[home_id]
    await agenda.lock_and_plan(conn, customers)
    again = set((await _holders(conn, plans)).values())
    if not again <= customers.keys():
        raise _Moved(again)


async def _holders(conn: Connection, homes: Collection[str]) -> dict[str, str]:
    """Whose these homes are; erased ones are nobody's."""
    known = await memberships.of_homes(conn, homes)
    return {home_id: found.customer_id for home_id, found in known.items() if found.customer_id is not None}
