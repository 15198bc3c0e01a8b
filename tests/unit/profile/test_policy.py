"""The numbers: shipped with the service, and refused when a profile could not be made with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tern_profile.domain.policy import LARGEST_TRAITS, Policy
from unit.profile.saying import POLICY, heard, identify, track


def changed(**numbers: Any) -> Policy:
    return Policy.model_validate(POLICY.model_dump() | numbers)


def test_the_shipped_numbers_are_those_that_the_readme_names() -> None:
    carts = POLICY.carts.kept, POLICY.carts.statements, POLICY.carts.window
    assert carts == (20, 100, timedelta(days=90))
    assert (POLICY.event_names, POLICY.traits, POLICY.trait_bytes) == (256, 200, 4096)


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_names": 0},
        {"traits": LARGEST_TRAITS // 4096 + 1},
        {"trait_bytes": LARGEST_TRAITS},
        {"carts": {"kept": 2, "statements": 0, "window": "1d"}},
        {"carts": {"kept": 1, "statements": 1, "window": "1d"}},
        {"carts": {"kept": 2, "statements": 1, "window": "0s"}},
        {"names": 5},
    ],
)
def test_numbers_that_make_no_profile_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        changed(**wrong)


def test_every_number_counts() -> None:
    small = changed(event_names=1, traits=1, trait_bytes=3, carts={"kept": 2, "statements": 1, "window": "1h"})
    added = [
        track("Product Added", hour, cart_id=cart, product_id="p") for hour, cart in ((1, "c"), (2, "c"), (9, "d"))
    ]
    found = heard(*added, identify(1, a=1, b=2), policy=small)
    assert list(found.activity.counts) == ["Product Added"]
    assert {cart: len(said) for cart, said in found.activity.carts.items()} == {"d": 1}
    assert found.standing is not None
    assert list(found.standing.traits) == ["a"]
    assert heard(identify(1, a=1000), policy=small).standing is None
    assert len(heard(*added[:2], policy=small).activity.carts["c"]) == 1
    orders = [track("Order Completed", hour, order_id=f"o-{number}") for hour, number in ((1, 2), (2, 3), (3, 1))]
    refunds = [track("Order Refunded", 4, order_id=f"o-{number}") for number in (1, 2, 3)]
    few = heard(*orders, *refunds, policy=changed(orders=2)).standing
    assert few is not None
    assert list(few.orders) == list(few.returns) == ["o-2", "o-3"]
    near = changed(carts={"kept": 2, "statements": 9, "window": "9d"})
    assert {cart: len(said) for cart, said in heard(*added, policy=near).activity.carts.items()} == {"c": 1, "d": 1}
