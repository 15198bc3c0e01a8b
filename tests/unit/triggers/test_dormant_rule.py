"""`fold: presence`: absence since somebody was last seen (triggers.md §4.2, "dormant")."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tern_triggers.domain.facts import Fact, distinct
from tern_triggers.domain.folds.forgetting import SEEN, never_read, readable
from tern_triggers.domain.folds.matching import Shelf
from tern_triggers.domain.folds.presence import presence_stories
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rules import RULE, ruleset
from unit.triggers.saying import DAY, OTHER, POLICY, at, candidates_of, fired, seen_on, story_of, view

DORMANT = RULE.validate_python(
    {
        "rule": "gone_quiet",
        "kind": "inactivity",
        "family": "lifecycle",
        "fold": "presence",
        "purpose": "marketing",
        "channels": ["email"],
        "steps": [{"after": "180d", "expires_after": "14d"}],
    }
)


def due(*facts: Fact, **more: Any) -> list[float]:
    """In how many days it falls due."""
    return [(one.due - at(0)).total_seconds() / 86_400 for one in candidates_of(DORMANT, view(*facts, **more))]


def test_six_months_after_the_last_day_that_somebody_was_seen_on() -> None:
    assert due(seen_on(0, "m1")) == [180]
    assert due(seen_on(0, "m1"), seen_on(9 * DAY, "m2", home=OTHER)) == [189]
    assert due() == []


def test_an_unknown_browser_that_does_not_come_back_is_nobodys_absence() -> None:
    assert due(seen_on(0, "m1", known=False)) == []


def test_of_somebody_who_was_ever_known_unknown_visits_count_too() -> None:
    assert due(seen_on(0, "m1"), seen_on(9 * DAY, "m2", known=False)) == [189]


def test_of_whom_no_day_is_known_there_is_nothing_to_tell() -> None:
    assert presence_stories(Shelf(())) == []


def test_days_of_several_homes_are_days_of_each() -> None:
    told = [seen_on(0, "m1", known=False), seen_on(5, "m2", home=OTHER)]
    assert (distinct(told), due(*told)) == (told, [180 + 5 / DAY])


def test_being_seen_again_closes_the_wait_and_opens_the_next() -> None:
    (done,) = fired(view(seen_on(0, "m1")), 180 * DAY + 5, [DORMANT])
    assert due(seen_on(0, "m1"), decisions=[done]) == []
    assert due(seen_on(0, "m1"), seen_on(190 * DAY, "m2"), decisions=[done]) == [370]


def test_of_two_at_one_instant_the_greater_message_names_the_wait() -> None:
    assert story_of(DORMANT, view(seen_on(0, "b"), seen_on(0, "a", home=OTHER))).activity[-1].message_id == "b"


def test_that_somebody_was_seen_again_is_no_news() -> None:
    seen = view(seen_on(0, "m1"), seen_on(DAY, "m2"))
    rules = ruleset([DORMANT])
    told = {DORMANT.rule: presence_stories(Shelf(seen.facts))}
    assert ended_notes(rules, told, seen, POLICY, at(2 * DAY)) == []


def test_days_long_past_are_forgotten_and_change_nothing() -> None:
    old, new = seen_on(0, "m1"), seen_on(SEEN.days * DAY + 1, "m2")
    assert never_read([new, old]) == [old]
    assert readable([old, new]) == [new]
    assert never_read([old, replace(new, at=at(SEEN.days * DAY))]) == []
    assert due(old, new) == due(new)
