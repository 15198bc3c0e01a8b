"""Classes: conditions over a record, and since when each holds: a moment that does not move while it does."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tern_common.events import Event
from tern_profile.domain.policy import Policy
from unit.profile.declaring import declaring, known, record, since, turns_at
from unit.profile.saying import DECLARING, PASSED, at, histories, identify, track

VIEWS = {"of": "count", "event": "Product Viewed"}
SEEN_AT = {"of": "last_time", "event": "Product Viewed"}
TWO_VIEWS = {"path": "computed.views", "at_least": 2}
SPENDER = {"path": "order_value", "at_least": 10}
LAPSED = {"path": "last_order_at", "older_than": "10h"}
RECENT = {"path": "last_order_at", "newer_than": "10h"}


def view(hour: float) -> Event:
    return track("Product Viewed", hour, f"v{hour}")


def paid(hour: float, total: float = 5, **more: Any) -> Event:
    return track("Order Completed", hour, f"o{hour}", order_id=f"o{hour}", total=total, **more)


class TestSince:
    def test_a_count_holds_since_the_event_that_completed_it(self) -> None:
        assert since(TWO_VIEWS, view(1), views=VIEWS) is None
        for more in ([], [view(3)], [view(3), view(4), view(5)]):
            assert since(TWO_VIEWS, view(2), view(1), *more, views=VIEWS) == at(2)

    def test_an_older_event_that_comes_late_moves_it_to_where_it_was_true(self) -> None:
        assert since(TWO_VIEWS, view(1), view(2), view(0), views=VIEWS) == at(1)

    def test_orders_and_their_value(self) -> None:
        assert since(SPENDER, paid(1), paid(2), paid(3)) == at(2)
        assert since({"path": "orders", "at_least": 2}, paid(1), paid(2), paid(3)) == at(2)
        assert since({"path": "orders", "below": 2}, paid(1), view(0)) == at(0)
        assert since({"path": "last_order_at", "missing": True}, view(0)) == at(0)
        assert since({"path": "last_order_at", "missing": True}, view(0), paid(1)) is None

    def test_an_order_that_was_undone_does_not_count(self) -> None:
        undone = track("Order Cancelled", 9, order_id="o2.0")
        assert since(SPENDER, paid(1), paid(2.0), undone) is None

    def test_value_is_that_of_the_currency_most_is_worth_in(self) -> None:
        mixed = [paid(1, 6, currency="EUR"), paid(2, 7, currency="USD")]
        assert since(SPENDER, *mixed) is None
        assert since(SPENDER, *mixed, paid(3, 4, currency="EUR")) == at(3)

    def test_a_trait_holds_since_it_first_had_the_value(self) -> None:
        gold = {"path": "traits.plan", "equals": "gold"}
        said = [identify(1, plan="gold"), identify(2, plan="gold"), identify(3, city="Riga")]
        assert since(gold, *said) == at(1)
        assert since(gold, *said, identify(4, plan="red")) is None
        assert since(gold, *said, identify(4, plan=None)) is None
        assert since(gold, *said, identify(4, plan="red"), identify(5, plan="Gold")) == at(5)

    def test_not_any_all(self) -> None:
        views, orders = {"path": "computed.views", "at_least": 1}, {"path": "orders", "at_least": 1}
        assert since({"all": [views, orders]}, view(1), paid(2), views=VIEWS) == at(2)
        assert since({"any": [views, orders]}, view(1), paid(2), views=VIEWS) == at(1)
        assert since({"all": [views, {"not": orders}]}, view(1), paid(2), views=VIEWS) is None
        assert since({"not": orders}, view(1)) == at(1), "before all events: since the first"
        assert since({"not": {"path": "computed.views", "at_least": 1}}, identify(3), views=VIEWS) == at(3)

    def test_nobody_without_an_event_is_in_a_class(self) -> None:
        assert record(declaring({}, {"it": {"not": SPENDER}})).classes == {}

    def test_where_single_events_are_dropped_it_is_too_early_and_stays(self) -> None:
        said = [view(hour) for hour in range(9)]
        assert since({"path": "computed.views", "at_least": 2}, *said, views=VIEWS, kept=3) == at(1)
        beyond = {
            since({"path": "computed.views", "at_least": 5}, *said[:n], views=VIEWS, kept=3) for n in range(5, 10)
        }
        assert beyond == {at(2)}


def held_by(policy: Policy, said: list[Event]) -> dict[str, datetime]:
    return record(policy, *said, passed=PASSED).classes


@given(histories(8))
def test_since_stays_while_events_come_in_order_and_the_class_holds(said: list[Event]) -> None:
    """Of what only grows. A refund takes value from the past, and may move the moment at which so much was reached."""
    classes = {"views": TWO_VIEWS, "orders": {"path": "orders", "at_least": 1}, "value": SPENDER}
    policy = declaring({"views": VIEWS}, classes, contributions=3)
    kept = [one for one in said if one.name not in ("Order Refunded", "Order Cancelled")]
    ordered = sorted(kept, key=lambda one: (one.event_time, one.message_id))
    held = [held_by(policy, ordered[:place]) for place in range(len(ordered) + 1)]
    for before, after in pairwise(held):
        assert before.items() <= after.items()


class TestAge:
    """Turning by absence: only when safe time has passed it, and then since the very moment."""

    def test_who_has_not_ordered_for_long_is_so_since_that_moment_when_it_is_certain(self) -> None:
        assert since(LAPSED, paid(1)) is None
        assert since(LAPSED, paid(1), passed=at(10.9)) is None
        assert since(LAPSED, paid(1), passed=at(11)) == at(11)
        assert since(LAPSED, paid(1), passed=at(99)) == at(11)
        assert since(LAPSED, view(1), passed=at(99)) is None

    def test_an_order_ends_it_at_once(self) -> None:
        assert since(LAPSED, paid(1), paid(20), passed=at(25)) is None
        assert since(LAPSED, paid(1), paid(20), passed=at(30)) == at(30)

    def test_another_event_makes_no_absence_certain(self) -> None:
        assert since(LAPSED, paid(1), view(50), passed=at(5)) is None

    def test_recent_is_since_the_first_of_orders_close_to_each_other(self) -> None:
        assert since(RECENT, paid(1), paid(5), passed=at(6)) == at(1)
        assert since(RECENT, paid(1), paid(20), passed=at(21)) == at(20)
        assert since(RECENT, paid(1), passed=at(11)) is None
        assert since(RECENT, view(1), passed=at(11)) is None

    def test_computed_times_have_an_age(self) -> None:
        stale, fresh = ({"path": "computed.seen", age: "10h"} for age in ("older_than", "newer_than"))
        assert since(stale, view(1), view(2), passed=at(12), seen=SEEN_AT) == at(12)
        assert since(fresh, view(1), view(2), passed=at(11), seen=SEEN_AT) == at(1)
        assert since(fresh, *(view(hour) for hour in range(9)), passed=at(11), seen=SEEN_AT, kept=2) == at(0)
        assert since(stale, paid(1), passed=at(99), seen=SEEN_AT) is None

    def test_the_next_moment_is_when_the_age_is_reached(self) -> None:
        policy = declaring({}, {"lapsed": LAPSED, "spender": SPENDER})
        assert policy.declared.timed
        assert turns_at(policy, paid(1), paid(3)) == at(13)
        assert turns_at(policy, paid(1), passed=at(11)) is None
        assert turns_at(policy, view(1)) is None
        assert not declaring({}, {"spender": SPENDER}).declared.timed


@given(histories(8), st.integers(0, 100), st.integers(1, 60))
def test_nothing_turns_by_absence_before_the_moment_that_was_foretold(said: list[Event], hours: int, more: int) -> None:
    passed = at(hours)
    foretold = turns_at(DECLARING, *said, passed=passed)
    then = min(passed + timedelta(hours=more), foretold - timedelta(microseconds=1)) if foretold else at(hours + more)
    assert record(DECLARING, *said, passed=then) == record(DECLARING, *said, passed=passed)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"path": "order_valu", "at_least": 1}, "order_valu is no path (did you mean order_value?)"),
        ({"path": "traits.", "equals": 1}, "traits. is no path"),
        ({"path": "computed.veiws", "at_least": 1}, "it: computed.veiws is not declared (did you mean views?)"),
        ({"path": "orders"}, "tests nothing: add one of equals"),
        ({"path": "orders", "at_least": 3, "below": 3}, "no value of `orders` passes all"),
        ({"path": "orders", "older_than": "1d"}, "it: orders has no age: test last_order_at, or a computed first_time"),
        ({"path": "computed.views", "newer_than": "1d"}, "it: computed.views has no age"),
        ({"path": "last_order_at", "older_than": "0s"}, "an age is longer than nothing"),
        ({"path": "last_order_at", "older_than": "1d", "newer_than": "2d"}, "an age is tested alone"),
        ({"path": "last_order_at", "older_than": "1d", "equals": 5}, "an age is tested alone"),
        ({"path": "orders", "at_leest": 1}, "at_leest"),
        ({"all": []}, "all"),
        ({"all": [SPENDER], "path": "orders"}, "path"),
        ({"not": {"not": {"not": {"not": {"any": [SPENDER]}}}}}, "it: joins are at most 5 deep"),
        (5, "it"),
    ],
)
def test_what_can_never_be_asked_is_refused_with_what_to_write(wrong: object, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        declaring({"views": VIEWS}, {"it": wrong})
    assert says in str(refused.value)


def test_conditions_survive_being_shown() -> None:
    again = Policy.model_validate(DECLARING.model_dump(mode="json", by_alias=True))
    assert again.classes == DECLARING.classes
    assert known(again, paid(1)) == known(DECLARING, paid(1))
