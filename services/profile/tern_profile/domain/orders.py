"""Orders by order_id and what came back of them. Knows amounts, not prices: profile.md, dimension value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

NOTHING = Decimal(0)


class Order(Struct, array_like=True, frozen=True):
    """The earliest statement of an order. `total` is None when neither the total nor all prices were said."""

    at: datetime
    message_id: str
    total: Decimal | None = None
    currency: str | None = None
    cart_id: str = ""


class Returned(Struct, array_like=True, frozen=True):
    """What was given back: a sum of amounts, whether all of it was, and whether the order was cancelled."""

    refunded: Decimal = NOTHING
    full: bool = False
    cancelled: bool = False


class Kept(NamedTuple):
    """An order as it stands: `net` is what was paid and not given back; not `kept` when it was undone as a whole."""

    order_id: str
    order: Order
    net: Decimal
    kept: bool


class Totals(NamedTuple):
    """Kept orders: how many, their net value by currency (empty: not said), and when the last one was."""

    orders: int
    value: dict[str, Decimal]
    last_at: datetime | None

    @property
    def leading(self) -> Decimal:
        """The value in the currency most is worth in: sums over currencies would mean nothing."""
        return max(self.value.values(), default=NOTHING)


def earlier(a: Order, b: Order) -> Order:
    """The earliest statement wins; a total order, so that copies cannot make it depend on arrival."""
    return min(a, b, key=_rank)


def _rank(order: Order) -> tuple[datetime, str, str, str, str]:
    return order.at, order.message_id, str(order.total), order.currency or "", order.cart_id


def add_returns(a: Returned, b: Returned) -> Returned:
    """Both together."""
    return Returned(a.refunded + b.refunded, a.full or b.full, a.cancelled or b.cancelled)


def as_kept(orders: Mapping[str, Order], returns: Mapping[str, Returned]) -> list[Kept]:
    """Every order, newest first. Returns of an order that was never stated wait for it."""
    stated = sorted(orders.items(), key=lambda one: (one[1].at, one[0]), reverse=True)
    return [_kept(order_id, order, returns.get(order_id)) for order_id, order in stated]


def _kept(order_id: str, order: Order, back: Returned | None) -> Kept:
    total = order.total or NOTHING
    if back is None:
        return Kept(order_id, order, total, kept=True)
    undone = back.cancelled or back.full or (order.total is not None and NOTHING < back.refunded >= total)
    return Kept(order_id, order, NOTHING if undone else max(total - back.refunded, NOTHING), kept=not undone)


def totals(orders: list[Kept]) -> Totals:
    """What the kept ones come to."""
    value: dict[str, Decimal] = {}
    standing = [one for one in orders if one.kept]
    for one in standing:
        currency = one.order.currency or ""
        value[currency] = value.get(currency, NOTHING) + one.net
    return Totals(len(standing), dict(sorted(value.items())), max((one.order.at for one in standing), default=None))
