"""What an event says about a product, which is nobody's: its price or its stock changed. Pure; knows no customer.

Such an event has no person, whoever sent it: it is passed on by its product and filed under nobody (identity.md §0).
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tern_common.commerce import amount, product_id_of, properties_of
from tern_common.events import Event
from tern_common.identifiers import is_blocked_word

CACHED_NAMES = 1 << 12

PRODUCT_EVENTS = frozenset(
    {
        "product updated",
        "product price changed",
        "product price dropped",
        "product stock changed",
        "product back in stock",
    }
)


class ProductSaid(NamedTuple):
    """The state of a product after the event, as far as it says. `price` is per piece; `stock` counts pieces."""

    product_id: str
    price: Decimal | None = None
    stock: Decimal | None = None


def is_product_event(event: Event) -> bool:
    """By its name alone: it goes another way than events of persons, also when it is too ill-formed to go far."""
    return event.type == "track" and event.name is not None and _is_of_products(event.name)


@lru_cache(maxsize=CACHED_NAMES)
def _is_of_products(name: str) -> bool:
    return name.strip().casefold() in PRODUCT_EVENTS


def read(event: Event) -> ProductSaid | None:
    """What a product event says, or None where it names no product that anybody could look up."""
    said = properties_of(event)
    product_id = product_id_of(said)
    if product_id is None or "\x00" in product_id or is_blocked_word(product_id):
        return None
    return ProductSaid(product_id, amount(said.get("price")), amount(said.get("stock")))
