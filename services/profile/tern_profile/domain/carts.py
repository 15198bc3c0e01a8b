"""The contents of carts, as a function of the set of what was said about them.

Kept per cart: the newest snapshot and what was said after it, at most `statements` of them; none older than the newest
statement about any cart by more than `window`; and where there are `kept` carts, none older than the last one about the
cart spoken of `kept`-th last. A statement is dropped only for newer ones, which are themselves kept or dropped for
still newer ones: so the bounded fold stays commutative and associative. Knows no order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from heapq import nlargest
from itertools import chain, pairwise
from typing import Literal, NamedTuple

from msgspec import Struct

from tern_common.commerce import Item
from tern_profile.domain.policy import CartPolicy

Carts = dict[str, "list[Heard]"]


class Heard(Struct, array_like=True, frozen=True):
    """One statement about a cart."""

    at: datetime
    message_id: str
    how: Literal["snapshot", "add", "remove"]
    items: tuple[Item, ...]


class Cart(NamedTuple):
    """A cart as it stands after its last statement. `items` is empty when it was emptied."""

    cart_id: str
    items: tuple[Item, ...]
    updated_at: datetime


_Rank = tuple[datetime, bool, str, str, tuple[tuple[str, int, str, str], ...]]


def _rank(heard: Heard) -> _Rank:
    """By time, a change before a snapshot (which already contains it), then by id; the rest makes the order total."""
    items = tuple((item.product_id, item.quantity, str(item.price), item.name or "") for item in heard.items)
    return heard.at, heard.how == "snapshot", heard.message_id, heard.how, items


def fold(parts: Iterable[Mapping[str, list[Heard]]], policy: CartPolicy) -> Carts:
    """What all parts heard, without what is overruled. Each part is a single statement or itself a fold."""
    heard: dict[str, list[list[Heard]]] = {}
    for part in parts:
        for cart_id, said in part.items():
            heard.setdefault(cart_id, []).append(said)
    return _recent({cart_id: _relevant(lists, policy.statements) for cart_id, lists in heard.items()}, policy)


def _relevant(lists: list[list[Heard]], most: int) -> list[Heard]:
    if len(lists) == 1:
        return lists[0]
    heard = list(chain.from_iterable(lists))
    if any(a.at >= b.at for a, b in pairwise(heard)):  # most come in order, and to rank them takes far longer
        heard.sort(key=_rank)
    newest = max((place for place, one in enumerate(heard) if one.how == "snapshot"), default=0)
    return heard[newest:][-most:]


def _recent(carts: Carts, policy: CartPolicy) -> Carts:
    """Without statements older than the window, or than the floor."""
    if not carts:
        return carts
    oldest = max(heard[-1].at for heard in carts.values()) - policy.window
    floor = _floor(carts, policy.kept)
    if floor is None and all(heard[0].at >= oldest for heard in carts.values()):
        return carts

    def stays(one: Heard, cart_id: str) -> bool:
        return one.at >= oldest and (floor is None or (_rank(one), cart_id) >= floor)

    left = ((cart_id, [one for one in heard if stays(one, cart_id)]) for cart_id, heard in carts.items())
    return {cart_id: heard for cart_id, heard in left if heard}


def _floor(carts: Carts, kept: int) -> tuple[_Rank, str] | None:
    """The last statement about the cart spoken of `kept`-th last. It only ever rises, and what is kept tells it: the
    last statement about a cart is dropped with the cart, and never among the last `kept`."""
    if len(carts) < kept:
        return None
    return nlargest(kept, ((_rank(heard[-1]), cart_id) for cart_id, heard in carts.items()))[-1]


def last_cart(carts: Mapping[str, list[Heard]]) -> Cart | None:
    """The cart that was spoken of last, or None when none ever was."""
    if not carts:
        return None
    cart_id = max(carts, key=lambda one: (_rank(carts[one][-1]), one))
    return Cart(cart_id, _walk(carts[cart_id]), carts[cart_id][-1].at)


def _walk(heard: Iterable[Heard]) -> tuple[Item, ...]:
    found: dict[str, Item] = {}
    for one in heard:
        if one.how == "snapshot":
            found = {}
        for item in one.items:
            _change(found, item, -item.quantity if one.how == "remove" else item.quantity)
    return tuple(found.values())


def _change(found: dict[str, Item], item: Item, by: int) -> None:
    """The newest price and name speak; nothing falls below zero."""
    known = found.get(item.product_id, item)
    quantity = by + (known.quantity if item.product_id in found else 0)
    if quantity <= 0:
        found.pop(item.product_id, None)
        return
    price = item.price if item.price is not None else known.price
    found[item.product_id] = Item(item.product_id, quantity, price, item.name or known.name)
