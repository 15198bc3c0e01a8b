"""All carts of one customer: what is in them, what ends them, and the stories of those that were left (triggers.md §5).

A cart's orders are those that name it, whoever placed them, and the customer's own of a product that was in it by then.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from tern_common.commerce import Item
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.cart import KEEP, Cart, Carts, Ordered, fold_cart, mentioned, total
from tern_triggers.domain.story import CartShown, Exit, Gone, Moment, Story


class CartTold(NamedTuple):
    """What one cart of one customer comes to. `lines`: what is in it; of a cart that only checkouts tell of, theirs.

    `checkouts` ascend. `held`: whether this customer may be told about it.
    """

    key: str
    cart: Cart
    checkouts: Sequence[Fact]
    lines: tuple[Item, ...]
    ending: Ending
    held: bool


class CartsTold:
    """All carts of one customer, each folded once, whichever rules ask."""

    def __init__(self, carts: Carts) -> None:
        self._carts = carts
        self._facts: dict[str, list[Fact]] = {}
        for fact in carts.facts:
            if fact.kind in ("cart", "checkout"):
                self._facts.setdefault(fact.key, []).append(fact)
        self._orders = _Orders(carts)
        self._told: dict[str, CartTold] = {}

    @property
    def keys(self) -> Collection[str]:
        """The carts that the customer's own events speak of."""
        return self._facts.keys()

    def of(self, key: str) -> CartTold:
        """One of them, or a cart that only others speak of."""
        if key not in self._told:
            self._told[key] = self._tell(key)
        return self._told[key]

    def _tell(self, key: str) -> CartTold:
        facts = self._facts.get(key, ())
        cart = fold_cart(fact for fact in facts if fact.kind == "cart")
        checkouts = sorted((f for f in facts if f.kind == "checkout"), key=lambda f: (f.at, f.message_id))[-KEEP:]
        lines = tuple(cart.lines[product_id] for product_id in sorted(cart.lines))
        return CartTold(
            key,
            cart,
            checkouts,
            lines or next((f.body.items for f in reversed(checkouts) if f.body.items), ()),
            self._orders.ending(key, _first_seen(cart, checkouts)),
            _held(key, self._carts),
        )


def _first_seen(cart: Cart, checkouts: Iterable[Fact]) -> dict[str, datetime]:
    """Product → when it was first said to be in the cart. What a checkout lists was in it."""
    found = dict(cart.first_seen)
    for fact in checkouts:
        for product_id in mentioned(fact):
            found[product_id] = min(found.get(product_id, fact.at), fact.at)
    return found


def cart_stories(carts: CartsTold, anchors: Mapping[str, Sequence[datetime]], settle: timedelta) -> list[Story]:
    """The story of each cart of the customer and of each further cart in `anchors`, by key.

    `anchors`: cart_id → anchors of the decisions about it. Of the orders that end a cart the story names those that
    can matter to its activity and to these anchors, and the newest: one customer may have thousands of both.
    """
    return [_story(carts.of(key), anchors.get(key, ()), settle) for key in sorted({*carts.keys, *anchors})]


def _story(told: CartTold, anchors: Sequence[datetime], settle: timedelta) -> Story:
    changes = told.cart.changes
    return story_of(
        told,
        changes,
        (
            *(Exit(f.at, f.at, Gone.CHECKOUT, f.message_id) for f in told.checkouts),
            *ended_by(told, changes, anchors, settle),
        ),
        speaks=bool(told.cart.lines),
    )


def ended_by(
    told: CartTold, activity: Iterable[Moment], anchors: Iterable[datetime], settle: timedelta
) -> tuple[Exit, ...]:
    """What ends cart and checkout alike: it was emptied, or ordered; the echo of an order belongs to it."""
    ordered = told.ending.around([one.at for one in activity], [at - settle for at in anchors])
    return (
        *(Exit(empty.at, empty.at, Gone.EMPTIED, empty.message_id) for empty in told.cart.empties),
        *(Exit(order.at, order.at + settle, Gone.ORDERED, order.message_id) for order in ordered),
    )


def story_of(told: CartTold, activity: tuple[Moment, ...], exits: tuple[Exit, ...], *, speaks: bool) -> Story:
    """A story that shows what is in the cart, to its holder alone."""
    worth = total(told.lines)
    return Story(
        key=told.key,
        activity=activity,
        exits=exits,
        speaks=speaks and told.held,
        value=worth or Decimal(0),
        shown=CartShown(told.key, told.lines, worth),
    )


class Ending(NamedTuple):
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
        self._foreign = carts.foreign
        self._by_cart: dict[str, list[Ordered]] = {}
        self._by_product: dict[str, list[Ordered]] = {}
        for fact in sorted((f for f in carts.facts if f.kind == "order"), key=lambda f: (f.at, f.message_id)):
            order = Ordered(fact.at, fact.message_id)
            self._by_cart.setdefault(fact.body.cart_id, []).append(order)
            for product_id in {item.product_id for item in fact.body.items}:
                self._by_product.setdefault(product_id, []).append(order)

    def ending(self, key: str, first_seen: Mapping[str, datetime]) -> Ending:
        """Orders naming the cart, by anyone; and the customer's own with a product that was in it by then."""
        bought = self._by_product
        named = self._by_cart.get(key, []) if key else []
        found = [
            (sorted(self._foreign.get(key, ())), 0),
            (named, 0),
            *(
                (bought[product_id], bisect_left(bought[product_id], (first,)))
                for product_id, first in first_seen.items()
                if product_id in bought
            ),
        ]
        return Ending([one for one in found if one[0]])


def _held(key: str, carts: Carts) -> bool:
    """A named cart speaks only for the holder of its newest event; the unnamed one is the customer's own."""
    newest = carts.newest.get(key)
    return newest is None or newest.home_id in carts.homes
