"""The fire transaction: everything that is due for some customers, decided under their locks (triggers.md §4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from tern_common.blaming import PUT_OFF, one_by_one
from tern_common.db import Connection, Pool, connection, transaction
from tern_common.errors import Misconfigured, Transient
from tern_common.logs import logger
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.forgetting import never_read
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.holding import next_release
from tern_triggers.domain.moments import earliest
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rounds import Safe, after, decide, next_looks
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.view import View
from tern_triggers.store import agenda, facts, sittings, views
from tern_triggers.store.outbox import Claimed
from tern_triggers.store.sittings import Sitting
from tern_triggers.store.writing import Writing

_PUT_OFF = "a look met an error of ours, and is put off"


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
    when, due = _When(safe, now, lease), list[str]()
    try:
        async with transaction(pool) as conn:
            ruleset = await writing.rulebook.of(conn)
            due += await _bearable(
                conn, await agenda.take_due(conn, safe, writing.policy.fire_batch), writing.policy.fire_facts
            )
            return await _fire(conn, ruleset, writing, due, when)
    except (Transient, Misconfigured):
        raise
    except Exception as wrong:
        if not due:
            raise
        logger.warning("looks met an error of ours, and are taken one by one", why=type(wrong).__name__)
    return await _one_by_one(pool, writing, due, when)


async def fire_overdue(pool: Pool, writing: Writing, safe: Safe, now: datetime, lease: timedelta | None = None) -> Pass:
    """Waits for the customer that is overdue the longest, if one is overdue by too much, and decides for it alone."""
    async with connection(pool) as conn:
        customer = await agenda.longest_overdue(conn, safe, writing.policy.overdue)
    return Pass() if customer is None else await _one_by_one(pool, writing, [customer], _When(safe, now, lease))


async def _bearable(conn: Connection, due: Sequence[str], most: int) -> list[str]:
    """As many of them as can be looked at together, the longest due first; one at least."""
    counts = await facts.counts(conn, due, most) if due else {}
    sums = accumulate(counts[customer] for customer in due)
    return [
        customer for place, (customer, so_far) in enumerate(zip(due, sums, strict=True)) if not place or so_far <= most
    ]


class _When(NamedTuple):
    """What is safe, what the wall clock says, and for how long letters are leased to the caller."""

    safe: Safe
    now: datetime
    lease: timedelta | None

    @property
    def put_off(self) -> Plan:
        """For a customer about whom an error of ours was met."""
        return Plan(self.safe.live + PUT_OFF, self.safe.all + PUT_OFF)


class _Looked(NamedTuple):
    """What looks at customers came to: nothing of it is written yet."""

    sat: list[Sitting]
    notes: list[Decision]
    plans: dict[str, Plan]
    forgotten: list[Fact]


async def _one_by_one(pool: Pool, writing: Writing, due: Sequence[str], when: _When) -> Pass:
    """Whoever meets an error of ours alone is put off."""
    done, erring = await one_by_one(due, lambda customer: _alone(pool, writing, customer, when))
    for customer in erring:
        await _put_off(pool, customer, when)
    return Pass(
        sum(one.customers for one in done) + len(erring),
        [decision for one in done for decision in one.decisions],
        [letter for one in done for letter in one.letters],
        any(one.speaks for one in done),
    )


async def _alone(pool: Pool, writing: Writing, customer: str, when: _When) -> Pass:
    async with transaction(pool) as conn:
        ruleset = await writing.rulebook.of(conn)
        return await _fire(conn, ruleset, writing, await agenda.wait_for(conn, customer, when.safe), when)


async def _put_off(pool: Pool, customer: str, when: _When) -> None:
    async with transaction(pool) as conn:
        if await agenda.wait_for(conn, customer, when.safe):
            await agenda.plan_next(conn, {customer: when.put_off})


async def _fire(conn: Connection, ruleset: Ruleset, writing: Writing, customers: Sequence[str], when: _When) -> Pass:
    """All of one transaction about these customers, who are locked."""
    looked = await _look(conn, ruleset, writing, customers, when)
    if not looked.plans:
        return Pass()
    await facts.forget(conn, looked.forgotten)
    written = await sittings.write(conn, looked.sat, looked.notes, when.now, when.lease)
    await agenda.plan_next(conn, looked.plans)
    return Pass(len(looked.plans), written.decisions, written.letters, written.speaks)


async def _look(conn: Connection, ruleset: Ruleset, writing: Writing, customers: Sequence[str], when: _When) -> _Looked:
    looked = _Looked([], [], {}, [])
    if not customers:
        return looked
    for view in await views.load(conn, ruleset, customers, lock=True):
        try:
            sitting, notes, plan = _look_at(ruleset, view, writing, when)
        except Exception:  # noqa: BLE001 - an error about one customer must not keep all who are due behind it waiting
            logger.error(_PUT_OFF, exc_info=True, customer_id=view.customer_id)
            looked.plans[view.customer_id] = when.put_off
            continue
        looked.sat.append(sitting)
        looked.notes.extend(notes)
        looked.plans[view.customer_id] = plan
        looked.forgotten.extend(never_read(view.facts))
    return looked


def _look_at(ruleset: Ruleset, view: View, writing: Writing, when: _When) -> tuple[Sitting, Sequence[Decision], Plan]:
    """What is decided about a customer, notes of cycles that have ended, and when to look again."""
    policy = writing.policy
    told = stories(ruleset, view, policy, when.now)
    found = decide(ruleset, told, view, policy, when.safe, when.now)
    looks = next_looks(found.left, policy)
    freed = next_release(after(view, found)) if view.holds else None
    return (
        sittings.concluded(told, view, found, writing, when.now),
        ended_notes(ruleset, told, view, policy, when.now),
        Plan(earliest(looks.live, freed), looks.all, *_span(view)),
    )


def _span(view: View) -> tuple[datetime | None, datetime | None]:
    """The facts are in order of time."""
    return (view.facts[0].at, view.facts[-1].at) if view.facts else (None, None)
