"""The contents of carts, as a function of the set of what was said about them.

Kept per cart: the newest snapshot and what was said after it, at most `statements` of them, and none older than the
newest statement about any cart by more than `window`. A statement is dropped only for newer ones, which are themselves
kept or dropped for still newer ones: so the bounded fold stays commutative and associative. Knows no order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
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


def merge_carts(into: Carts, other: Mapping[str, list[Heard]], policy: CartPolicy) -> None:
    """Adds what `other` heard to `into`, and drops what is overruled."""
    if not other:
        return
    for cart_id, heard in other.items():
        into[cart_id] = _relevant([*into.get(cart_id, ()), *heard], policy.statements)
    oldest = max(heard[-1].at for heard in into.values()) - policy.window
    for cart_id, heard in list(into.items()):
        if heard[0].at < oldest:
            into[cart_id] = [one for one in heard if one.at >= oldest]
        if not into[cart_id]:
            del into[cart_id]


def _relevant(heard: list[Heard], most: int) -> list[Heard]:
    heard.sort(key=_rank)
    newest = max((place for place, one in enumerate(heard) if one.how == "snapshot"), default=0)
    return heard[newest:][-most:]


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
