"""What marketing systems and storefronts tell triggers, and what triggers ask of a storefront: the wire models of
`tern.outcomes.v1` and `tern.stock.v1`.

Part of the contract: inside a version a field is only ever added, and only optional. Knows no rule and no decision.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from tern_common.errors import Poison
from tern_common.events import Moment

NAMESPACE = uuid.UUID("5b0f1d5e-8c0a-5f4e-9d59-6f2f3a0f7c11")

Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
"""A UUID as Tern writes it: an id that was published comes back as it went out."""

Status = Literal["sent", "delivered", "opened", "clicked", "failed", "skipped", "done"]
Answer = Literal["confirmed", "partial", "rejected"]

FREES_THE_SLOT: frozenset[Status] = frozenset({"failed", "skipped"})
"""The customer was not contacted: the contact counts for no cap. Silence keeps it (triggers.md §4.4)."""

REACHED: frozenset[Status] = frozenset({"delivered", "opened", "clicked"})
"""The customer has it, whatever else is said: the contact counts."""

_T = TypeVar("_T")


class OutcomeReported(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What became of a trigger, by whoever acted on it. Of copies of one (trigger_id, status) the earliest counts.

    `sent`, `delivered`, `opened`, `clicked`: how a contact went. `failed`, `skipped`: the customer was not contacted,
    which gives the contact back to the caps. `done`: a task or ticket is finished. `channel`: by which it went; empty
    for tasks and tickets.
    """

    trigger_id: Uuid
    status: Status
    at: Moment
    channel: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{0,32}$")] = ""


class HeldItem(Struct, kw_only=True, frozen=True):
    """So many pieces of one product."""

    product_id: str
    quantity: int


class HoldRequested(
    Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="type", tag="tern.stock.hold.requested.v1"
):
    """Tern asks the shop to hold a cart's stock for a customer until `expires_at`, before it reminds of the cart.

    Answer within 30 seconds, or the reminder goes out without a promise. `cart_id` is absent for the unnamed cart.
    """

    hold_id: Uuid
    trigger_id: Uuid
    customer_id: Uuid
    items: tuple[HeldItem, ...]
    expires_at: Moment
    cart_id: str | None = None


class HoldAnswered(
    Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="type", tag="tern.stock.hold.answered.v1"
):
    """What the shop says to a request. `until`: how long it holds what it (partly) confirmed; the request's own
    `expires_at` where it names no other."""

    hold_id: Uuid
    status: Answer
    until: Moment | None = None


class HoldReleased(Struct, kw_only=True, frozen=True, tag_field="type", tag="tern.stock.hold.released.v1"):
    """The stock need not be held any longer. `reason`: why, as a code of decisions."""

    hold_id: Uuid
    trigger_id: Uuid
    reason: str
    at: Moment


Stock = HoldRequested | HoldAnswered | HoldReleased

_outcome = msgspec.json.Decoder(OutcomeReported)
_stock: msgspec.json.Decoder[HoldRequested | HoldAnswered | HoldReleased] = msgspec.json.Decoder(Stock)


def hold_id_of(trigger_id: str) -> str:
    """The request for a trigger has one id, however often it is made."""
    return str(uuid.uuid5(NAMESPACE, trigger_id))


def decode_outcome(value: bytes) -> OutcomeReported:
    """Raises `Poison`."""
    return _decode(_outcome, value, "not-an-outcome")


def decode_stock(value: bytes) -> Stock:
    """Raises `Poison`."""
    return _decode(_stock, value, "not-a-stock-record")


def _decode(decoder: msgspec.json.Decoder[_T], value: bytes, reason: str) -> _T:
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Poison(reason) from wrong
