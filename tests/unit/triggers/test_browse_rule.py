"""`fold: browse`: looking around that came to nothing (triggers.md §4.2, §12)."""

from __future__ import annotations

from typing import Any

import pytest

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.rules import RULE
from tern_triggers.domain.story import Gone, ReasonShown
from unit.triggers.saying import OTHER, at, candidates_of, checkout, event, order, said, snap, story_of, view
from unit.triggers.saying import item as line

BROWSE = RULE.validate_python(
    {
        "rule": "looked_around",
        "kind": "inactivity",
        "family": "browse",
        "fold": "browse",
        "purpose": "marketing",
        "channels": ["email"],
        "steps": [{"after": "1h", "expires_after": "24h"}],
    }
)


def viewed(minutes: float, message_id: str, product: str = "tea", category: str = "drinks", **more: Any) -> Fact:
    return event("Product Viewed", minutes, message_id, product_id=product, category=category, **more)


def looked(*facts: Fact) -> list[str]:
    return [candidate.start.message_id for candidate in candidates_of(BROWSE, view(*facts))]


def test_an_hour_after_the_last_view_over_all_homes() -> None:
    (candidate,) = candidates_of(BROWSE, view(viewed(0, "m1"), viewed(20, "m2", home=OTHER)))
    assert (candidate.cycle_ref, candidate.due) == ("m1", at(80))


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (snap(9, "m9", "cup"), Gone.CARTED),
        (snap(9, "m9", "cup", cart=""), Gone.CARTED),
        (checkout(9, "m9"), Gone.CHECKOUT),
        (order(9, "o1", "soap"), Gone.ORDERED),
        (snap(5, "m9", "cup"), Gone.CARTED),
    ],
)
def test_a_change_of_any_cart_a_checkout_or_an_order_ends_it(end: Fact, why: Gone) -> None:
    assert looked(viewed(5, "m1"), end) == []
    assert [one.why for one in story_of(BROWSE, view(viewed(5, "m1"), end)).exits] == [why]
    assert looked(viewed(5, "m1"), end, viewed(10, "m2")) == ["m2"]


def test_a_cart_event_that_changes_nothing_ends_nothing() -> None:
    assert looked(snap(0, "m0", "cup"), viewed(5, "m1"), snap(9, "m9", "cup")) == ["m1"]
    assert looked(viewed(5, "m1"), said("remove", 9, "m9", line("cup"))) == ["m1"]


def test_late_views_start_nothing_but_late_exits_end() -> None:
    assert looked(viewed(5, "m1", late=True)) == []
    assert looked(viewed(5, "m1"), snap(9, "m9", "cup", late=True)) == []


def test_it_shows_product_and_category_of_the_last_view_that_counts() -> None:
    seen = view(
        viewed(0, "m0", "pot", "kitchen"),
        order(1, "o1"),
        viewed(5, "m1"),
        viewed(9, "m2", "cup", "kitchen"),
        viewed(12, "m3", "soap", "bath", late=True),
    )
    assert story_of(BROWSE, seen).shown == ReasonShown({"views": 2}, "cup", "kitchen")


def test_a_view_that_names_nothing_shows_nothing() -> None:
    assert story_of(BROWSE, view(event("Product Viewed", 0, "m1", late=True))).shown == ReasonShown({"views": 1})
    assert candidates_of(BROWSE, view(snap(0, "m1", "tea"))) == []
