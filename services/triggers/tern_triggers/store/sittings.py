"""Writes what looks at customers came to, in the one order of tables: decisions, deferrals, arms, holds, letters.

The customers are locked by the caller. A shadow decision is written like any other, and says nothing to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

import msgspec

from tern_common.db import Connection
from tern_triggers.domain import holding
from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.reports import HoldRequested
from tern_triggers.domain.rounds import Decided, Ruling, after
from tern_triggers.domain.view import Deferral, View
from tern_triggers.store import arms, decisions, deferrals, holds, letters, outbox
from tern_triggers.store.outbox import Claimed, Letter
from tern_triggers.store.writing import Writing

_ONCE = (Outcome.FIRED, Outcome.HELD_OUT)
"""What the unique index lets nobody say twice."""


class Sitting(NamedTuple):
    """One look at one customer: what was known, what was decided, and what is left of what waited before.

    `puts`: deferrals that stand. `drops`: those that do not any more. `requests`: stock to be held, each with the home
    it is filed under. `released`: trigger id → why stock need not be held any longer.
    `spoken`: row id → what is published of a ruling, if that is new.
    """

    view: View
    found: Decided
    puts: Sequence[Deferral] = ()
    drops: Sequence[Deferral] = ()
    requests: Sequence[tuple[str, HoldRequested]] = ()
    released: dict[str, str] = {}  # noqa: RUF012 - nobody writes to it
    spoken: dict[str, Letter] = {}  # noqa: RUF012 - nobody writes to it


class Sat(NamedTuple):
    """What was written: decisions, letters that are leased to the caller, who publishes them once it has committed, and
    whether anything else is to be published."""

    decisions: list[Decision]
    letters: list[Claimed]
    speaks: bool = False


def concluded(told: Stories, view: View, found: Decided, writing: Writing, now: datetime) -> Sitting:
    """What has to be written besides decisions. What still waits is told from what is left to be decided.

    All that can err about one customer alone is done here, and not where everybody's is written.
    """
    fired = [one for one in found.rulings if _speaks(one)]
    spoken = {one.decision.row_id: letters.of_ruling(one, view, writing.source) for one in fired}
    if not (found.deferrals or found.asks or view.deferrals or view.holds):
        return Sitting(view, found, spoken=spoken)
    left = {one.trigger_id for one in found.left}
    waiting = [one.deferral for one in found.left if one.deferral is not None]
    kept = {(one.home_id, one.trigger_id) for one in waiting}
    doubled = {one.trigger_id for one in view.doubles}
    asked = [one for one in found.asks if one.trigger_id in left and one.rule.mode != "shadow"]
    return Sitting(
        view,
        found,
        puts=[one for one in waiting if one.trigger_id in doubled or one != view.deferrals.get(one.trigger_id)],
        drops=[one for one in _known_to_wait(view) if (one.home_id, one.trigger_id) not in kept],
        requests=[_request(one, view, writing.policy, now) for one in asked],
        released=holding.given_up(after(view, found), left, told, now),
        spoken=spoken,
    )


def _known_to_wait(view: View) -> Iterable[Deferral]:
    return chain(view.deferrals.values(), view.doubles)


def _request(candidate: Candidate, view: View, policy: Policy, now: datetime) -> tuple[str, HoldRequested]:
    held_for = policy.arbiter.holds.held_for
    return candidate.start.home_id, holding.request_for(candidate, view.customer_id, held_for, now)


async def write(
    conn: Connection,
    sittings: Sequence[Sitting],
    notes: Sequence[Decision],
    now: datetime,
    lease: timedelta | None = None,
) -> Sat:
    """Decisions first; what they publish only if its trigger is new: the unique index is the last line.

    `lease`: the triggers are noted as attempted and leased for so long, since the caller publishes them itself.
    """
    said = [ruling.decision for one in sittings for ruling in one.found.rulings]
    added = await decisions.add(conn, [*said, *notes])
    again = [_already(one) for one in said if one.outcome in _ONCE and one.row_id not in added]
    await decisions.add(conn, again)
    fired = [letter for one in sittings for row_id, letter in one.spoken.items() if row_id in added]
    await _write_what_waits(conn, sittings)
    stock = await _write_holds(conn, sittings, now)
    claimed = await outbox.put(conn, fired, lease)
    await outbox.put(conn, stock)
    written = [*(one for one in said if one.row_id in added), *again, *notes]
    return Sat(written, claimed, bool(stock) or len(claimed) < len(fired))


async def _write_what_waits(conn: Connection, sittings: Sequence[Sitting]) -> None:
    await deferrals.put(conn, (one for sitting in sittings for one in sitting.puts))
    await deferrals.remove(conn, [one for sitting in sittings for one in sitting.drops])
    await arms.freeze(conn, (arm for sitting in sittings for arm in sitting.found.arms))


async def _write_holds(conn: Connection, sittings: Iterable[Sitting], now: datetime) -> list[Letter]:
    asked = [pair for sitting in sittings for pair in sitting.requests]
    reasons = {trigger_id: why for sitting in sittings for trigger_id, why in sitting.released.items()}
    await holds.ask(conn, asked, now)
    return [*(letters.of_request(request) for _, request in asked), *await release(conn, reasons, now)]


async def release(conn: Connection, reasons: dict[str, str], now: datetime) -> list[Letter]:
    """Gives up what is held for these triggers, by trigger id with why; returns what the shop has to be told."""
    given = await holds.release(conn, reasons.keys())
    return [letters.of_release(one, reasons[one.trigger_id], now) for one in given]


def _speaks(ruling: Ruling) -> bool:
    return ruling.decision.outcome is Outcome.FIRED and ruling.decision.mode == "live"


def _already(decision: Decision) -> Decision:
    """The same reason has spoken under another home: only after a split."""
    return msgspec.structs.replace(decision, outcome=Outcome.SUPPRESSED, reason=Why.ALREADY)
