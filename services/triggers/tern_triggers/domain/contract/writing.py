"""Fills the contract's shapes from rulings and endings."""

from __future__ import annotations

import uuid
from base64 import b32encode
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from tern_common.commerce import Item
from tern_triggers.domain.arbiter.reach import POINT_OF, point_of
from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.contract.payload import (
    FIRED,
    REVOKED,
    AllowedChannel,
    CartContent,
    CartLine,
    CloudEvent,
    Context,
    EventRef,
    Fired,
    Held,
    Offer,
    OrdersContent,
    ReasonFacts,
    Revoked,
    Timing,
)
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.endings import Ending
from tern_triggers.domain.rounds import Ruling
from tern_triggers.domain.rules import Step
from tern_triggers.domain.story import CartShown, OrdersShown, ReasonShown, Story
from tern_triggers.domain.view import Hold, View

LINES = 100
"""At most so many lines of a cart: a record must stay well below what a topic takes, whatever is in the cart."""
EVENTS = 10
_Data = TypeVar("_Data", Fired, Revoked)


def fired(ruling: Ruling, view: View, source: str) -> CloudEvent[Fired]:
    """The trigger of a ruling that fired."""
    decision, candidate = ruling.decision, ruling.candidate
    rule, step = candidate.rule, candidate.rule.steps[decision.step]
    shown = candidate.story.shown
    data = Fired(
        trigger_id=decision.trigger_id,
        customer_id=decision.customer_id,
        rule=decision.rule,
        rule_version=decision.rule_version,
        family=rule.family,
        purpose=rule.purpose,
        step=decision.step,
        act=step.act,
        reason=_reason(ruling),
        channels=[AllowedChannel(channel, _contact(rule.purpose, channel, view)) for channel in decision.channels],
        timing=Timing(decision.due, decision.round, decision.decided_at, decision.expires),
        cart=_cart(shown) if isinstance(shown, CartShown) else None,
        orders=_orders(shown) if isinstance(shown, OrdersShown) else None,
        context=_context(shown) if isinstance(shown, ReasonShown) else None,
        step_name=step.name,
        due_by=_due_by(step, decision),
        offer=Offer(ruling.incentive) if step.incentive else None,
        hold=_held(view.holds.get(decision.trigger_id), decision.decided_at),
        attribution=attribution(decision.trigger_id),
    )
    return _envelope(decision, decision.trigger_id, FIRED, decision.decided_at, source, data)


def revoked(ending: Ending, now: datetime, source: str) -> CloudEvent[Revoked]:
    """The retraction or cancellation of a trigger: the same subject and trigger_id, an id of its own."""
    decision = ending.decision
    data = Revoked(
        trigger_id=decision.trigger_id,
        customer_id=decision.customer_id,
        rule=decision.rule,
        key=decision.key,
        step=decision.step,
        reason=ending.exit.why,
        at=ending.exit.at,
        fired_at=decision.decided_at,
    )
    event_id = f"{decision.trigger_id}/{ending.revocation}"
    return _envelope(decision, event_id, REVOKED[ending.revocation], now, source, data)


def attribution(trigger_id: str) -> str:
    """The trigger's id in 26 characters that survive links, forms and people: lower case letters and digits."""
    return b32encode(uuid.UUID(trigger_id).bytes).decode().rstrip("=").lower()


def _envelope(
    decision: Decision, event_id: str, type_: str, time: datetime, source: str, data: _Data
) -> CloudEvent[_Data]:
    return CloudEvent(id=event_id, source=source, type=type_, subject=decision.customer_id, time=time, data=data)


def _reason(ruling: Ruling) -> ReasonFacts:
    decision, candidate = ruling.decision, ruling.candidate
    return ReasonFacts(
        decision.rule,
        decision.key,
        decision.cycle_ref,
        decision.started,
        decision.anchor,
        decision.facts,
        candidate.rule.kind,
        _events(candidate),
    )


def _events(candidate: Candidate) -> list[EventRef]:
    """The cycle's first event and its newest ones. What is no event (a date, a class) has no message id."""
    story: Story = candidate.story
    cycle = [moment for moment in (*story.activity, *story.resets) if moment.at >= candidate.start.at]
    named: Sequence[EventRef] = [EventRef(one.message_id, one.at) for one in sorted(cycle) if one.message_id]
    return [*named[:1], *named[1:][-(EVENTS - 1) :]]


def _contact(purpose: str, channel: str, view: View) -> str | None:
    """Only ever asked for a channel that may be used: the point by which the arbiter found it within reach."""
    point = point_of(view, purpose, channel) if channel in POINT_OF else None
    return None if point is None else point.value


def _due_by(step: Step, decision: Decision) -> datetime | None:
    return None if step.due_in is None else decision.decided_at + step.due_in


def _held(hold: Hold | None, now: datetime) -> Held | None:
    """Nothing is promised but what the shop has confirmed and still holds: a trigger may have waited for hours."""
    if hold is None or hold.until is None or hold.until <= now or hold.status not in ("confirmed", "partial"):
        return None
    return Held(hold.hold_id, hold.status, hold.until)


def _context(shown: ReasonShown) -> Context:
    return Context(shown.product_id, shown.category)


def _orders(shown: OrdersShown) -> OrdersContent:
    return OrdersContent(shown.kept, shown.last_order_id, shown.last_order_at)


def _cart(shown: CartShown) -> CartContent:
    kept = sorted(shown.items, key=_worth)[:LINES]
    lines = [CartLine(*item) for item in sorted(kept, key=lambda item: item.product_id)]
    return CartContent(lines, shown.cart_id or None, shown.total, len(shown.items) - len(lines))


def _worth(item: Item) -> tuple[Decimal, str]:
    """The most valuable first; a total order, since a cart has one line a product."""
    return -(item.price or Decimal(0)) * item.quantity, item.product_id
