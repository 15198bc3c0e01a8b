"""The fire transaction: everything that is due for some customers, decided under their locks (triggers.md §4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from tern_common.db import Connection, Pool, transaction
from tern_common.logs import logger
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.forgetting import never_read
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.holding import next_release
from tern_triggers.domain.moments import earliest
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rounds import Safe, after, decide, next_looks
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.view import View
from tern_triggers.store import agenda, facts, sittings, views
from tern_triggers.store.outbox import Claimed
from tern_triggers.store.sittings import Sitting
from tern_triggers.store.writing import Writing

PUT_OFF = timedelta(hours=1)
"""So much later a customer is looked at again about whom an error was met."""


class Pass(NamedTuple):
    """What one fire transaction did: how many customers it looked at, its decisions, notes of ended cycles too, letters
    that are leased to the caller, who publishes them, and whether anything else is to be published."""

    customers: int = 0
    decisions: Sequence[Decision] = ()
    letters: Sequence[Claimed] = ()
    speaks: bool = False


async def fire_due(pool: Pool, writing: Writing, safe: Safe, now: datetime, lease: timedelta | None = None) -> Pass:
    """Decides for up to `fire_batch` customers that are due and that nobody else is working on.

    With a `lease` the triggers are noted as attempted and leased for so long: the caller publishes them itself.
    """
    async with transaction(pool) as conn:
        ruleset = await writing.rulebook.of(conn)
        due = await agenda.take_due(conn, safe, writing.policy.fire_batch)
        customers = await _bearable(conn, due, writing.policy.fire_facts)
        looked = await _look(conn, ruleset, writing.policy, customers, _When(safe, now))
        return await _write(conn, writing, looked, now, lease)


async def fire_overdue(pool: Pool, writing: Writing, safe: Safe, now: datetime, lease: timedelta | None = None) -> Pass:
    """Waits for the customer that is overdue the longest, if one is overdue by too much, and decides for it alone."""
    async with transaction(pool) as conn:
        ruleset = await writing.rulebook.of(conn)
        customer = await agenda.longest_overdue(conn, safe, writing.policy.overdue)
        if customer is None:
            return Pass()
        customers = await agenda.wait_for(conn, customer, safe)
        looked = await _look(conn, ruleset, writing.policy, customers, _When(safe, now))
        return await _write(conn, writing, looked, now, lease)


async def _bearable(conn: Connection, due: Sequence[str], most: int) -> list[str]:
    """As many of them as can be looked at together, the longest due first; one at least."""
    counts = await facts.counts(conn, due, most) if due else {}
    sums = accumulate(counts[customer] for customer in due)
    return [
        customer for place, (customer, so_far) in enumerate(zip(due, sums, strict=True)) if not place or so_far <= most
    ]


class _When(NamedTuple):
    """What is safe, and what the wall clock says."""

    safe: Safe
    now: datetime


class _Looked(NamedTuple):
    """What looks at customers came to: nothing of it is written yet."""

    sat: list[Sitting]
    notes: list[Decision]
    plans: dict[str, Plan]
    forgotten: list[Fact]


async def _look(conn: Connection, ruleset: Ruleset, policy: Policy, customers: Sequence[str], when: _When) -> _Looked:
    looked = _Looked([], [], {}, [])
    if not customers:
        return looked
    for view in await views.load(conn, ruleset, customers, lock=True):
        try:
            sitting, notes, plan = _look_at(ruleset, view, policy, when)
        except Exception:  # noqa: BLE001 - an error about one customer must not keep all who are due behind it waiting
            logger.error("a look met an error of ours, and is put off", exc_info=True, customer_id=view.customer_id)
            looked.plans[view.customer_id] = Plan(when.safe.live + PUT_OFF, when.safe.all + PUT_OFF)
            continue
        looked.sat.append(sitting)
        looked.notes.extend(notes)
        looked.plans[view.customer_id] = plan
        looked.forgotten.extend(never_read(view.facts))
    return looked


def _look_at(ruleset: Ruleset, view: View, policy: Policy, when: _When) -> tuple[Sitting, Sequence[Decision], Plan]:
    """What is decided about a customer, notes of cycles that have ended, and when to look again."""
    told = stories(ruleset, view, policy, when.now)
    found = decide(ruleset, told, view, policy, when.safe, when.now)
    looks = next_looks(found.left, policy)
    freed = next_release(after(view, found)) if view.holds else None
    return (
        sittings.concluded(told, view, found, policy, when.now),
        ended_notes(ruleset, told, view, policy, when.now),
        Plan(earliest(looks.live, freed), looks.all, *_span(view)),
    )


async def _write(conn: Connection, writing: Writing, looked: _Looked, now: datetime, lease: timedelta | None) -> Pass:
    if not looked.plans:
        return Pass()
    await facts.forget(conn, looked.forgotten)
    written = await sittings.write(conn, looked.sat, looked.notes, writing.source, now, lease)
    await agenda.plan_next(conn, looked.plans)
    return Pass(len(looked.plans), written.decisions, written.letters, written.speaks)


def _span(view: View) -> tuple[datetime | None, datetime | None]:
    """The facts are in order of time."""
    return (view.facts[0].at, view.facts[-1].at) if view.facts else (None, None)
