"""Computed traits: what operators declare, and what it comes to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tern_common.events import Computed, Event
from unit.profile.declaring import computed, declaring, turns_at
from unit.profile.saying import at, event, identify, track

VIEWS = {"of": "count", "event": "Product Viewed"}
SPENT = {"of": "sum", "event": "Order Completed", "property": "total"}
LATELY = VIEWS | {"window": "10h"}


def view(hour: float, **properties: Any) -> Event:
    return track("Product Viewed", hour, f"v{hour}{properties}", **properties)


def paid(hour: float, total: object) -> Event:
    return track("Order Completed", hour, f"o{hour}", order_id=f"o{hour}", total=total)


class TestOperators:
    def test_count_is_of_all_and_since_the_last(self) -> None:
        assert computed(VIEWS, view(1), view(3), view(2)) == Computed(value=3, since=at(3))

    def test_sum_is_exact_and_passes_over_what_is_no_amount(self) -> None:
        assert computed(SPENT, paid(1, 0.1), paid(2, 0.2), paid(3, "x")) == Computed(value=0.3, since=at(2))
        assert computed(SPENT, paid(1, "10"), paid(2, 5)) == Computed(value=15, since=at(2))

    def test_count_and_sum_are_of_all_also_where_single_events_are_dropped(self) -> None:
        many = [paid(hour, 1) for hour in range(9)]
        assert computed(SPENT, *many, kept=2) == Computed(value=9, since=at(8))
        assert computed(SPENT | {"of": "count"} | {"property": None}, *many, kept=2) == Computed(value=9, since=at(8))

    def test_first_stays_and_last_moves_only_when_it_differs(self) -> None:
        said = [view(1, color="red"), view(2, color="blue"), view(3, color="blue")]
        of_color = VIEWS | {"property": "color"}
        assert computed(of_color | {"of": "first"}, *said) == Computed(value="red", since=at(1))
        assert computed(of_color | {"of": "last"}, *said) == Computed(value="blue", since=at(2))

    def test_a_last_value_that_never_differed_has_its_moment_also_where_events_are_dropped(self) -> None:
        said = [view(hour, color="red") for hour in range(9)]
        assert computed(VIEWS | {"of": "last", "property": "color"}, *said, kept=2) == Computed(
            value="red", since=at(0)
        )

    def test_times_are_moments(self) -> None:
        said = [view(1), view(3)]
        assert computed(VIEWS | {"of": "first_time"}, *said) == Computed(value="2026-03-01T13:00:00Z", since=at(1))
        assert computed(VIEWS | {"of": "last_time"}, *said) == Computed(value="2026-03-01T15:00:00Z", since=at(3))

    def test_most_frequent_is_since_it_took_the_lead(self) -> None:
        said = [view(hour, color=color) for hour, color in enumerate(["red", "blue", "blue", "red", "blue"])]
        favourite = VIEWS | {"of": "most_frequent", "property": "color"}
        assert computed(favourite, *said[:3]) == Computed(value="blue", since=at(1))
        assert computed(favourite, *said) == Computed(value="blue", since=at(1))
        assert computed(favourite, *said[3:], kept=2) == Computed(value="blue", since=at(4))
        assert computed(favourite, *said, kept=2) == Computed(value="blue", since=at(0)), "too early, and stays"

    def test_distinct_is_since_the_last_new_one(self) -> None:
        said = [view(hour, color=color) for hour, color in enumerate(["red", "blue", "red", 1, "1", True])]
        colors = VIEWS | {"of": "distinct", "property": "color"}
        assert computed(colors, *said[:3]) == Computed(value=2, since=at(1))
        assert computed(colors, *said) == Computed(value=5, since=at(5))
        assert computed(colors, *said, kept=2) == Computed(value=2, since=at(1))


class TestExactly:
    """What is tested keeps all its digits; what is summed is an amount, which sums in any order."""

    @pytest.mark.parametrize(("total", "counts"), [("5.00001", True), (5, False), (10**13, True), ("5.0000", False)])
    def test_a_bound_sees_every_digit(self, total: object, counts: bool) -> None:
        above = {"of": "count", "event": "Order Completed", "where": {"total": {"above": 5}}}
        assert computed(above, paid(1, total)) == (Computed(value=1, since=at(1)) if counts else None)

    def test_a_sum_has_four_decimals_and_passes_over_what_is_no_amount(self) -> None:
        assert computed(SPENT, paid(1, "0.00004"), paid(2, "0.00006")) == Computed(value=0.0001, since=at(2))
        assert computed(SPENT, paid(1, 10**13), paid(2, 5)) == Computed(value=5, since=at(2))


class TestWhich:
    def test_names_have_no_case_and_types_are_names_too(self) -> None:
        assert computed(VIEWS, track(" product viewed", 1)) == Computed(value=1, since=at(1))
        assert computed({"of": "count", "event": ["page", "x"]}, event("p", 1, type="page")) is not None

    @pytest.mark.parametrize(
        ("where", "counts"),
        [
            ({"a.b": 3}, True),
            ({"a.b": "3"}, True),
            ({"a.b": [1, 3]}, True),
            ({"a.b": [1, 2]}, False),
            ({"a.b": True}, False),
            ({"t": True}, True),
            ({"s": "RED "}, True),
            ({"s": {"not_equals": "red"}}, False),
            ({"s": {"not_equals": "blue"}}, True),
            ({"s": {"at_least": 1}}, False),
            ({"a.b": {"above": 2, "below": 4}}, True),
            ({"a.b": {"above": 3}}, False),
            ({"a.b": {"at_least": 3, "at_most": 3}}, True),
            ({"a.b": {"at_least": 3.5}}, False),
            ({"a.b": {"below": 3}}, False),
            ({"a.b": {"at_most": 2}}, False),
            ({"none": {"missing": True}}, True),
            ({"a.b": {"missing": True}}, False),
            ({"a.b": {"missing": False}}, True),
            ({"none": 3}, False),
            ({"a": 3}, False),
            ({"s.b": 3}, False),
            ({"a.b": 3, "s": "blue"}, False),
        ],
    )
    def test_where_asks_of_properties(self, where: dict[str, Any], counts: bool) -> None:
        said = view(1, a={"b": 3}, s="red", t=True)
        assert (computed(VIEWS | {"where": where}, said) is not None) is counts

    def test_what_is_no_short_scalar_is_not_kept(self) -> None:
        for value in ({"a": 1}, None, "x" * 300):
            assert computed(VIEWS | {"of": "last", "property": "color"}, view(1, color=value)) is None

    def test_another_declaration_of_the_same_name_begins_anew(self) -> None:
        one, other = (declaring({"it": VIEWS | more}).declared.keys for more in ({}, {"where": {"a": 1}}))
        assert one != other

    def test_who_never_said_anything_has_none(self) -> None:
        assert computed(VIEWS, identify(1, plan="a")) is None


class TestWindow:
    """What leaves a window leaves by absence, and so only when absence is certain."""

    def test_what_is_older_than_the_window_leaves_when_that_is_certain(self) -> None:
        said = [view(1), view(5)]
        assert computed(LATELY, *said) == Computed(value=2, since=at(5))
        assert computed(LATELY, *said, passed=at(10.9)) == Computed(value=2, since=at(5))
        assert computed(LATELY, *said, passed=at(11)) == Computed(value=1, since=at(11))
        assert computed(LATELY, *said, passed=at(99)) == Computed(value=0, since=at(15))

    def test_what_is_new_counts_at_once(self) -> None:
        assert computed(LATELY, view(1), view(50), passed=at(20)) == Computed(value=1, since=at(50))

    def test_values_leave_too(self) -> None:
        said = [view(1, color="red"), view(2, color="red"), view(5, color="blue")]
        color = LATELY | {"property": "color"}
        assert computed(color | {"of": "most_frequent"}, *said, passed=at(9)) == Computed(value="red", since=at(1))
        assert computed(color | {"of": "most_frequent"}, *said, passed=at(12)) == Computed(value="blue", since=at(11))
        assert computed(color | {"of": "last"}, *said, passed=at(99)) is None
        assert computed(color | {"of": "distinct"}, *said, passed=at(12)) == Computed(value=1, since=at(12))
        spent = {"of": "sum", "event": "Product Viewed", "property": "price", "window": "10h"}
        assert computed(spent, view(1, price=2), view(5, price=3), passed=at(12)) == Computed(value=3, since=at(11))

    def test_the_next_moment_is_when_the_oldest_leaves(self) -> None:
        policy = declaring({"it": LATELY, "ever": VIEWS})
        assert turns_at(policy, view(1), view(5)) == at(11)
        assert turns_at(policy, view(1), view(5), passed=at(11)) == at(15)
        assert turns_at(policy, view(1), view(5), passed=at(15)) is None
        assert turns_at(policy) is None

    def test_of_more_than_are_kept_the_newest_count(self) -> None:
        said = [view(hour / 10) for hour in range(9)]
        assert computed(LATELY, *said, kept=3) == Computed(value=3, since=at(0)), "too early, and stays"
        assert computed(LATELY, *said, kept=3, passed=at(10.7)) == Computed(value=1, since=at(10.7))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"of": "cuont", "event": "x"}, "cuont is no operator (did you mean count?): write one of count, sum"),
        ({"of": 5, "event": "x"}, "5 is no operator: write one of"),
        ({"of": "time_since", "event": "x"}, "write last_time, and test its age in a class"),
        ({"of": "sum", "event": "x"}, "sum needs a property"),
        ({"of": "count", "event": "x", "property": "total"}, "count reads no property"),
        ({"of": "first", "event": "x", "property": "a", "window": "1d"}, "first takes no window"),
        ({"of": "count", "event": "x", "window": "0s"}, "a window is longer than nothing and at most 400d"),
        ({"of": "count", "event": "x", "window": "401d"}, "a window is longer than nothing and at most 400d"),
        ({"of": "count", "event": []}, "event"),
        ({"of": "count", "event": "x", "where": {"a": {}}}, "tests nothing: write a value, or one of equals"),
        (
            {"of": "count", "event": "x", "where": {"a": {"above": 3, "below": 3}}},
            "no value of the property passes all",
        ),
        ({"of": "count", "event": "x", "where": {"a": []}}, "at least 1 item"),
        ({"of": "count", "event": "x", "where": 5}, "where"),
        ({"of": "count", "event": "x", "where": {"a..b": 1}}, "a..b"),
        ({"of": "count", "event": "x", "evnt": "y"}, "evnt"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_what_to_write(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        declaring({"it": wrong})
    assert says in str(refused.value)


def test_a_name_is_a_plain_word() -> None:
    with pytest.raises(ValidationError):
        declaring({"It is": VIEWS})


def test_a_tally_goes_on_over_a_release() -> None:
    """Its key is made of how the declaration is written back: written another way, all would count anew."""
    where = {"total": {"at_least": 5}, "x": [1, "a"], "y": True}
    [declared] = declaring({"n": {"of": "count", "event": "Order Completed", "where": where}}).computed.values()
    assert declared.key("n") == "computed.n.8ba1766c"


def test_a_declaration_survives_being_shown() -> None:
    declared = declaring({"it": LATELY | {"where": {"a": [1, 2], "b": {"above": 3}}}})
    assert type(declared).model_validate(declared.model_dump()).computed == declared.computed
