"""Asks once more about letters that were held back, before they are published (triggers.md §4.5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tern_common.blaming import PUT_OFF
from tern_common.db import Connection
from tern_common.logs import logger
from tern_triggers.domain.decisions import Decision, Why
from tern_triggers.domain.held_back import asked_again
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.story import Gone
from tern_triggers.domain.view import View
from tern_triggers.store import decisions, memberships, outbox, revoking, views
from tern_triggers.store.outbox import HeldBack
from tern_triggers.store.writing import Writing


class Asked(NamedTuple):
    """`cleared`: rows that may go. `gone`: how many may not any more, by why."""

    cleared: list[int]
    gone: dict[Why | Gone, int]


async def ask_again(conn: Connection, writing: Writing, found: Sequence[HeldBack], now: datetime) -> Asked:
    """Withdraws what may not go any more and what nobody has seen, and whoever waits for a slot of it is looked at.
    What somebody may have seen keeps its slot and is sent no more. The rest goes, or waits: for the morning, or for an
    hour where an error of ours is met.

    Nothing is locked by the caller. Raises `Transient`.
    """
    ruleset = await writing.rulebook.of(conn)
    said = await _asked(conn, ruleset, writing, [one.trigger_id for one in found], now)
    why = {trigger_id: one for trigger_id, one in said.items() if isinstance(one, Why | Gone)}
    refused = {one.seq: why[one.trigger_id] for one in found if one.trigger_id in why}
    if refused:
        await revoking.withdraw(conn, why, now)
        await outbox.drop_attempted(conn, list(refused))
    until = {one.seq: at for one in found if isinstance(at := said.get(one.trigger_id), datetime)}
    await outbox.put_off(conn, until)
    cleared = [one.seq for one in found if one.seq not in refused and one.seq not in until]
    return Asked(cleared, {one: list(refused.values()).count(one) for one in set(refused.values())})


async def _asked(
    conn: Connection, ruleset: Ruleset, writing: Writing, trigger_ids: Sequence[str], now: datetime
) -> dict[str, Why | Gone | datetime | None]:
    fired = await decisions.fired(conn, trigger_ids)
    rules = {rule.rule: rule for rule in ruleset.rules}
    holders = await _holders(conn, fired)

    def ask(one: Decision) -> Why | Gone | datetime | None:
        holder = holders.get(one.home_id)
        if holder is None:
            return Gone.ERASED
        try:
            return asked_again(one, rules[one.rule], holder, writing.policy, now)
        except Exception:  # noqa: BLE001 - one letter that nobody can be asked about must not keep all others back
            logger.error("a letter met an error of ours, and is put off", exc_info=True, trigger_id=one.trigger_id)
            return now + PUT_OFF

    return {one.trigger_id: ask(one) for one in fired}


async def _holders(conn: Connection, fired: Sequence[Decision]) -> dict[str, View]:
    """Who has the home of each decision now; nobody has one that was erased."""
    known = await memberships.of_homes(conn, {one.home_id for one in fired})
    owners = {home_id: one.customer_id for home_id, one in known.items() if one.customer_id is not None}
    seen = {view.customer_id: view for view in await views.glimpse(conn, [], [], set(owners.values()))}
    return {home_id: seen[customer] for home_id, customer in owners.items()}
