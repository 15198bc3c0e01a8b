"""The shapes of the contract. Knows no rule, no decision, and nothing of how they are filled."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

import msgspec

from tern_common.events import Moment
from tern_triggers.domain.endings import Revocation
from tern_triggers.domain.rules import Act
from tern_triggers.domain.story import Gone

FIRED = "tern.trigger.fired.v1"
REVOKED = {
    Revocation.RETRACTED: "tern.trigger.retracted.v1",
    Revocation.CANCELLED: "tern.trigger.cancelled.v1",
}
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

Id = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]
Kind = Literal["inactivity", "count", "change", "date", "event"]


class EventRef(msgspec.Struct, frozen=True):
    """An event that led here, by the `messageId` it was sent with."""

    message_id: str
    at: Moment


class ReasonFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why: the cycle's first event and last activity, and the counts behind it.

    `code` is the rule's name, `kind` its kind. `key`: the cart, order or ticket that it is about; empty for the
    customer. `cycle_ref`: what tells this cycle from the next one. `facts`: message ids, times and counts, by name.
    `events`: the first event of the cycle and the newest ones, at most ten, oldest first.
    """

    code: str
    key: str
    cycle_ref: str
    started_at: Moment
    anchor_at: Moment
    facts: dict[str, str | int | float | bool]
    kind: Kind | None = None
    events: list[EventRef] = []


class AllowedChannel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel whose consent is granted, with the contact point where one is known."""

    channel: str
    contact: str | None = None


class Timing(msgspec.Struct, frozen=True):
    """`due_at`: when the step fell due; `round_at`: the round it was decided in; after `expires_at` do not act."""

    due_at: Moment
    round_at: Moment
    fired_at: Moment
    expires_at: Moment


class CartLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One product of the cart; `price` is per piece."""

    product_id: str
    quantity: int
    price: Decimal | None = None
    name: str | None = None


class CartContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cart when the trigger fired. No `total` where a price is unknown; no `cart_id` for the unnamed cart.

    `items` are the 100 most valuable lines, by product; `more` counts those left out, which `total` includes.
    """

    items: list[CartLine]
    cart_id: str | None = None
    total: Decimal | None = None
    more: int = 0


class OrdersContent(msgspec.Struct, frozen=True):
    """The orders that were kept (not refunded, not cancelled) when the trigger fired."""

    kept: int
    last_order_id: str
    last_order_at: Moment


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the reason is about, of rules that are about neither a cart nor orders."""

    product_id: str | None = None
    category: str | None = None


class Offer(msgspec.Struct, frozen=True):
    """Present where the step may come with an incentive. `incentive_eligible`: whether this customer may have one."""

    incentive_eligible: bool


class Held(msgspec.Struct, frozen=True):
    """The shop holds the cart's stock until then: all of it, or (`partial`) some. Only then promise anything."""

    hold_id: Id
    status: Literal["confirmed", "partial"]
    held_until: Moment


class Fired(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Data of `tern.trigger.fired.v1`. `channels` are ranked, best first.

    `act`: `contact` the customer, have somebody do a `task` or a `ticket` (by `due_by`), or just note a `status`.
    `step` counts from 0; `step_name` is the rule's own word for it. `attribution`: put it into links; what comes back
    with it belongs to this trigger.
    """

    trigger_id: Id
    customer_id: Id
    rule: str
    rule_version: int
    family: str
    purpose: str
    step: int
    act: Act
    reason: ReasonFacts
    channels: list[AllowedChannel]
    timing: Timing
    cart: CartContent | None = None
    orders: OrdersContent | None = None
    context: Context | None = None
    step_name: str | None = None
    due_by: Moment | None = None
    offer: Offer | None = None
    hold: Held | None = None
    attribution: str | None = None


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """Data of `tern.trigger.retracted.v1` and `tern.trigger.cancelled.v1`. `reason` is what had happened, at `at`."""

    trigger_id: Id
    customer_id: Id
    rule: str
    key: str
    step: int
    reason: Gone
    at: Moment
    fired_at: Moment


Data = TypeVar("Data")


class CloudEvent(msgspec.Struct, Generic[Data], frozen=True, kw_only=True):
    """CloudEvents 1.0. `id` is the trigger's id, with `/retracted` or `/cancelled` behind it for those: drop an id that
    you have seen. `source`: `/tern/<deployment>`. `subject`: the customer's id. `time`: when this was decided.
    """

    id: str
    source: str
    type: str
    subject: Id
    time: Moment
    data: Data
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


TriggerEvent = CloudEvent[Fired] | CloudEvent[Revoked]

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(event: TriggerEvent) -> bytes:
    """The record's value."""
    return _encoder.encode(event)
