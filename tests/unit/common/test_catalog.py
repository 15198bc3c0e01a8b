"""Which events are about a product, and what they say of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tern_common import catalog
from tern_common.catalog import ProductSaid
from unit.common.saying import event

NAMES = (
    "Product Updated",
    "Product Price Changed",
    "Product Price Dropped",
    "Product Stock Changed",
    "Product Back In Stock",
)


@pytest.mark.parametrize("name", [*NAMES, " product back IN stock "])
def test_a_change_of_price_or_stock_is_about_a_product(name: str) -> None:
    told = event(name=name, user_id="u-1", properties={"product_id": "p-1", "price": 9.5, "stock": 3})
    assert catalog.is_product_event(told)
    assert catalog.read(told) == ProductSaid("p-1", Decimal("9.5"), Decimal(3))


@pytest.mark.parametrize("name", ["Product Viewed", "Product Added", "Order Completed", None])
def test_what_people_do_is_not(name: str | None) -> None:
    assert not catalog.is_product_event(event(name=name, properties={"product_id": "p-1"}))


def test_a_page_named_like_a_product_event_is_somebodys() -> None:
    assert not catalog.is_product_event(event(type="page", name=NAMES[0], properties={"product_id": "p-1"}))


@pytest.mark.parametrize(
    ("properties", "product_id"),
    [({"product_id": " 7 "}, "7"), ({"product_id": 7}, "7"), ({"sku": "s-1", "id": "x"}, "s-1"), ({"id": "x"}, "x")],
)
def test_a_product_is_named_as_on_a_line_of_a_cart(properties: dict[str, Any], product_id: str) -> None:
    assert catalog.read(event(name=NAMES[0], properties=properties)) == ProductSaid(product_id)


@pytest.mark.parametrize(
    "properties",
    [{}, [], None, 5, {"product_id": ""}, {"product_id": "undefined"}, {"product_id": {}}, {"product_id": "a\x00b"}],
)
def test_what_names_no_product_says_nothing(properties: object) -> None:
    assert catalog.read(event(name=NAMES[0], properties=properties)) is None


@pytest.mark.parametrize("price", ["cheap", "1e9999999", "-1e9999999", 10**4000], ids=range(4))
def test_an_ill_formed_price_says_nothing_of_the_price(price: object) -> None:
    told = event(name=NAMES[0], properties={"product_id": "p-1", "price": price, "stock": True})
    assert catalog.read(told) == ProductSaid("p-1")
