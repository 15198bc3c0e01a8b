"""What subscribers read: CloudEvents 1.0, structured JSON, on `tern.triggers.<family>.v1` (triggers.md §13).

Inside a version a field is only ever added, and only optional. Contact data stands here only where the channel's
consent is granted.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from tern_common.commerce import Item
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.endings import Ending, Revocation
from tern_triggers.domain.rounds import Ruling
from tern_triggers.domain.story import CartShown, OrdersShown, Story
from tern_triggers.domain.view import View

FIRED = "tern.trigger.fired.v1"
REVOKED = {
    Revocation.RETRACTED: "tern.trigger.retracted.v1",
    Revocation.CANCELLED: "tern.trigger.cancelled.v1",
}
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
LINES = 100
"""At most so many lines of a cart: a record must stay well below what a topic takes, whatever is in the cart."""
_CONTACT_OF = {"email": "email", "sms": "phone"}


class ReasonFacts(msgspec.Struct, frozen=True):
    """Why: the cycle's first event and last activity, and the counts behind it."""

    code: str
    key: str
    cycle_ref: str
    started_at: datetime
    anchor_at: datetime
    facts: dict[str, str | int | float | bool]


class AllowedChannel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel whose consent is granted, with the contact point where one is known."""

    channel: str
    contact: str | None = None


class Timing(msgspec.Struct, frozen=True):
    """`due_at`: when the step fell due; `round_at`: the round it was decided in; after `expires_at` do not act."""

    due_at: datetime
    round_at: datetime
    fired_at: datetime
    expires_at: datetime


class CartLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One product of the cart; `price` is per piece."""

    product_id: str
    quantity: int
    price: Decimal | None = None
    name: str | None = None


class CartContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cart when the trigger fired. No `total` where a price is unknown; no `cart_id` for the unnamed cart.

    `items` are the `LINES` most valuable lines, by product; `more` counts those left out, which `total` includes.
    """

    items: list[CartLine]
    cart_id: str | None = None
    total: Decimal | None = None
    more: int = 0


class OrdersContent(msgspec.Struct, frozen=True):
    """The orders that were kept (not refunded, not cancelled) when the trigger fired."""

    kept: int
    last_order_id: str
    last_order_at: datetime


class Fired(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Data of `tern.trigger.fired.v1`. `channels` are ranked, best first."""

    trigger_id: str
    customer_id: str
    rule: str
    rule_version: int
    family: str
    purpose: str
    step: int
    act: str
    reason: ReasonFacts
    channels: list[AllowedChannel]
    timing: Timing
    cart: CartContent | None = None
    orders: OrdersContent | None = None


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """Data of `tern.trigger.retracted.v1` and `tern.trigger.cancelled.v1`. `reason` is what had happened, at `at`."""

    trigger_id: str
    customer_id: str
    rule: str
    key: str
    step: int
    reason: str
    at: datetime
    fired_at: datetime


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope. `id` is the trigger's id, with `/retracted` or `/cancelled` behind it for those."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: Fired | Revoked
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(event: CloudEvent) -> bytes:
    """The record's value."""
    return _encoder.encode(event)


def fired(ruling: Ruling, view: View, source: str) -> CloudEvent:
    """The trigger of a ruling that fired."""
    decision, candidate = ruling.decision, ruling.candidate
    cart, orders = _content(candidate.story)
    data = Fired(
        trigger_id=decision.trigger_id,
        customer_id=decision.customer_id,
        rule=decision.rule,
        rule_version=decision.rule_version,
        family=candidate.rule.family,
        purpose=candidate.rule.purpose,
        step=decision.step,
        act=candidate.rule.steps[decision.step].act,
        reason=_reason(ruling),
        channels=[
            AllowedChannel(channel, _contact(candidate.rule.purpose, channel, view)) for channel in decision.channels
        ],
        timing=Timing(decision.due, decision.round, decision.decided_at, decision.expires),
        cart=cart,
        orders=orders,
    )
    return _envelope(decision, decision.trigger_id, FIRED, decision.decided_at, source, data)


def revoked(ending: Ending, now: datetime, source: str) -> CloudEvent:
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


def _envelope(
    decision: Decision, event_id: str, type_: str, time: datetime, source: str, data: Fired | Revoked
) -> CloudEvent:
    return CloudEvent(id=event_id, source=source, type=type_, subject=decision.customer_id, time=time, data=data)


def _reason(ruling: Ruling) -> ReasonFacts:
    decision = ruling.decision
    return ReasonFacts(
        decision.rule, decision.key, decision.cycle_ref, decision.started, decision.anchor, decision.facts
    )


def _contact(purpose: str, channel: str, view: View) -> str | None:
    """Only ever asked for a channel that may be used; the point is that of a profile which grants it."""
    granting = (voice for voice in view.voices if voice.of(purpose, channel))
    points = (voice.contacts.get(_CONTACT_OF.get(channel, "")) for voice in granting)
    return next((point.value for point in points if point is not None), None)


def _content(story: Story) -> tuple[CartContent | None, OrdersContent | None]:
    shown = story.shown
    if isinstance(shown, CartShown):
        return _cart(shown), None
    assert isinstance(shown, OrdersShown), "whoever speaks has something to show"
    return None, OrdersContent(shown.kept, shown.last_order_id, shown.last_order_at)


def _cart(shown: CartShown) -> CartContent:
    kept = sorted(shown.items, key=_worth)[:LINES]
    lines = [CartLine(*item) for item in sorted(kept, key=lambda item: item.product_id)]
    return CartContent(lines, shown.cart_id or None, shown.total, len(shown.items) - len(lines))


def _worth(item: Item) -> tuple[Decimal, str]:
    """The most valuable first; a total order, since a cart has one line a product."""
    return -(item.price or Decimal(0)) * item.quantity, item.product_id
