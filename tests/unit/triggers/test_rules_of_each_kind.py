"""The models of the five kinds: what they refuse, what they keep over an edit, and how they are written and read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tern_common.conditions import holds, paths, value_of
from tern_triggers.catalogue import load_rules
from tern_triggers.domain.rules import RULE as RULES
from tern_triggers.domain.rules import Ruleset, begins_alike
from tern_triggers.domain.rules.schema import rule_schema

RULE: dict[str, Any] = {
    "rule": "left_cart",
    "kind": "inactivity",
    "family": "cart",
    "key": "cart_id",
    "fold": "cart",
    "purpose": "marketing",
    "channels": ["email"],
    "steps": [{"after": "1h", "expires_after": "24h"}],
}
STEPS = {"family": "service", "purpose": "service", "steps": [{"act": "ticket", "expires_after": "24h"}]}
COUNT: dict[str, Any] = {**STEPS, "rule": "often", "kind": "count", "of": {"event": "Ticket Opened"}}
COUNTED = {**COUNT, "at_least": 3, "within": "24h", "cooldown": "24h"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"within": "0s"}, "longer than 0"),
        ({"sum": "seconds", "days": "running"}, "not both"),
        ({"days": "running"}, "write at least 3d"),
        ({"exit": {"event": "ticket opened"}}, "begins it and ends it"),
        ({"rule": "schema"}, "an address of the API"),
        ({"conversion": {"event": "Order Completed", "within": "0s"}}, "longer than 0"),
    ],
)
def test_a_count_that_cannot_be_right_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RULES.validate_python({**COUNTED, **change})


def test_an_event_may_begin_and_end_a_rule_by_what_it_says() -> None:
    where = {"path": "score", "at_least": 9}
    ends = {"event": "Survey Answered", "where": where}
    begins = {"event": "Survey Answered", "where": {"path": "score", "at_most": 6}}
    rule = {**STEPS, "rule": "unhappy", "kind": "event", "of": begins, "exit": ends}
    assert RULES.validate_python(rule).at_once(0) is False
    with pytest.raises(ValidationError, match="begins it and ends it"):
        RULES.validate_python({**rule, "of": ends})


@pytest.mark.parametrize(
    ("written", "passes", "fails"),
    [
        ({"any": [{"path": "x", "equals": "a"}, {"path": "x", "equals": "b"}]}, "B", "c"),
        ({"not": {"path": "x", "equals": "a"}}, "b", "A "),
        ({"all": [{"path": "x", "above": 1}, {"path": "x", "below": 3}]}, "2", "3"),
        ({"path": "x", "at_least": 1, "at_most": 1}, 1.0, "one"),
        ({"path": "x", "one_of": [True, 7]}, "7.0", 8),
        ({"path": "x", "not_equals": "a"}, "b", "a"),
        ({"path": "x", "above": 1}, 2, True),
        ({"path": "x", "missing": True}, None, "a"),
        ({"path": "x", "missing": False}, "a", None),
        ({"path": "x", "above": 1}, 2, float("nan")),
    ],
)
def test_a_condition_holds_or_not(written: dict[str, Any], passes: object, fails: object) -> None:
    rule = RULES.validate_python({**RULE, "when": written})
    assert rule.when is not None
    assert holds(rule.when, lambda _: value_of(passes))
    assert not holds(rule.when, lambda _: value_of(fails))
    assert set(paths(rule.when)) == {"x"}


def test_what_begins_a_rule_tells_whether_an_edit_goes_on_with_what_is_running() -> None:
    counted = RULES.validate_python(COUNTED)
    other = RULES.validate_python({**COUNTED, "of": {"event": "Ticket Solved"}})
    change = {**STEPS, "rule": "often", "kind": "change", "enters": "vip"}
    date = {**STEPS, "rule": "often", "kind": "date", "date": "traits.birthday"}
    kinds = [counted, other, *map(RULES.validate_python, (change, {**change, "enters": "big"}, date))]
    assert [[begins_alike(one, two) for two in kinds] for one in kinds] == [
        [one is two for two in kinds] for one in kinds
    ]
    assert begins_alike(counted, counted.model_copy(update={"priority": 1}))


def test_a_cycle_keeps_the_steps_of_its_version_while_the_kind_is_the_same() -> None:
    old, new = (RULES.validate_python({**RULE, "version": number, "priority": number}) for number in (1, 2))
    slow = old.model_copy(update={"steps": (old.steps[0].model_copy(update={"after": timedelta(hours=9)}),)})
    rules = Ruleset(rules=(new,), older={("left_cart", 1): slow})
    kept = rules.at(new, 1)
    assert (kept.steps, kept.version, kept.priority) == (slow.steps, 1, 2)
    assert rules.at(new, 2) is new
    assert rules.at(new, 3) is new
    other = Ruleset(rules=(new,), older={("left_cart", 1): RULES.validate_python(COUNTED)})
    assert other.at(new, 1) is new


def test_what_is_stored_of_a_rule_is_read_back_as_it_was() -> None:
    for rule in load_rules():
        assert RULES.validate_json(rule.model_dump_json(exclude_none=True)) == rule
        assert RULES.validate_python(rule.model_dump()) == rule


def test_a_rule_made_of_parts_is_like_one_that_is_written() -> None:
    seldom = {"path": "orders", "at_most": 1}
    written = RULES.validate_python({**RULE, "when": {"not": seldom}})
    assert RULES.validate_python({**RULE, "when": written.when}) == written


def test_a_time_of_day_is_written_in_quotes() -> None:
    date = {**STEPS, "rule": "often", "kind": "date", "date": "traits.birthday"}
    assert str(RULES.validate_python({**date, "at": "10:00"}).model_dump()["at"]) == "10:00:00"
    for wrong in (600, "10", "25:00", None):
        with pytest.raises(ValidationError, match="time of day in quotes"):
            RULES.validate_python({**date, "at": wrong})


def test_the_schema_states_what_people_write() -> None:
    schema = rule_schema()
    common = schema["$defs"]["Inactivity"]["properties"]
    assert (common["max_hold"]["default"], common["catch_up"]["default"], common["holdout"]["default"]) == (
        "3d",
        "30d",
        "0%",
    )
    assert common["family"]["enum"][0] == "cart"
    assert {"type": "string"} in schema["$defs"]["EventFilter"]["properties"]["event"]["anyOf"]
    assert len(schema["oneOf"]) == 5
