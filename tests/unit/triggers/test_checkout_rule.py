"""`fold: checkout`: the other side of the cart (triggers.md §5, "checkout")."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tern_triggers.domain.facts import Body, Fact
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.rules import RULE
from tern_triggers.domain.story import CartShown, Gone
from unit.triggers.saying import HOME, OTHER, at, candidates_of, checkout, item, order, said, snap, story_of, view

WRITTEN: dict[str, Any] = {
    "kind": "inactivity",
    "family": "cart",
    "purpose": "marketing",
    "channels": ["email"],
    "key": "cart_id",
    "steps": [{"after": "30m", "expires_after": "24h"}],
}
CART = RULE.validate_python({**WRITTEN, "rule": "left_cart", "fold": "cart"})
CHECKOUT = RULE.validate_python({**WRITTEN, "rule": "left_checkout", "fold": "checkout"})
FILLED = snap(0, "m1", "tea")


def listing(minutes: float, message_id: str, *products: str) -> Fact:
    """A checkout that says what is bought."""
    return replace(checkout(minutes, message_id), body=Body(items=tuple(map(item, products))))


def begun(*facts: Fact, **more: Any) -> list[str]:
    """The message ids of the checkouts that are waited for."""
    return [candidate.start.message_id for candidate in candidates_of(CHECKOUT, view(*facts, **more))]


def carts(*facts: Fact) -> list[str]:
    return [candidate.start.message_id for candidate in candidates_of(CART, view(*facts))]


def test_checkout_started_begins_it_and_ends_the_cart() -> None:
    assert (begun(FILLED, checkout(5, "m2")), carts(FILLED, checkout(5, "m2"))) == (["m2"], [])


def test_another_checkout_restarts_the_wait() -> None:
    (candidate,) = candidates_of(CHECKOUT, view(FILLED, checkout(5, "m2"), checkout(9, "m3")))
    assert (candidate.cycle_ref, candidate.anchor, candidate.due) == ("m2", at(9), at(39))


def test_the_next_change_of_the_cart_ends_it_and_starts_a_cart_cycle() -> None:
    told = (FILLED, checkout(5, "m2"), snap(9, "m3", "tea", "cup"))
    assert (begun(*told), carts(*told)) == ([], ["m3"])
    assert [end.why for end in story_of(CHECKOUT, view(*told)).exits if end.at == at(9)] == [Gone.CHANGED]


def test_an_equal_snapshot_is_no_change_and_ends_nothing() -> None:
    assert begun(FILLED, checkout(5, "m2"), snap(9, "m3", "tea")) == ["m2"]


@pytest.mark.parametrize(
    "end",
    [order(9, "o1", cart="c"), order(9, "o1", "tea"), snap(9, "m9"), said("remove", 9, "m9", item("tea"))],
)
def test_an_order_or_an_emptied_cart_ends_it(end: Fact) -> None:
    assert begun(FILLED, checkout(5, "m2"), end) == []


@pytest.mark.parametrize("other", [order(9, "o1", "soap"), order(9, "o1", cart="another"), order(4, "o1", "cup")])
def test_an_order_of_something_else_does_not(other: Fact) -> None:
    assert begun(FILLED, checkout(7, "m2"), other) == ["m2"]


def test_what_the_checkout_lists_was_in_the_cart() -> None:
    assert begun(FILLED, listing(5, "m2", "pot"), order(9, "o1", "pot")) == []
    assert carts(FILLED, listing(5, "m2", "pot"), snap(7, "m3", "cup"), order(9, "o1", "pot")) == []


def test_an_order_naming_the_cart_ends_it_whoever_placed_it() -> None:
    assert begun(FILLED, checkout(5, "m2"), foreign={"c": [Ordered(at(9), "o9")]}) == []


def test_the_echo_of_an_order_begins_nothing() -> None:
    assert begun(FILLED, order(5, "o1", "tea"), snap(5.5, "m2", "cup"), checkout(6, "m3")) == []
    assert begun(FILLED, order(5, "o1", "tea"), snap(5.5, "m2", "cup"), checkout(8, "m3")) == ["m3"]


def test_where_a_change_and_a_checkout_share_an_instant_the_checkout_came_last() -> None:
    told = (FILLED, snap(5, "m2", "tea", "cup"), checkout(5, "m3"))
    assert (begun(*told), carts(*told)) == (["m3"], [])


def test_late_checkouts_begin_nothing() -> None:
    assert begun(FILLED, replace(checkout(5, "m2"), passive=True)) == []


def test_a_checkout_of_nothing_that_anybody_knows_of_begins_nothing() -> None:
    assert begun(checkout(5, "m2")) == []
    (candidate,) = candidates_of(CHECKOUT, view(checkout(5, "m2"), listing(6, "m3", "tea"), checkout(7, "m4")))
    assert (candidate.cycle_ref, candidate.anchor) == ("m3", at(7))
    assert begun(snap(0, "m1"), checkout(5, "m2")) == []


def test_it_shows_the_cart_or_what_the_checkout_lists() -> None:
    assert story_of(CHECKOUT, view(FILLED, listing(5, "m2", "pot"))).shown == CartShown("c", (item("tea"),), None)
    assert story_of(CHECKOUT, view(listing(5, "m2", "pot"))).shown == CartShown("c", (item("pot"),), None)


def test_it_speaks_only_for_the_holder_of_the_carts_newest_event() -> None:
    told = (FILLED, checkout(5, "m2"))
    assert begun(*told, newest={"c": Newest(at(6), "m9", "f" * 32)}) == []
    assert begun(FILLED, checkout(5, "m2", home=OTHER), newest={"c": Newest(at(5), "m2", HOME)}) == ["m2"]


acts = st.lists(
    st.one_of(
        st.tuples(st.just("snap"), st.integers(0, 20), st.sampled_from(["", "a", "ab", "b"])),
        st.tuples(st.just("add"), st.integers(0, 20), st.sampled_from(["a", "b"])),
        st.tuples(st.just("remove"), st.integers(0, 20), st.sampled_from(["a", "b"])),
        st.tuples(st.just("checkout"), st.integers(0, 20), st.sampled_from(["", "a"])),
        st.tuples(st.just("order"), st.integers(0, 20), st.sampled_from(["", "a", "c"])),
    ),
    max_size=14,
)


def fact_of(number: int, act: tuple[str, int, str]) -> Fact:
    what, minute, products = act
    name = f"m{number:02}"
    if what == "snap":
        return snap(minute, name, *products)
    if what == "checkout":
        return listing(minute, name, *products)
    if what == "order":
        return order(minute, name, *products, cart="" if products else "c")
    return said("add" if what == "add" else "remove", minute, name, *map(item, products))


@given(acts)
def test_exactly_one_of_cart_and_checkout_has_a_reason_and_none_after_it_was_emptied_or_ordered(
    found: list[tuple[str, int, str]],
) -> None:
    seen = view(*(fact_of(number, act) for number, act in enumerate(found)))
    left, paying = candidates_of(CART, seen), candidates_of(CHECKOUT, seen)
    assert len(left) + len(paying) <= 1
    if not seen.facts:
        return
    cart, begun = _told(CART, seen), _told(CHECKOUT, seen)
    over = [end.reach for end in (*cart.exits, *begun.exits) if end.why in (Gone.ORDERED, Gone.EMPTIED)]
    fresh = [one for one in (*cart.activity, *begun.activity) if all(one.at > reach for reach in over)]
    assert len(left) + len(paying) == bool(fresh)


def _told(rule: Any, seen: Any) -> Any:
    found = [fact for fact in seen.facts if fact.kind in ("cart", "checkout")]
    return story_of(rule, seen) if found else _Nothing()


class _Nothing:
    exits = ()
    activity = ()


def test_both_wait_from_their_own_anchor() -> None:
    (candidate,) = candidates_of(CART, view(FILLED, checkout(5, "m2"), snap(9, "m3", "cup")))
    assert candidate.due - candidate.anchor == timedelta(minutes=30)
