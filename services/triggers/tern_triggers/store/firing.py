"""The fire transaction: everything that is due for some customers, decided under their locks (triggers.md §4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from tern_common.db import Connection, Pool, transaction
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.folds.forgetting import never_read
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.holding import next_release
from tern_triggers.domain.moments import earliest
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rounds import Safe, after, decide, next_looks
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.view import View
from tern_triggers.store import agenda, facts, sittings, views
from tern_triggers.store.sittings import Sitting
from tern_triggers.store.writing import Writing


class Pass(NamedTuple):
    """What one fire transaction did: how many customers it looked at, its decisions, notes of ended cycles too, and
    whether there is anything to publish."""

    customers: int
    decisions: list[Decision]
    speaks: bool = False


async def fire_due(pool: Pool, writing: Writing, safe: Safe, now: datetime) -> Pass:
    """Decides for up to `fire_batch` customers that are due and that nobody else is working on."""
    async with transaction(pool) as conn:
        ruleset = await writing.rulebook.of(conn)
        due = await agenda.take_due(conn, safe, writing.policy.fire_batch)
        customers = await _bearable(conn, due, writing.policy.fire_facts)
        return await _decide_for(conn, ruleset, writing, customers, safe, now)


async def fire_overdue(pool: Pool, writing: Writing, safe: Safe, now: datetime) -> Pass:
    """Waits for the customer that is overdue the longest, if one is overdue by too much, and decides for it alone."""
    async with transaction(pool) as conn:
        ruleset = await writing.rulebook.of(conn)
        customer = await agenda.longest_overdue(conn, safe, writing.policy.overdue)
        if customer is None:
            return Pass(0, [])
        customers = await agenda.wait_for(conn, customer, safe)
        return await _decide_for(conn, ruleset, writing, customers, safe, now)


async def _bearable(conn: Connection, due: Sequence[str], most: int) -> list[str]:
    """As many of them as can be looked at together, the longest due first; one at least."""
    counts = await facts.counts(conn, due, most) if due else {}
    sums = accumulate(counts[customer] for customer in due)
    return [
        customer for place, (customer, so_far) in enumerate(zip(due, sums, strict=True)) if not place or so_far <= most
    ]


async def _decide_for(
    conn: Connection, ruleset: Ruleset, writing: Writing, customers: Sequence[str], safe: Safe, now: datetime
) -> Pass:
    if not customers:
        return Pass(0, [])
    policy = writing.policy
    sat: list[Sitting] = []
    notes: list[Decision] = []
    plans: dict[str, Plan] = {}
    for view in await views.load(conn, ruleset, customers, lock=True):
        told = stories(ruleset, view, policy, now)
        found = decide(ruleset, told, view, policy, safe, now)
        sat.append(sittings.concluded(told, view, found, policy, now))
        notes.extend(ended_notes(ruleset, told, view, policy, now))
        looks = next_looks(found.left, policy)
        freed = next_release(after(view, found)) if view.holds else None
        plans[view.customer_id] = Plan(earliest(looks.live, freed), looks.all, *_span(view))
        await facts.forget(conn, never_read(view.facts))
    written = await sittings.write(conn, sat, notes, writing.source, now)
    await agenda.plan_next(conn, plans)
    return Pass(len(customers), written.decisions, written.speaks)


def _span(view: View) -> tuple[datetime | None, datetime | None]:
    """The facts are in order of time."""
    return (view.facts[0].at, view.facts[-1].at) if view.facts else (None, None)
