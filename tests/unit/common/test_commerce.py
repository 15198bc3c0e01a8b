"""What events say about carts, orders and consent, read tolerantly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common import commerce
from tern_common.commerce import (
    CancelSaid,
    CartSaid,
    CheckoutSaid,
    ConsentSaid,
    Item,
    LoginSaid,
    OrderSaid,
    RefundSaid,
    Said,
)
from tern_common.events import Event, EventType

AT = datetime(2026, 3, 1, tzinfo=UTC)


def said(name: str | None, properties: Any = None, kind: EventType = "track") -> Said | None:
    raw = Raw(json.dumps({} if properties is None else properties).encode())
    return commerce.read(
        Event(message_id="m1", type=kind, name=name, event_time=AT, received_at=AT, source_id="s", properties=raw)
    )


def test_a_whole_cart_is_a_snapshot() -> None:
    products = [{"product_id": "p1", "quantity": 2, "price": 9.5, "name": "Mug"}, {"sku": "s2"}]
    assert said("Cart Updated", {"cart_id": "cart-1", "products": products}) == CartSaid(
        "cart-1", "snapshot", (Item("p1", 2, Decimal("9.5"), "Mug"), Item("s2", 1))
    )


def test_an_empty_list_of_products_empties_the_cart_and_a_missing_one_says_nothing() -> None:
    assert said("Cart Updated", {"products": []}) == CartSaid("", "snapshot", ())
    assert said("Cart Viewed", {"cart_id": "cart-1"}) is None


@pytest.mark.parametrize(("name", "how"), [("Product Added", "add"), ("Product Removed", "remove")])
def test_single_products_change_the_cart(name: str, how: str) -> None:
    assert said(name, {"cart_id": "c-77", "product_id": "p1", "quantity": 3}) == CartSaid("c-77", how, (Item("p1", 3),))  # type: ignore[arg-type]
    assert said(name, {"products": [{"id": "p9"}]}) == CartSaid("", how, (Item("p9", 1),))  # type: ignore[arg-type]
    assert said(name, {"cart_id": "c-77"}) is None


def test_a_checkout_names_its_cart() -> None:
    assert said("Checkout Started", {"cart_id": "c-77"}) == CheckoutSaid("c-77", ())


def test_an_order_carries_number_cart_total_and_products() -> None:
    order = {
        "order_id": 4711,
        "cart_id": "c-77",
        "total": "120.50",
        "currency": "EUR",
        "products": [{"product_id": "p"}],
    }
    assert said("Order Completed", order) == OrderSaid("4711", "c-77", (Item("p", 1),), Decimal("120.5"), "EUR")


def test_an_order_without_a_number_is_named_by_its_message() -> None:
    assert said("Order Completed", {"revenue": 5}) == OrderSaid("m1", "", (), Decimal(5), None)


@pytest.mark.parametrize("junk", ["null", "undefined", "0000", "-1", "", "  ", True, {}, [], None])
def test_blocked_words_are_no_cart_and_no_order(junk: object) -> None:
    order = said("Order Completed", {"order_id": junk, "cart_id": junk})
    assert order == OrderSaid("m1", "", (), None, None)


def test_a_refund_without_an_amount_is_full_and_one_of_products_is_their_worth() -> None:
    assert said("Order Refunded", {"order_id": "o-1"}) == RefundSaid("o-1", None)
    assert said("Order Refunded", {"order_id": "o-1", "total": 3}) == RefundSaid("o-1", Decimal(3))
    some = [{"product_id": "p", "price": 2.5, "quantity": 2}]
    assert said("Order Refunded", {"order_id": "o-1", "products": some}) == RefundSaid("o-1", Decimal(5))
    assert said("Order Refunded", {"order_id": "o-1", "products": [{"product_id": "p"}]}) == RefundSaid("o-1", None)
    assert said("Order Refunded", {}) is None


def test_money_that_goes_back_is_the_same_money_whatever_its_sign() -> None:
    assert said("Order Refunded", {"order_id": "o-1", "total": -3}) == RefundSaid("o-1", Decimal(3))


def test_a_cancellation_needs_its_order() -> None:
    assert said("Order Cancelled", {"order_id": "o-1"}) == CancelSaid("o-1")
    assert said("Order Cancelled", {}) is None


def test_consent_is_for_marketing_unless_it_says_otherwise() -> None:
    assert said("Consent Granted", {"channel": "Email"}) == ConsentSaid(True, "marketing", "email", None, None)
    withdrawn = said("Consent Withdrawn", {"channel": "sms", "purpose": "service", "proof": "form-7"})
    assert withdrawn == ConsentSaid(False, "service", "sms", None, "form-7")
    assert said("Consent Granted", {}) is None


@pytest.mark.parametrize("word", ["a/b", "a b", "a\x00", "x" * 33, "短信", "\ud800", 7.5, ["sms"], True, "x" * 300])
def test_a_purpose_or_channel_that_is_no_short_token_says_nothing(word: object) -> None:
    assert said("Consent Withdrawn", {"channel": word}) is None
    assert said("Consent Withdrawn", {"channel": "email", "purpose": word}) is None


@pytest.mark.parametrize("word", ["", "  ", None])
def test_no_purpose_is_marketing_and_no_channel_is_nothing(word: object) -> None:
    assert said("Consent Granted", {"channel": "in-app_2", "purpose": word}) == ConsentSaid(
        True, "marketing", "in-app_2", None, None
    )
    assert said("Consent Granted", {"channel": word, "purpose": "service"}) is None


def test_consent_may_name_the_contact_it_is_for() -> None:
    granted = said("Consent Granted", {"channel": "email", "email": " Ann@Example.COM "})
    assert isinstance(granted, ConsentSaid)
    assert granted.contact == ("email", "ann@example.com")


@pytest.mark.parametrize(("channel", "namespace"), [("email", "email"), ("push", "email"), ("sms", "phone")])
def test_where_two_contacts_are_named_consent_is_for_the_one_that_the_channel_reaches(
    channel: str, namespace: str
) -> None:
    granted = said("Consent Granted", {"channel": channel, "email": "ann@example.com", "phone": "+8613800138000"})
    assert isinstance(granted, ConsentSaid)
    assert granted.contact
    assert granted.contact[0] == namespace


def test_names_are_read_whatever_their_case() -> None:
    assert said("signed in ") == LoginSaid()


def test_other_events_say_nothing() -> None:
    assert said("Order Completed", kind="page") is None
    assert said(None) is None
    assert said("Something Else") is None


@pytest.mark.parametrize(
    "written",
    [b"{", b'{"cart_id": "\xff"}', b'{"total": 1e999}', b"[" * 100_000],
    ids=["cut off", "no text", "endless", "deep"],
)
def test_properties_that_are_no_object_say_nothing(written: bytes) -> None:
    assert said("Cart Updated", [1, 2]) is None
    broken = Event(
        message_id="m",
        type="track",
        name="Cart Updated",
        event_time=AT,
        received_at=AT,
        source_id="s",
        properties=Raw(written),
    )
    assert commerce.read(broken) is None


@pytest.mark.parametrize("raw", [True, None, "x", "NaN", "1e40", -(10**12), "1e9999999", "-1e9999999", [], {}])
def test_what_is_no_sane_amount_is_none(raw: object) -> None:
    assert commerce.amount(raw) is None


def test_a_price_with_an_endless_exponent_is_no_price_and_stops_nobody() -> None:
    """Fourteen bytes that anybody may send: arithmetic with such a number raises, and a consumer would end by it."""
    lines = [{"product_id": "p", "price": "1e9999999", "quantity": "-1e9999999"}]
    assert said("Cart Updated", {"products": lines}) == CartSaid("", "snapshot", (Item("p", 0),))


@pytest.mark.parametrize(("raw", "quantity"), [(None, 1), ("3", 3), (2.9, 2), (-4, 0), ("x", 0), (10**9, 1_000_000)])
def test_quantities_are_bounded(raw: object, quantity: int) -> None:
    assert said("Product Added", {"product_id": "p", "quantity": raw}) == CartSaid("", "add", (Item("p", quantity),))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


PROPERTIES = ["cart_id", "order_id", "total", "revenue", "amount", "currency", "purpose", "channel", "email", "phone"]
LINE = ["product_id", "sku", "quantity", "price", "name"]
EXTREMES = [
    "1e9999999",
    "-1e9999999",
    "1e-9999999",
    "sNaN",
    "-Infinity",
    "\u0663",
    "9" * 30_000,
    10**4000,
    1e308,
    5e-324,
]


@pytest.mark.parametrize("name", sorted(commerce.EVENT_NAMES))
@pytest.mark.parametrize("extreme", EXTREMES, ids=range(len(EXTREMES)))
def test_what_no_arithmetic_bears_makes_no_event_fail(name: str, extreme: object) -> None:
    line = dict.fromkeys(LINE, extreme)
    said(name, line | dict.fromkeys(PROPERTIES, extreme) | {"products": [line, {"product_id": "p", "price": extreme}]})


@given(
    st.sampled_from(["Cart Updated", "Product Added", "Order Completed", "Order Refunded", "Consent Granted"]),
    st.dictionaries(
        st.sampled_from(["cart_id", "order_id", "products", "total", "quantity", "product_id", "channel", "email"]),
        json_values | st.lists(st.dictionaries(st.sampled_from(["product_id", "price", "quantity"]), json_values)),
    ),
)
def test_no_properties_whatever_make_it_fail(name: str, properties: dict[str, Any]) -> None:
    said(name, properties)


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9)))
def test_amounts_add_up_in_any_order(values: list[Decimal]) -> None:
    read = [a for a in (commerce.amount(str(v)) for v in values) if a is not None]
    assert sum(read, Decimal(0)) == sum(reversed(read), Decimal(0))
