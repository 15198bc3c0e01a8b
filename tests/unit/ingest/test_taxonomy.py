"""The taxonomy is data that fits the code which reads events, and its checks say what is wrong and reject nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from tern_common import commerce
from tern_common.catalog import PRODUCT_EVENTS
from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured
from tern_common.events import Event
from tern_common.identifiers.reading import CONTACT_EVENTS
from tern_common.policy import load_policy
from tern_common.shipped import shipped
from tern_ingest.domain.taxonomy import Taxonomy, Vocabulary
from tern_triggers.domain.rules import vocabulary

TAXONOMY = load_policy(shipped("tern_ingest", "taxonomy.yaml"), Taxonomy)
VOCABULARY = Vocabulary(TAXONOMY)
NOW = ManualClock().now()
GONE, BAD = "missing", "ill-formed"
CART = [{"product_id": "p1", "quantity": 2, "price": "9.90"}, {"sku": 7}]


def faults(name: str, **properties: Any) -> set[tuple[str, str]]:
    raw = Raw(json.dumps(properties).encode())
    event = Event(
        message_id="m", type="track", event_time=NOW, received_at=NOW, source_id="s", name=name, properties=raw
    )
    known = VOCABULARY.known(name)
    assert known is not None
    return {tuple(fault) for fault in VOCABULARY.faults(event, known)}  # type: ignore[misc]


def readers(word: str) -> set[str]:
    return {name.casefold() for name, entry in TAXONOMY.events.items() if word in entry.read_by}


def test_every_event_that_code_reads_is_in_it_with_who_reads_it() -> None:
    everybody = readers("identity") | readers("profile") | readers("triggers")
    assert everybody >= commerce.EVENT_NAMES
    assert readers("identity") == CONTACT_EVENTS | PRODUCT_EVENTS


def test_every_word_that_rules_may_use_is_in_it() -> None:
    for name, properties in vocabulary.EVENTS.items():
        known = VOCABULARY.known(name)
        assert known is not None, name
        shape = TAXONOMY.whole(known)
        written = {part for about in shape.required | shape.optional for part in about.split("|")}
        assert properties <= written, (name, properties - written)


def test_names_are_known_whatever_their_case() -> None:
    assert VOCABULARY.known(" order COMPLETED ") == "Order Completed"
    assert VOCABULARY.known("Order Dreamt Of") is None


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("Order Completed", {"order_id": "o1", "revenue": "19.80", "currency": "EUR", "products": CART}),
        ("Order Completed", {"order_id": 12, "total": 0, "coupon": "", "email": None, "own_field": {"a": 1}}),
        ("Cart Updated", {"products": []}),
        ("Product Viewed", {"id": "p1"}),
        ("Consent Granted", {"channel": "email"}),
        ("Survey Answered", {"survey": "nps", "score": 9}),
        ("Product Updated", {"product_id": "p", "available": True, "stock": 3}),
        ("Product List Filtered", {"filters": [], "sorts": [1]}),
    ],
)
def test_what_is_as_expected_has_no_fault(name: str, properties: dict[str, Any]) -> None:
    assert faults(name, **properties) == set()


@pytest.mark.parametrize(
    ("name", "properties", "found"),
    [
        ("Order Completed", {}, {("order_id", GONE), ("total|revenue|value", GONE)}),
        ("Order Completed", {"order_id": "", "total": "a lot"}, {("order_id", GONE), ("total|revenue|value", BAD)}),
        ("Cart Updated", {"products": {"p": 1}}, {("products", BAD)}),
        ("Cart Updated", {"products": [{"quantity": 1}]}, {("products", BAD)}),
        ("Cart Updated", {"products": ["p1"]}, {("products", BAD)}),
        ("Product Viewed", {"product_id": True}, {("product_id|sku|id", BAD)}),
        ("Product Viewed", {"product_id": "x" * 257, "quantity": -1}, {("product_id|sku|id", BAD), ("quantity", BAD)}),
        ("Order Refunded", {"order_id": "o", "currency": "euro"}, {("currency", BAD)}),
        ("Consent Granted", {"channel": "by post, please"}, {("channel", BAD)}),
        ("Product Updated", {"sku": 1, "available": "yes"}, {("available", BAD)}),
    ],
)
def test_what_is_missing_or_ill_formed_is_named(name: str, properties: dict[str, Any], found: set[Any]) -> None:
    assert faults(name, **properties) == found


def test_what_a_property_should_be_is_told() -> None:
    assert VOCABULARY.expected("Order Completed", "order_id") == "a text of 1 to 256 characters, or a number"
    assert VOCABULARY.expected("Order Completed", "gone") is None
    assert VOCABULARY.expected("Gone", "order_id") is None


@pytest.mark.parametrize("written", ["shapes: {}\nevents: {A: {}}\n", "shapes: {product: {}}\nevents: {A: {of: b}}\n"])
def test_a_taxonomy_that_points_nowhere_is_refused(written: str, tmp_path: Any) -> None:
    path = tmp_path / "taxonomy.yaml"
    path.write_text("version: 1\n" + written)
    with pytest.raises(Misconfigured):
        load_policy(path, Taxonomy)
