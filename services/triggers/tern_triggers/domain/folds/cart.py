"""The fold of one cart: its contents, its changes and its exits (triggers.md §5).

The newest 200 events by (time, delta before snapshot, message id) are walked. The newest k of a set are a function of
the set, so arrival order cannot matter and storage is bounded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from tern_common.commerce import Item
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.story import Moment

KEEP = 200


class Newest(NamedTuple):
    """A cart's newest event, over all customers: its home's customer is the one the cart speaks for.

    Over all statements: of copies that date one message differently the latest counts, so that the maximum of what was
    ever said is all that has to be kept, whatever order it came in.
    """

    at: datetime
    message_id: str
    home_id: str


class Ordered(NamedTuple):
    """An order that named a cart, whoever placed it."""

    at: datetime
    message_id: str


class Cart(NamedTuple):
    """What the walk found. `empties`: the moments at which it reached empty; `first_seen`: product → first mention.

    `filled`: (moment of an event, whether anything was in it afterwards), ascending.
    """

    lines: Mapping[str, Item]
    changes: tuple[Moment, ...]
    empties: tuple[Moment, ...]
    first_seen: Mapping[str, datetime]
    filled: Sequence[tuple[datetime, bool]]

    def held_something(self, at: datetime) -> bool:
        """Whether anything was in it at a moment."""
        place = bisect_right(self.filled, at, key=lambda one: one[0])
        return place > 0 and self.filled[place - 1][1]


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
    filled: list[tuple[datetime, bool]] = []
    for fact in newest_kept(facts, keep):
        before, lines = lines, _after(lines, fact)
        filled.append((fact.at, bool(lines)))
        moment = Moment(fact.at, fact.message_id, fact.home_id, fact.passive)
        for product_id in mentioned(fact):
            first_seen.setdefault(product_id, fact.at)
        if lines and _quantities(lines) != _quantities(before):
            changes.append(moment)
        elif not lines and (before or fact.body.how == "snapshot"):
            empties.append(moment)
    return Cart(lines, tuple(changes), tuple(empties), first_seen, filled)


def mentioned(fact: Fact) -> list[str]:
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


def held_carts(facts: Iterable[Fact]) -> set[str]:
    """The named carts that these facts, of one customer, say anything about."""
    return {fact.key for fact in facts if fact.kind in ("cart", "checkout") and fact.key}
