"""The fold is a function of the set of messages: order, grouping and regrouping cannot matter."""

from __future__ import annotations

import time
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tern_common.events import Event
from tern_profile.domain import carts, fragment
from tern_profile.domain.fragment import Activity, Fragment, combine, fold
from tern_profile.domain.merging import bound
from tern_profile.domain.policy import Policy
from tern_profile.domain.reading import read
from unit.profile.saying import POLICY, at, event, heard, histories, identify, subject_of, track


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(said: list[Event], random: Random) -> None:
    shuffled = random.sample(said, len(said))
    assert heard(*said) == heard(*shuffled)


@given(histories(), st.integers(0, 12))
@example([track("Search", 0), identify(24, email="ann@shop.example")], 1)
def test_the_fold_of_a_union_is_the_combination_of_the_folds(said: list[Event], cut: int) -> None:
    assert heard(*said) == combine(heard(*said[:cut]), heard(*said[cut:]), POLICY)


@given(histories(), histories(), histories())
def test_combining_is_commutative_and_associative(a: list[Event], b: list[Event], c: list[Event]) -> None:
    x, y, z = heard(*a), heard(*b), heard(*c)
    assert combine(x, y, POLICY) == combine(y, x, POLICY)
    left = combine(combine(x, y, POLICY), z, POLICY)
    assert left == combine(x, combine(y, z, POLICY), POLICY)


@given(histories(), histories())
def test_merging_and_splitting_gives_back_the_same(a: list[Event], b: list[Event]) -> None:
    mine, other = heard(*a), heard(*b)
    kept = heard(*a), heard(*b)
    combine(mine, other, POLICY)
    assert (mine, other) == kept, "a fold leaves its parts as they were"


@given(histories())
def test_a_fragment_survives_being_stored(said: list[Event]) -> None:
    before = heard(*said)
    after = Fragment(
        before.first_at,
        before.last_at,
        fragment.decode_activity(fragment.encode(before.activity)),
        before.standing and fragment.decode_standing(fragment.encode(before.standing)),
        fragment.decode_rhythm(fragment.encode(before.rhythm)),
    )
    assert after == before


@given(histories())
def test_reading_does_not_depend_on_anything_but_the_event(said: list[Event]) -> None:
    once, again = ([read(one, subject_of, POLICY) for one in said] for _ in range(2))
    assert once == again


def test_nothing_folds_to_nothing() -> None:
    stored = Fragment(
        None, None, fragment.decode_activity(None), fragment.decode_standing(None), fragment.decode_rhythm(None)
    )
    assert fold([], POLICY) == Fragment() == stored


def test_first_and_last_seen_are_event_times() -> None:
    found = heard(track("Search", 5), track("Search", 2), track("Search", 9))
    assert (found.first_at, found.last_at) == (at(2), at(9))


def test_events_are_counted_by_name_or_type() -> None:
    found = heard(track("Search", 1), track("Search", 2), event("p", 3, type="page", name="Home"), track("", 4, "x"))
    assert found.activity == Activity({"Search": 2, "page": 1, "track": 1})


def test_a_view_says_nothing_that_moves_slowly() -> None:
    assert heard(track("Product Viewed", 1)).standing is None
    assert heard(identify(1)).standing is None


@given(st.lists(st.sets(st.text("abc", min_size=1, max_size=2)), max_size=4))
def test_a_bounded_map_depends_on_the_set_of_keys_alone(parts: list[set[str]]) -> None:
    stepwise: dict[str, int] = {}
    for part in parts:
        stepwise |= dict.fromkeys(part, 1)
        bound(stepwise, 3)
    at_once = dict.fromkeys(set[str]().union(*parts), 1)
    bound(at_once, 3)
    assert stepwise == at_once


def test_names_without_end_do_not_grow_a_fragment_without_end() -> None:
    found = heard(*(track(f"name {number}", 1) for number in range(POLICY.event_names + 9)))
    assert len(found.activity.counts) == POLICY.event_names


_cart_said = st.builds(
    lambda name, hours, cart: track(name, hours, cart_id=cart, product_id="p", products=[]),
    st.sampled_from(["Cart Updated", "Product Added", "Product Added"]),
    st.integers(0, 6),
    st.sampled_from(["c", "d", "e"]),
)


def with_carts(**numbers: Any) -> Policy:
    return POLICY.model_copy(update={"carts": POLICY.carts.model_copy(update=numbers)})


class TestCart:
    """Contents are a function of the set of what was said."""

    @staticmethod
    def last(*said: Event) -> carts.Cart | None:
        return carts.last_cart(heard(*said).activity.carts)

    @given(st.lists(_cart_said, max_size=9), st.integers(0, 9), st.integers(1, 3), st.randoms(use_true_random=False))
    def test_bounds_do_not_make_it_depend_on_order(
        self, said: list[Event], cut: int, kept: int, random: Random
    ) -> None:
        tight = with_carts(kept=kept, statements=2, window=timedelta(hours=3))
        numbered = [msgspec.structs.replace(one, message_id=f"m{number}") for number, one in enumerate(said)]
        shuffled = random.sample(numbered, len(numbered))
        parts = heard(*shuffled[:cut], policy=tight), heard(*shuffled[cut:], policy=tight)
        assert heard(*numbered, policy=tight) == combine(*parts, tight)

    @pytest.fixture
    def three_pens(self) -> Event:
        products = [{"product_id": "pen", "quantity": 3, "price": 2, "name": "Pen"}]
        return track("Cart Updated", 1, cart_id="c", products=products)

    def test_nothing_said_is_no_cart(self) -> None:
        assert self.last(track("Search", 1)) is None

    def test_a_snapshot_replaces(self, three_pens: Event) -> None:
        found = self.last(three_pens, track("Cart Viewed", 2, cart_id="c", products=[{"product_id": "ink"}]))
        assert found is not None
        assert [(item.product_id, item.quantity) for item in found.items] == [("ink", 1)]
        assert (found.cart_id, found.updated_at) == ("c", at(2))

    def test_changes_add_up_and_keep_price_and_name(self, three_pens: Event) -> None:
        more = track("Product Added", 2, cart_id="c", product_id="pen", quantity=2)
        less = track("Product Removed", 3, cart_id="c", product_id="pen", quantity=1, price=4)
        found = self.last(less, three_pens, more)
        assert found is not None
        item = found.items[0]
        assert (item.quantity, str(item.price), item.name) == (4, "4.0000", "Pen")

    def test_nothing_falls_below_zero(self, three_pens: Event) -> None:
        gone = track("Product Removed", 2, cart_id="c", product_id="pen", quantity=9)
        back = track("Product Added", 3, cart_id="c", product_id="pen", quantity=1)
        found = self.last(three_pens, gone)
        assert found is not None
        assert found.items == ()
        again = self.last(three_pens, gone, back)
        assert again is not None
        assert again.items[0].quantity == 1

    def test_a_change_at_the_time_of_a_snapshot_is_in_it_already(self, three_pens: Event) -> None:
        added = track("Product Added", 1, cart_id="c", product_id="pen")
        found = self.last(three_pens, added)
        assert found is not None
        assert found.items[0].quantity == 3

    def test_the_cart_spoken_of_last_is_the_cart(self, three_pens: Event) -> None:
        other = track("Product Added", 2, cart_id="d", product_id="ink")
        found = self.last(other, three_pens)
        assert found is not None
        assert found.cart_id == "d"

    def test_a_cart_without_end_is_bounded(self) -> None:
        said = [track("Product Added", number / 60, f"m{number}", product_id="pen") for number in range(150)]
        assert len(heard(*said).activity.carts[""]) == POLICY.carts.statements

    def test_carts_that_fell_silent_are_forgotten(self, three_pens: Event) -> None:
        much_later = track("Product Added", 24 * 92, cart_id="d", product_id="ink")
        assert heard(three_pens, much_later).activity.carts.keys() == {"d"}

    def test_carts_without_end_do_not_grow_a_fragment_without_end(self) -> None:
        said = [track("Product Added", number, cart_id=f"c{number}", product_id="pen") for number in range(150)]
        last = {f"c{number}" for number in range(150 - POLICY.carts.kept, 150)}
        assert heard(*said).activity.carts.keys() == heard(*said[::-1]).activity.carts.keys() == last

    def test_carts_of_one_moment_are_bounded_too(self) -> None:
        said = [track("Product Added", 1, f"m{number}", cart_id=f"c{number}", product_id="pen") for number in range(9)]
        assert heard(*said, policy=with_carts(kept=2)).activity.carts.keys() == {"c7", "c8"}

    def test_many_carts_are_folded_in_far_less_time_than_a_transaction_may_stand_idle(self) -> None:
        """Ten seconds; where each cart looks at all others it takes forty."""
        heard_of = [carts.Heard(at(number / 60), f"m{number}", "snapshot", ()) for number in range(20_000)]
        said = [Fragment(one.at, one.at, Activity({}, {f"c{number}": [one]})) for number, one in enumerate(heard_of)]
        begun = time.process_time()
        found = fold(said, with_carts(kept=100_000))
        assert time.process_time() - begun < 5
        assert len(found.activity.carts) == len(said)
