"""What a batch does to decisions that are out: its exits withdraw, retract or cancel them (triggers.md §4.5).

Nobody is loaded who has no open decision: that is a small, indexed set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from tern_common.db import Connection
from tern_common.errors import Transient
from tern_triggers.domain import endings
from tern_triggers.domain.agenda import LOOK_NOW
from tern_triggers.domain.decisions import Decision, Why
from tern_triggers.domain.endings import Ending, Revocation
from tern_triggers.domain.folds.cart import Ordered
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Mode, Ruleset
from tern_triggers.domain.story import Gone
from tern_triggers.domain.view import View
from tern_triggers.store import (
    agenda,
    arms,
    decisions,
    deferrals,
    facts,
    holds,
    letters,
    outbox,
    outcomes,
    sittings,
    views,
)
from tern_triggers.store.writing import Writing


async def end(
    conn: Connection,
    ruleset: Ruleset,
    writing: Writing,
    locked: Collection[str],
    ordered: Mapping[str, Sequence[Ordered]],
    now: datetime,
) -> list[Ending]:
    """Ends the open decisions of the locked customers whose reason is gone. `ordered`: the batch's orders, by cart.
    Where stock waits for a reminder, it asks for a look at once."""
    holders = await decisions.holders(conn, locked, now)
    await _look_at_held(conn, ruleset, holders.of_stock)
    found: list[Ending] = []
    freed: list[str] = []
    if not holders.of_open:
        return found
    for view in await views.load(conn, ruleset, holders.of_open, lock=False, keys=list(ordered)):
        more = {key: (*view.foreign.get(key, ()), *orders) for key, orders in ordered.items()}
        seen = msgspec.structs.replace(view, foreign={**view.foreign, **more})
        own = [one for one in seen.decisions if one.home_id in seen.homes and endings.is_open(one, now)]
        ended = [
            ending
            for mode in sorted({one.mode for one in own})
            for ending in _ended_of(ruleset, mode, own, seen, writing.policy, now)
        ]
        found.extend(ended)
        freed.extend([view.customer_id] if ended else [])
    await _carry_out(conn, ruleset, found, writing.source, now)
    await _free(conn, freed, now)
    return found


async def erase(conn: Connection, ruleset: Ruleset, homes: Sequence[str], source: str, now: datetime) -> list[Ending]:
    """Deletes all that is kept of these homes, and calls back what is out about them. Their customers are locked."""
    if not homes:
        return []
    found = endings.erased(await decisions.open_under(conn, homes, now), now)
    await facts.erase(conn, homes)
    await decisions.erase(conn, homes)
    await deferrals.erase(conn, homes)
    await arms.erase(conn, homes)
    await outcomes.erase(conn, homes)
    await _carry_out(conn, ruleset, found, source, now)
    await _give_up(conn, homes, now)
    return found


async def withdraw(conn: Connection, reasons: Mapping[str, Why | Gone], now: datetime) -> None:
    """Takes triggers back that nobody has seen, by trigger id with why; their customers are looked at, since stock may
    be held for them and others may wait for their slots. Locks them; raises `Transient` where that was too late."""
    holders = await _lock_holders(conn, reasons)
    unseen = await outbox.take_back(conn, list(reasons))
    await _withdrawn(conn, {trigger_id: reasons[trigger_id] for trigger_id in unseen}, holders, now)


async def set_aside(conn: Connection, trigger_id: str, now: datetime) -> None:
    """Withdraws a trigger that no broker takes, as above."""
    holders = await _lock_holders(conn, [trigger_id])
    await _withdrawn(conn, {trigger_id: Why.UNPUBLISHABLE}, holders, now)


async def _lock_holders(conn: Connection, trigger_ids: Collection[str]) -> set[str]:
    holders = await decisions.holders_of(conn, trigger_ids)
    await agenda.lock_and_plan(conn, dict.fromkeys(holders, LOOK_NOW))
    if await decisions.holders_of(conn, trigger_ids) != holders:
        raise Transient("triggers changed hands while they were taken back")
    return holders


async def _withdrawn(
    conn: Connection, reasons: Mapping[str, Why | Gone], holders: Collection[str], now: datetime
) -> None:
    if reasons:
        await decisions.withdraw(conn, reasons)
        await deferrals.free(conn, holders, now)


async def _look_at_held(conn: Connection, ruleset: Ruleset, held_for: Sequence[str]) -> None:
    """Whoever stock is held for is looked at whenever something happens: with the reason for a reminder goes what the
    shop holds for it, however long the reminder would have waited yet."""
    if held_for and any(step.hold for rule in ruleset.deciding for step in rule.steps):
        await agenda.lock_and_plan(conn, dict.fromkeys(held_for, LOOK_NOW))


async def _give_up(conn: Connection, homes: Sequence[str], now: datetime) -> None:
    """Of stock that is held for erased homes the shop is told, also where no trigger spoke of it yet."""
    held = {hold.trigger_id: str(Gone.ERASED) for _, hold in await holds.of_homes(conn, homes)}
    await outbox.put(conn, await sittings.release(conn, held, now))
    await holds.erase(conn, homes)


def _ended_of(
    ruleset: Ruleset, mode: Mode, own: Sequence[Decision], view: View, policy: Policy, now: datetime
) -> list[Ending]:
    """The endings of what was decided in one mode, whichever mode its rule is in by now: what it decided can end, also
    while it pauses or has gone back into shadow."""
    mine = [one for one in own if one.mode == mode]
    names = {one.rule for one in mine}
    rules = tuple(rule.model_copy(update={"mode": mode}) for rule in ruleset.rules if rule.rule in names)
    told = stories(msgspec.structs.replace(ruleset, rules=rules), view, policy, now)
    return endings.endings(told, mine, now)


async def _carry_out(conn: Connection, ruleset: Ruleset, ended: Sequence[Ending], source: str, now: datetime) -> None:
    """What nobody has seen is withdrawn; of the rest everybody is told. What a shadow decided nobody has seen, but it
    is noted as if they had, so that it shows what would have been."""
    if not ended:
        return
    unseen = await outbox.take_back(conn, [ending.decision.trigger_id for ending in ended])
    await decisions.withdraw(
        conn, {e.decision.trigger_id: e.exit.why for e in ended if e.decision.trigger_id in unseen}
    )
    revoked = [ending for ending in ended if ending.decision.trigger_id not in unseen]
    by_kind = {kind: [e.decision.trigger_id for e in revoked if e.revocation is kind] for kind in Revocation}
    await decisions.note_revocations(conn, by_kind[Revocation.RETRACTED], by_kind[Revocation.CANCELLED], now)
    told = [letters.of_ending(ruleset.rules, one, now, source) for one in revoked if one.decision.mode == "live"]
    stock = await sittings.release(conn, {one.decision.trigger_id: str(one.exit.why) for one in ended}, now)
    await outbox.put(conn, [*told, *stock])


async def _free(conn: Connection, customers: Sequence[str], now: datetime) -> None:
    """What was taken back may have freed a slot: whoever waits for one is looked at."""
    if customers:
        await deferrals.free(conn, customers, now)
        await agenda.lock_and_plan(conn, dict.fromkeys(customers, LOOK_NOW))
