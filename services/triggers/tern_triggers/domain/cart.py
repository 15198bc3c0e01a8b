"""The fold of one cart: its contents, its changes and its exits (triggers.md §5).

The newest 200 events by (time, delta before snapshot, message id) are walked. The newest k of a set are a function of
the set, so arrival order cannot matter and storage is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def cart_stories(carts: Carts, keys: Iterable[str], settle: timedelta) -> list[Story]:
    """The story of each cart of the customer and of each further cart in `keys`, by key."""
    by_key: dict[str, list[Fact]] = {key: [] for key in keys}
    for fact in carts.facts:
        if fact.kind in ("cart", "checkout"):
            by_key.setdefault(fact.key, []).append(fact)
    orders = [fact for fact in carts.facts if fact.kind == "order"]
    return [_story(key, by_key[key], orders, carts, settle) for key in sorted(by_key)]


def _story(key: str, facts: Sequence[Fact], orders: Sequence[Fact], carts: Carts, settle: timedelta) -> Story:
    cart = fold_cart(fact for fact in facts if fact.kind == "cart")
    lines = tuple(cart.lines[product_id] for product_id in sorted(cart.lines))
    worth = total(lines)
    return Story(
        key=key,
        activity=cart.changes,
        exits=(
            *(Exit(empty.at, empty.at, Gone.EMPTIED, empty.message_id) for empty in cart.empties),
            *(Exit(f.at, f.at, Gone.CHECKOUT, f.message_id) for f in facts if f.kind == "checkout"),
            *(Exit(o.at, o.at + settle, Gone.ORDERED, o.message_id) for o in _ending(key, cart, orders, carts)),
        ),
        speaks=bool(lines) and _held(key, carts),
        value=worth or Decimal(0),
        shown=CartShown(key, lines, worth),
    )


def _ending(key: str, cart: Cart, orders: Sequence[Fact], carts: Carts) -> set[Ordered]:
    """Orders naming the cart, by anyone; and the customer's own with a product that was in it by then."""
    ending = set(carts.foreign.get(key, ()))
    for order in orders:
        named = key != "" and order.body.cart_id == key
        if named or any(_seen_by(cart, item.product_id, order.at) for item in order.body.items):
            ending.add(Ordered(order.at, order.message_id))
    return ending


def _seen_by(cart: Cart, product_id: str, at: datetime) -> bool:
    first = cart.first_seen.get(product_id)
    return first is not None and first <= at


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
