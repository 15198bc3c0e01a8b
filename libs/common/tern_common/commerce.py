"""What an event says about carts, orders, logins and consent. Pure and tolerant: ill-formed parts say nothing.

Names are those of the Segment e-commerce specification, plus `Cart Updated`, `Signed In`, `Consent Granted` and
`Consent Withdrawn`; case and surrounding blanks do not matter. Knows nothing of customers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple

import msgspec

from tern_common.events import Event
from tern_common.identifiers import is_blocked_word, normalise

AMOUNT_STEP = Decimal("0.0001")
AMOUNT_LIMIT = Decimal(10) ** 12
QUANTITY_LIMIT = 1_000_000
TEXT_LIMIT = 256
BY_PHONE = frozenset({"sms", "call", "phone", "whatsapp"})

_TOKEN = re.compile("[a-z0-9_-]{1,32}")
"""A purpose or a channel, without case: anyone may say one about anyone's contact, and it is published."""

Properties = Mapping[str, Any]


class Item(NamedTuple):
    """One line of a cart or an order. `price` is per piece, in the event's currency."""

    product_id: str
    quantity: int
    price: Decimal | None = None
    name: str | None = None


class CartSaid(NamedTuple):
    """A snapshot of the whole cart, or a change of it. `cart_id` is empty for the customer's one unnamed cart."""

    cart_id: str
    how: Literal["snapshot", "add", "remove"]
    items: tuple[Item, ...]


class CheckoutSaid(NamedTuple):
    """A checkout was started for this cart."""

    cart_id: str
    items: tuple[Item, ...]


class OrderSaid(NamedTuple):
    """A paid order. `order_id` is the message id when the shop names none."""

    order_id: str
    cart_id: str
    items: tuple[Item, ...]
    total: Decimal | None
    currency: str | None


class RefundSaid(NamedTuple):
    """Money went back; no `amount` means all of it."""

    order_id: str
    amount: Decimal | None


class CancelSaid(NamedTuple):
    """The order was cancelled."""

    order_id: str


class ConsentSaid(NamedTuple):
    """A grant or a withdrawal; `contact` is the (namespace, normalised value) it names, if any.

    `purpose` and `channel`: 1 to 32 of a–z, 0–9, `_` and `-`.
    """

    granted: bool
    purpose: str
    channel: str
    contact: tuple[str, str] | None
    proof: str | None


class LoginSaid(NamedTuple):
    """The customer signed in."""


Said = CartSaid | CheckoutSaid | OrderSaid | RefundSaid | CancelSaid | ConsentSaid | LoginSaid


def read(event: Event) -> Said | None:
    """What a track event says, or None: for any other event, and where it is too ill-formed to say anything."""
    if event.type != "track" or event.name is None:
        return None
    reader = _READERS.get(event.name.strip().casefold())
    if reader is None:
        return None
    return reader(properties_of(event), event)


def properties_of(event: Event) -> Properties:
    """Its properties, decoded; none where they are no object."""
    try:
        found = msgspec.json.decode(event.properties)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def amount(raw: object) -> Decimal | None:
    """Money as an exact number of at most four decimals, so that sums commute; None when it is no sane amount."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        value = Decimal(str(raw).strip())
    except InvalidOperation:
        return None
    if not value.is_finite() or not -AMOUNT_LIMIT < value < AMOUNT_LIMIT:  # arithmetic would refuse an endless one
        return None
    return value.quantize(AMOUNT_STEP)


def _text(raw: object) -> str | None:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    value = str(raw).strip()
    return value if 0 < len(value) <= TEXT_LIMIT else None


def _key(raw: object) -> str | None:
    value = _text(raw)
    return None if value is None or is_blocked_word(value) else value


def _quantity(raw: object) -> int:
    if raw is None:
        return 1
    if type(raw) is int and 0 <= raw <= QUANTITY_LIMIT:  # most are, and a decimal takes far longer
        return raw
    value = amount(raw)
    return 0 if value is None else min(max(int(value), 0), QUANTITY_LIMIT)


def product_id_of(said: Properties) -> str | None:
    """Which product a line or an event is about: a text or a number of at most `TEXT_LIMIT` characters."""
    return _text(said.get("product_id")) or _text(said.get("sku")) or _text(said.get("id"))


def _item(raw: object) -> Item | None:
    if not isinstance(raw, dict):
        return None
    product_id = product_id_of(raw)
    if product_id is None:
        return None
    return Item(product_id, _quantity(raw.get("quantity")), amount(raw.get("price")), _text(raw.get("name")))


def _items(said: Properties) -> tuple[Item, ...]:
    listed = said.get("products")
    if not isinstance(listed, list):
        return ()
    return tuple(item for item in map(_item, listed) if item is not None)


def _snapshot(said: Properties, _event: Event) -> CartSaid | None:
    if not isinstance(said.get("products"), list):
        return None
    return CartSaid(_key(said.get("cart_id")) or "", "snapshot", _items(said))


def _delta(how: Literal["add", "remove"]) -> Callable[[Properties, Event], CartSaid | None]:
    def read_delta(said: Properties, _event: Event) -> CartSaid | None:
        one = _item(dict(said))
        items = (one,) if one else _items(said)
        return CartSaid(_key(said.get("cart_id")) or "", how, items) if items else None

    return read_delta


def _checkout(said: Properties, _event: Event) -> CheckoutSaid:
    return CheckoutSaid(_key(said.get("cart_id")) or "", _items(said))


def _order(said: Properties, event: Event) -> OrderSaid:
    stated = (amount(said.get(name)) for name in ("total", "revenue", "value"))
    return OrderSaid(
        _key(said.get("order_id")) or event.message_id,
        _key(said.get("cart_id")) or "",
        _items(said),
        next((total for total in stated if total is not None), None),
        _text(said.get("currency")),
    )


def _refund(said: Properties, _event: Event) -> RefundSaid | None:
    order_id = _key(said.get("order_id"))
    if order_id is None:
        return None
    stated = (amount(said.get(name)) for name in ("total", "amount"))
    given = next((value for value in stated if value is not None), None)
    worth = _worth(_items(said)) if given is None else abs(given)  # many systems book money that goes back as negative
    return RefundSaid(order_id, worth)


def _worth(items: tuple[Item, ...]) -> Decimal | None:
    """What the listed products cost; None when nothing is listed or a price is missing."""
    prices = [item.price * item.quantity for item in items if item.price is not None]
    return sum(prices, Decimal(0)) if prices and len(prices) == len(items) else None


def _cancel(said: Properties, _event: Event) -> CancelSaid | None:
    order_id = _key(said.get("order_id"))
    return None if order_id is None else CancelSaid(order_id)


def _consent(granted: bool) -> Callable[[Properties, Event], ConsentSaid | None]:
    def read_consent(said: Properties, _event: Event) -> ConsentSaid | None:
        purpose, channel = _token(said.get("purpose"), "marketing"), _token(said.get("channel"), "")
        if not (purpose and channel):
            return None
        return ConsentSaid(granted, purpose, channel, _contact(said, channel), _text(said.get("proof")))

    return read_consent


def _token(raw: object, missing: str) -> str | None:
    """`missing` where nothing is said; None where what is said is no token: it would be about something else."""
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return missing
    value = _text(raw)
    return value.casefold() if value and _TOKEN.fullmatch(value.casefold()) else None


def is_token(raw: object) -> bool:
    """Whether a purpose or a channel is written as one."""
    return bool(_token(raw, ""))


def _contact(said: Properties, channel: str) -> tuple[str, str] | None:
    """The contact that is named; where two are, the one that the channel reaches."""
    for namespace in ("phone", "email") if channel in BY_PHONE else ("email", "phone"):
        raw = _text(said.get(namespace))
        value = normalise(namespace, raw).value if raw else None
        if value:
            return namespace, value
    return None


def _login(_said: Properties, _event: Event) -> LoginSaid:
    return LoginSaid()


_READERS: Mapping[str, Callable[[Properties, Event], Said | None]] = {
    "cart viewed": _snapshot,
    "cart updated": _snapshot,
    "product added": _delta("add"),
    "product removed": _delta("remove"),
    "checkout started": _checkout,
    "order completed": _order,
    "order refunded": _refund,
    "order cancelled": _cancel,
    "consent granted": _consent(True),
    "consent withdrawn": _consent(False),
    "signed in": _login,
}

EVENT_NAMES = frozenset(_READERS)
"""What says something here, in lower case."""
