"""Stock that is held for a reminder: what the shop is asked for, and when it need not hold it any longer (§12).

The shop's silence is not an answer: then the reminder goes out without a promise, and what was asked is given up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.moments import TICK, earliest
from tern_triggers.domain.reports import HeldItem, HoldRequested, hold_id_of
from tern_triggers.domain.story import CartShown, Gone
from tern_triggers.domain.view import Hold, View

PROMISED = ("confirmed", "partial")
_OPEN = ("requested", *PROMISED)


def request_for(candidate: Candidate, customer_id: str, held_for: timedelta, now: datetime) -> HoldRequested:
    """What the shop is asked to hold: the cart as it is now."""
    shown = candidate.story.shown
    items = shown.items if isinstance(shown, CartShown) else ()
    return HoldRequested(
        hold_id=hold_id_of(candidate.trigger_id),
        trigger_id=candidate.trigger_id,
        customer_id=customer_id,
        items=tuple(HeldItem(product_id=item.product_id, quantity=item.quantity) for item in items),
        expires_at=now + held_for,
        cart_id=candidate.story.key or None,
    )


def given_up(view: View, waiting: Collection[str], told: Stories, now: datetime) -> dict[str, str]:
    """Trigger id → why its stock need not be held any longer. `waiting`: trigger ids of candidates that are left.

    `view` has what was just decided. What was promised in a trigger is held until that expires or is taken back.
    """
    decided = {one.trigger_id: one for one in view.decisions if one.outcome is not Outcome.ENDED}
    found: dict[str, str] = {}
    for trigger_id, hold in _open(view):
        decision = decided.get(trigger_id)
        if decision is not None:
            why = _why(hold, decision, now)
        else:
            why = None if trigger_id in waiting else _gone(told, hold.cart_id)
        if why is not None:
            found[trigger_id] = why
    return found


def next_release(view: View) -> datetime | None:
    """When the first of the triggers that promise stock expires; `view` has what was just decided."""
    held = {trigger_id for trigger_id, hold in _open(view) if hold.status in PROMISED}
    return earliest(*(one.expires + TICK for one in view.decisions if one.trigger_id in held and _stands(one)))


def _open(view: View) -> Iterable[tuple[str, Hold]]:
    return [(trigger_id, hold) for trigger_id, hold in sorted(view.holds.items()) if hold.status in _OPEN]


def _why(hold: Hold, decision: Decision, now: datetime) -> str | None:
    if not _stands(decision):
        return decision.reason or decision.outcome
    if hold.status not in PROMISED:
        return Why.STOCK
    return Why.EXPIRED if now > decision.expires else None


def _stands(decision: Decision) -> bool:
    return decision.outcome is Outcome.FIRED and decision.retracted_at is None and decision.cancelled_at is None


def _gone(told: Stories, cart_id: str) -> str:
    """What ended the cart's cycle last."""
    exits = [end for stories in told.values() for story in stories if story.key == cart_id for end in story.exits]
    return max(exits).why if exits else Gone.EXIT
