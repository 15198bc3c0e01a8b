"""Facts: what one event says that a live rule reads, filed under the event's home.

A customer's state is the *set* of its facts. Copies of one message that differ (a retry with another clock) count
once: the least by (time, passive, body) stays, whatever order they come in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec

from tern_common import commerce
from tern_common.commerce import (
    CancelSaid,
    CartSaid,
    CheckoutSaid,
    Item,
    OrderSaid,
    RefundSaid,
    properties_of,
    read,
)
from tern_common.errors import Poison
from tern_common.events import Event
from tern_triggers.domain.rules import Reads, event_key

Kind = Literal["cart", "checkout", "order", "refund", "cancel", "seen", "event"]
How = Literal["snapshot", "add", "remove", ""]
Said = str | int | float | bool

TEXT_LIMIT = 256
"""Characters of a property that are kept: a condition compares words, not essays."""


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a fact says beyond its key. `how` is of cart facts; `cart_id`, `total` and `currency` are of orders.

    `amount` is of refunds; none means the whole order. `said`: of an event's properties those that a rule reads.
    `first`: of a day on which somebody was seen, the message that said so, and whether it knew who it was.
    """

    how: How = ""
    cart_id: str = ""
    items: tuple[Item, ...] = ()
    total: Decimal | None = None
    currency: str | None = None
    amount: Decimal | None = None
    said: dict[str, Said] = {}
    first: str = ""
    known: bool = False


class Fact(msgspec.Struct, frozen=True):
    """One thing that happened. `key` is the cart_id ('' = the unnamed cart), the order_id, the event's name, or the
    day that somebody was seen on.

    `passive`: it came more than four hours late or from the backfill lane. It may end a cycle, but starts or resets
    none of a rule that ignores history (triggers.md §4.1). `message_id` is empty for days: one fact holds for all
    messages of a day, the first of them.
    """

    home_id: str
    kind: Kind
    key: str
    message_id: str
    at: datetime
    passive: bool
    body: Body

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What identifies it: its copies have the same."""
        return self.home_id, self.kind, self.key, self.message_id


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Body)


def encode_body(body: Body) -> bytes:
    """Deterministic JSON, so that equal bodies are equal bytes."""
    return _encoder.encode(body)


def decode_body(value: bytes) -> Body:
    """The inverse of `encode_body`."""
    return _decoder.decode(value)


def facts_of(event: Event, home_id: str, wanted: Reads) -> tuple[Fact, ...]:
    """The facts in an event that the rules read. Raises `Poison`."""
    found = [*_commerce(event, wanted), *_named(event, wanted), *_seen(event, wanted)]
    if not found:
        return ()
    at = _stamped(event)
    passive = event.late or event.mode == "backfill"
    return tuple(Fact(home_id, kind, key, message_id, at, passive, body) for kind, key, message_id, body in found)


_Part = tuple[Kind, str, str, Body]


def _commerce(event: Event, wanted: Reads) -> list[_Part]:
    said = read(event)
    found = _parts(said) if said is not None else None
    if found is None or found[0] not in wanted.kinds:
        return []
    kind, key, body = found
    return [(kind, key, event.message_id, body)]


def _named(event: Event, wanted: Reads) -> list[_Part]:
    if event.type != "track" or event.name is None:
        return []
    key = event_key(event.name)
    kept = wanted.events.get(key)
    if kept is None:
        return []
    properties = properties_of(event)
    said = {name: value for name, path in _by_path(kept) if (value := _scalar(_at(properties, path))) is not None}
    return [("event", key, event.message_id, Body(said=said))]


def _seen(event: Event, wanted: Reads) -> list[_Part]:
    """One fact a day and home, the earliest of it: absence is counted in months."""
    if "seen" not in wanted.kinds:
        return []
    known = event.user_id is not None
    return [
        ("seen", event.event_time.astimezone(UTC).date().isoformat(), "", Body(first=event.message_id, known=known))
    ]


@lru_cache(maxsize=1024)
def _by_path(kept: frozenset[str]) -> Sequence[tuple[str, Sequence[str]]]:
    """Dotted paths, each with its parts: taken apart once for all events of a name."""
    return tuple((name, tuple(name.split("."))) for name in sorted(kept))


def _at(properties: Mapping[str, Any], path: Sequence[str]) -> object:
    """What a path leads to."""
    found: object = properties
    for name in path:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _scalar(raw: object) -> Said | None:
    if isinstance(raw, str):
        return raw.strip()[:TEXT_LIMIT]
    return raw if isinstance(raw, bool | int | float) else None


def _stamped(event: Event) -> datetime:
    """The event's time in UTC; `decode_event` has seen to its range. Raises `Poison` where storage would fail."""
    if "\x00" in event.message_id:
        raise Poison("message-id-with-nul")
    return event.event_time.astimezone(UTC)


def _parts(said: commerce.Said) -> tuple[Kind, str, Body] | None:
    match said:
        case CartSaid(cart_id, how, items):
            return "cart", cart_id, Body(how=how, items=items)
        case CheckoutSaid(cart_id, items):
            return "checkout", cart_id, Body(items=items)
        case OrderSaid(order_id, cart_id, items, total, currency):
            return "order", order_id, Body(cart_id=cart_id, items=items, total=total, currency=currency)
        case RefundSaid(order_id, amount):
            return "refund", order_id, Body(amount=amount)
        case CancelSaid(order_id):
            return "cancel", order_id, Body()
        case _:
            return None


def cart_of(fact: Fact) -> str:
    """The cart_id that the fact names, or ''."""
    return fact.key if fact.kind in ("cart", "checkout") else fact.body.cart_id


def precedence(fact: Fact) -> tuple[datetime, bool, bytes]:
    """Among copies of one message the least of this counts."""
    return fact.at, fact.passive, encode_body(fact.body)


def distinct(facts: Iterable[Fact]) -> list[Fact]:
    """The set behind the copies, also of those under several homes, by (time, message id, kind, key, home).

    Days on which somebody was seen are no messages: each home has its own.
    """
    kept: dict[tuple[str, str, str, str], Fact] = {}
    for fact in facts:
        name = fact.name if not fact.message_id else ("", *fact.name[1:])
        other = kept.get(name)
        if other is None or (*precedence(fact), fact.home_id) < (*precedence(other), other.home_id):
            kept[name] = fact
    return sorted(kept.values(), key=lambda fact: (fact.at, fact.message_id, fact.kind, fact.key, fact.home_id))
