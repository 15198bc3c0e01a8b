"""The fire transaction: everything that is due for some customers, decided under their locks (triggers.md §4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

import msgspec

from tern_common.db import Connection, Pool, transaction
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.folds import stories
from tern_triggers.domain.folds.forgetting import never_read
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rounds import Ruling, Safe, after, decide, next_looks
from tern_triggers.domain.view import View
from tern_triggers.store import agenda, decisions, facts, letters, outbox, views
from tern_triggers.store.batch import Writing


class Pass(NamedTuple):
    """What one fire transaction did: how many customers it looked at, and its decisions, notes of ended cycles too."""

    customers: int
    decisions: list[Decision]


async def fire_due(pool: Pool, writing: Writing, safe: Safe, now: datetime) -> Pass:
    """Decides for up to `fire_batch` customers that are due and that nobody else is working on."""
    async with transaction(pool) as conn:
        due = await agenda.take_due(conn, safe, writing.policy.fire_batch)
        customers = await _bearable(conn, due, writing.policy.fire_facts)
        return await _decide_for(conn, writing, customers, safe, now)


async def fire_overdue(pool: Pool, writing: Writing, safe: Safe, now: datetime) -> Pass:
    """Waits for the customer that is overdue the longest, if one is overdue by too much, and decides for it alone."""
    async with transaction(pool) as conn:
        customer = await agenda.longest_overdue(conn, safe, writing.policy.overdue)
        if customer is None:
            return Pass(0, [])
        return await _decide_for(conn, writing, await agenda.wait_for(conn, customer, safe), safe, now)


async def _bearable(conn: Connection, due: Sequence[str], most: int) -> list[str]:
    """As many of them as can be looked at together, the longest due first; one at least."""
    counts = await facts.counts(conn, due, most) if due else {}
    sums = accumulate(counts[customer] for customer in due)
    return [
        customer for place, (customer, so_far) in enumerate(zip(due, sums, strict=True)) if not place or so_far <= most
    ]


async def _decide_for(conn: Connection, writing: Writing, customers: Sequence[str], safe: Safe, now: datetime) -> Pass:
    if not customers:
        return Pass(0, [])
    rulings: list[tuple[Ruling, View]] = []
    notes: list[Decision] = []
    plans: dict[str, Plan] = {}
    for view in await views.load(conn, writing.ruleset, customers, lock=True):
        told = stories(writing.ruleset, view, writing.policy, now)
        made = decide(writing.ruleset, told, view, writing.policy, safe, now)
        rulings.extend((ruling, view) for ruling in made.rulings)
        notes.extend(ended_notes(writing.ruleset, told, view, writing.policy, now))
        looks = next_looks(writing.ruleset, told, after(view, made), writing.policy)
        plans[view.customer_id] = Plan(looks.live, looks.all, *_span(view))
        await facts.forget(conn, never_read(view.facts))
    written = await _write(conn, writing, rulings, notes)
    await agenda.plan_next(conn, plans)
    return Pass(len(customers), written)


def _span(view: View) -> tuple[datetime | None, datetime | None]:
    """The facts are in order of time."""
    return (view.facts[0].at, view.facts[-1].at) if view.facts else (None, None)


async def _write(
    conn: Connection, writing: Writing, rulings: Sequence[tuple[Ruling, View]], notes: Sequence[Decision]
) -> list[Decision]:
    """Decisions first; what they publish only if its trigger is new: the unique index is the last line."""
    said = [ruling.decision for ruling, _ in rulings]
    added = await decisions.add(conn, [*said, *notes])
    again = [_already(one) for one in said if one.outcome is Outcome.FIRED and one.row_id not in added]
    await decisions.add(conn, again)
    fired = [
        letters.of_ruling(ruling, view, writing.source)
        for ruling, view in rulings
        if ruling.decision.outcome is Outcome.FIRED and ruling.decision.row_id in added
    ]
    await outbox.put(conn, fired)
    return [*(one for one in said if one.row_id in added), *again, *notes]


def _already(decision: Decision) -> Decision:
    """The same reason has spoken under another home: only after a split."""
    return msgspec.structs.replace(decision, outcome=Outcome.SUPPRESSED, reason=Why.ALREADY)
