"""The fold of one cart: its contents, its changes and its exits (triggers.md §5).

The newest 200 events by (time, delta before snapshot, message id) are walked. The newest k of a set are a function of
the set, so arrival order cannot matter and storage is bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from tern_common.commerce import Item
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.story import CartShown, Exit, Gone, Moment, Story

KEEP = 200


class Newest(NamedTuple):
    """A cart's newest event, over all customers: its home's customer is the one the cart speaks for."""

    at: datetime
    message_id: str
    home_id: str


class Ordered(NamedTuple):
    """An order that named a cart, whoever placed it."""

    at: datetime
    message_id: str


class Cart(NamedTuple):
    """What the walk found. `empties`: the moments at which it reached empty; `first_seen`: product → first mention."""

    lines: Mapping[str, Item]
    changes: tuple[Moment, ...]
    empties: tuple[Moment, ...]
    first_seen: Mapping[str, datetime]


def walk_order(fact: Fact) -> tuple[datetime, bool, str]:
    """A snapshot of the same instant already contains the delta, so it comes after it."""
    return fact.at, fact.body.how == "snapshot", fact.message_id


def newest_kept(facts: Iterable[Fact], keep: int = KEEP) -> list[Fact]:
    """The newest `keep` cart facts, oldest first."""
    return sorted(facts, key=walk_order)[-keep:]


def fold_cart(facts: Iterable[Fact], keep: int = KEEP) -> Cart:
    """Walks distinct facts of one cart."""
    lines: dict[str, Item] = {}
    changes: list[Moment] = []
    empties: list[Moment] = []
    first_seen: dict[str, datetime] = {}
    for fact in newest_kept(facts, keep):
        before, lines = lines, _after(lines, fact)
        moment = Moment(fact.at, fact.message_id, fact.home_id, fact.passive)
        for product_id in _mentioned(fact):
            first_seen.setdefault(product_id, fact.at)
        if lines and _quantities(lines) != _quantities(before):
            changes.append(moment)
        elif not lines and (before or fact.body.how == "snapshot"):
            empties.append(moment)
    return Cart(lines, tuple(changes), tuple(empties), first_seen)


def _mentioned(fact: Fact) -> list[str]:
    """Products that were in the cart, as far as this fact tells: what is removed was in it too."""
    return [item.product_id for item in fact.body.items if item.quantity > 0]


def _quantities(lines: Mapping[str, Item]) -> dict[str, int]:
    return {product_id: item.quantity for product_id, item in lines.items()}


def _after(lines: Mapping[str, Item], fact: Fact) -> dict[str, Item]:
    """The cart after one fact: a snapshot replaces, add and remove change with a floor of 0."""
    sign = -1 if fact.body.how == "remove" else 1
    found = {} if fact.body.how == "snapshot" else dict(lines)
    for item in fact.body.items:
        found[item.product_id] = _combined(found.get(item.product_id), item, sign)
    return {product_id: item for product_id, item in found.items() if item.quantity > 0}


def _combined(old: Item | None, item: Item, sign: int) -> Item:
    if old is None:
        return item._replace(quantity=max(0, sign * item.quantity))
    return Item(
        item.product_id,
        max(0, old.quantity + sign * item.quantity),
        old.price if item.price is None else item.price,
        item.name or old.name,
    )


def total(lines: Iterable[Item]) -> Decimal | None:
    """The worth of the lines; None where a price is unknown."""
    worth = Decimal(0)
    for item in lines:
        if item.price is None:
            return None
        worth += item.price * item.quantity
    return worth


class Carts(NamedTuple):
    """One customer's part in carts. `orders` are its own; `foreign` are orders naming the cart, by anyone.

    `newest` has an entry for each named cart that anybody touched.
    """

    homes: frozenset[str]
    facts: Sequence[Fact]
    newest: Mapping[str, Newest]
    foreign: Mapping[str, Sequence[Ordered]]


def cart_stories(carts: Carts, anchors: Mapping[str, Sequence[datetime]], settle: timedelta) -> list[Story]:
    """The story of each cart of the customer and of each further cart in `anchors`, by key.

    `anchors`: cart_id → anchors of the decisions about it. Of the orders that end a cart the story names those that
    can matter to its activity and to these anchors, and the newest: one customer may have thousands of both.
    """
    by_key: dict[str, list[Fact]] = {key: [] for key in anchors}
    for fact in carts.facts:
        if fact.kind in ("cart", "checkout"):
            by_key.setdefault(fact.key, []).append(fact)
    ending = _Orders(carts)
    return [_story(key, by_key[key], ending, anchors.get(key, ()), settle) for key in sorted(by_key)]


def _story(key: str, facts: Sequence[Fact], orders: _Orders, anchors: Sequence[datetime], settle: timedelta) -> Story:
    cart = fold_cart(fact for fact in facts if fact.kind == "cart")
    lines = tuple(cart.lines[product_id] for product_id in sorted(cart.lines))
    worth = total(lines)
    ended = orders.ending(key, cart).around([change.at for change in cart.changes], [at - settle for at in anchors])
    return Story(
        key=key,
        activity=cart.changes,
        exits=(
            *(Exit(empty.at, empty.at, Gone.EMPTIED, empty.message_id) for empty in cart.empties),
            *(Exit(f.at, f.at, Gone.CHECKOUT, f.message_id) for f in facts if f.kind == "checkout"),
            *(Exit(o.at, o.at + settle, Gone.ORDERED, o.message_id) for o in ended),
        ),
        speaks=bool(lines) and _held(key, orders.carts),
        value=worth or Decimal(0),
        shown=CartShown(key, lines, worth),
    )


class _Ending(NamedTuple):
    """The orders that end one cart: ascending lists, each from a place on."""

    lists: Sequence[tuple[Sequence[Ordered], int]]

    def around(self, changes: Iterable[datetime], anchors: Iterable[datetime]) -> set[Ordered]:
        """Of all of them the last before and the first since each change, the first since each anchor, and the last."""
        found = {orders[-1] for orders, begin in self.lists if begin < len(orders)}
        for at in changes:
            found.update(self._beside(at, -1), self._beside(at, 0))
        for at in anchors:
            found.update(self._beside(at, 0))
        return found

    def _beside(self, at: datetime, step: int) -> Iterator[Ordered]:
        """Of each list the first order not before `at`, or with step -1 the one ahead of that."""
        for orders, begin in self.lists:
            place = max(begin, bisect_left(orders, (at,))) + step
            if begin <= place < len(orders):
                yield orders[place]


class _Orders:
    """All orders that can end some cart of one customer, by what they have in common with it."""

    def __init__(self, carts: Carts) -> None:
        self.carts = carts
        self._by_cart: dict[str, list[Ordered]] = {}
        self._by_product: dict[str, list[Ordered]] = {}
        for fact in sorted((f for f in carts.facts if f.kind == "order"), key=lambda f: (f.at, f.message_id)):
            order = Ordered(fact.at, fact.message_id)
            self._by_cart.setdefault(fact.body.cart_id, []).append(order)
            for product_id in {item.product_id for item in fact.body.items}:
                self._by_product.setdefault(product_id, []).append(order)

    def ending(self, key: str, cart: Cart) -> _Ending:
        """Orders naming the cart, by anyone; and the customer's own with a product that was in it by then."""
        bought = self._by_product
        named = self._by_cart.get(key, []) if key else []
        return _Ending(
            [
                (sorted(self.carts.foreign.get(key, ())), 0),
                (named, 0),
                *(
                    (bought[product_id], bisect_left(bought[product_id], (first,)))
                    for product_id, first in cart.first_seen.items()
                    if product_id in bought
                ),
            ]
        )


def _held(key: str, carts: Carts) -> bool:
    """A named cart speaks only for the holder of its newest event; the unnamed one is the customer's own."""
    newest = carts.newest.get(key)
    return newest is None or newest.home_id in carts.homes


def held_carts(facts: Iterable[Fact]) -> set[str]:
    """The named carts that these facts, of one customer, say anything about."""
    return {fact.key for fact in facts if fact.kind in ("cart", "checkout") and fact.key}


def never_read(facts: Iterable[Fact], keep: int = KEEP) -> list[Fact]:
    """The cart facts beyond the newest `keep` of their home and cart: no fold can ever read them again."""
    by_cart: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        if fact.kind == "cart":
            by_cart.setdefault((fact.home_id, fact.key), []).append(fact)
    return [old for found in by_cart.values() for old in sorted(found, key=walk_order)[:-keep]]
