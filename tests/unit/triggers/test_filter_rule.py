"""Inactivity by filters: something began, and nothing came after it (triggers.md §0, §1)."""

from __future__ import annotations

from typing import Any

from tern_triggers.domain.endings import Revocation, endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rules import RULE, ruleset
from tern_triggers.domain.story import Gone, ReasonShown
from unit.triggers.saying import DAY, HOUR, OTHER, POLICY, at, candidates_of, event, fired, story_of, view

WRITTEN: dict[str, Any] = {
    "rule": "no_answer",
    "kind": "inactivity",
    "family": "service",
    "key": "ticket_id",
    "start": {"event": "Inquiry Opened", "where": {"not": {"path": "topic", "equals": "praise"}}},
    "reset": {"event": ["Inquiry Answered", "Inquiry Read"]},
    "exit": {"event": "Inquiry Closed"},
    "purpose": "service",
    "max_hold": "72h",
    "steps": [{"after": "48h", "act": "ticket", "expires_after": "24h"}],
}
STUCK = RULE.validate_python(WRITTEN)


def opened(minutes: float, message_id: str, ticket: str | int | float | bool = "t1", **more: Any) -> Fact:
    return event("Inquiry Opened", minutes, message_id, ticket_id=ticket, **more)


def answered(minutes: float, message_id: str, ticket: str = "t1", **more: Any) -> Fact:
    return event("Inquiry Answered", minutes, message_id, ticket_id=ticket, **more)


def closed(minutes: float, message_id: str, ticket: str = "t1", **more: Any) -> Fact:
    return event("Inquiry Closed", minutes, message_id, ticket_id=ticket, **more)


def waits(*facts: Fact) -> list[tuple[str, str, float]]:
    """(key, start, minutes of the anchor)."""
    found = candidates_of(STUCK, view(*facts))
    return [(one.story.key, one.cycle_ref, (one.anchor - at(0)).total_seconds() / 60) for one in found]


def test_two_days_after_it_began() -> None:
    (candidate,) = candidates_of(STUCK, view(opened(0, "m1")))
    assert (candidate.due, candidate.story.key) == (at(48 * HOUR), "t1")


def test_another_start_or_a_reset_restarts_the_wait_up_to_max_hold() -> None:
    assert waits(opened(0, "m1"), opened(30, "m2")) == [("t1", "m1", 30)]
    assert waits(opened(0, "m1"), answered(60, "m2")) == [("t1", "m1", 60)]
    assert waits(opened(0, "m1"), event("Inquiry Read", 60, "m2", ticket_id="t1")) == [("t1", "m1", 60)]
    assert waits(opened(0, "m1"), answered(4 * DAY, "m2")) == [("t1", "m1", 3 * DAY)]


def test_a_reset_begins_nothing() -> None:
    assert waits(answered(0, "m1")) == []
    assert waits(answered(0, "m1"), opened(30, "m2")) == [("t1", "m2", 30)]
    assert waits(opened(0, "m1"), closed(10, "m2"), answered(30, "m3")) == []


def test_an_exit_ends_what_it_finds_and_not_what_comes_after_it() -> None:
    assert waits(opened(0, "m1"), closed(10, "m2")) == []
    assert waits(opened(0, "m1"), closed(0, "m2")) == []
    assert waits(opened(0, "m1"), closed(10, "m2"), opened(20, "m3")) == [("t1", "m3", 20)]


def test_each_ticket_is_a_reason_of_its_own() -> None:
    assert waits(opened(0, "m1"), opened(5, "m2", "t2"), closed(9, "m3"), answered(9, "m4", "t2")) == [("t2", "m2", 9)]


def test_what_names_no_ticket_is_about_none() -> None:
    assert (
        waits(event("Inquiry Opened", 0, "m1"), opened(0, "m2", "null"), opened(0, "m3", True), opened(0, "m4", ""))
        == []
    )
    assert waits(opened(0, "m1"), event("Inquiry Closed", 5, "m2")) == [("t1", "m1", 0)]


def test_numbers_and_texts_name_the_same_ticket() -> None:
    assert waits(opened(0, "m1", 7), opened(5, "m2", "7"), opened(9, "m3", 7.0)) == [("7", "m1", 9)]


def test_only_what_satisfies_the_filter_counts() -> None:
    assert waits(opened(0, "m1", topic="praise")) == []
    assert waits(opened(0, "m1", topic="Lost parcel"), event("Inquiry Lost", 5, "m2", ticket_id="t1")) == [
        ("t1", "m1", 0)
    ]


def test_late_events_start_and_reset_nothing_but_end() -> None:
    assert waits(opened(0, "m1", late=True)) == []
    assert waits(opened(0, "m1"), answered(30, "m2", late=True)) == [("t1", "m1", 0)]
    assert waits(opened(0, "m1"), closed(30, "m2", late=True)) == []


def test_without_a_key_the_customer_is_the_key_over_all_homes() -> None:
    rule = RULE.validate_python({**WRITTEN, "key": None})
    (candidate,) = candidates_of(rule, view(opened(0, "m1"), opened(5, "m2", "t2", home=OTHER)))
    assert (candidate.story.key, candidate.anchor) == ("", at(5))


def test_without_reset_and_exit_only_starts_count() -> None:
    rule = RULE.validate_python({**WRITTEN, "reset": None, "exit": None})
    (candidate,) = candidates_of(rule, view(opened(0, "m1"), answered(5, "m2"), closed(6, "m3")))
    assert candidate.anchor == at(0)


def test_what_began_before_the_rule_was_live_stays_silent() -> None:
    assert candidates_of(STUCK, view(opened(0, "m1"), opened(20, "m2")), since=10) == []
    assert len(candidates_of(STUCK, view(opened(10, "m1")), since=10)) == 1
    (done,) = fired(view(opened(0, "m1")), 3 * DAY, [STUCK])
    two = STUCK.model_copy(
        update={"steps": (*STUCK.steps, STUCK.steps[0].model_copy(update={"after": 3 * (at(DAY) - at(0))}))}
    )
    assert len(candidates_of(two, view(opened(0, "m1"), decisions=[done]), since=10)) == 1


def test_a_rule_that_takes_history_up_starts_from_what_came_late() -> None:
    rule = RULE.validate_python({**WRITTEN, "history": "enrol"})
    assert len(candidates_of(rule, view(opened(0, "m1", late=True)), since=10)) == 1


def test_the_newest_cycle_that_was_closed_is_noted_with_its_last_reset() -> None:
    seen = view(
        opened(0, "m1"), answered(30, "m2"), answered(40, "m3", late=True), closed(60, "m4"), answered(70, "m5")
    )
    rules = ruleset([STUCK])
    (note,) = ended_notes(rules, stories(rules, seen, POLICY), seen, POLICY, at(90))
    assert (note.cycle_ref, note.anchor, note.reason) == ("m1", at(30), Gone.EXIT)
    history = ruleset([STUCK], {STUCK.rule: at(10)})
    assert ended_notes(history, stories(history, seen, POLICY), seen, POLICY, at(90)) == []


def test_an_exit_after_the_firing_cancels_and_a_late_reset_takes_nothing_back() -> None:
    (done,) = fired(view(opened(0, "m1")), 2 * DAY + 5, [STUCK])
    rules = ruleset([STUCK])

    def revoked(*facts: Fact) -> list[Revocation]:
        seen = view(opened(0, "m1"), *facts, decisions=[done])
        now = at(2 * DAY + 90)
        return [one.revocation for one in endings(stories(rules, seen, POLICY, now), seen.decisions, now)]

    assert revoked(answered(DAY, "m2")) == []
    assert revoked(closed(DAY, "m2")) == [Revocation.RETRACTED]
    assert revoked(closed(2 * DAY + 60, "m2")) == [Revocation.CANCELLED]


def test_it_shows_what_the_last_start_said_and_how_often_it_began() -> None:
    told = story_of(STUCK, view(opened(0, "m1"), opened(5, "m2", product_id="tea", category="drinks")))
    said: dict[str, Any] = {"ticket_id": "t1", "product_id": "tea", "category": "drinks", "events": 2}
    assert told.shown == ReasonShown(said, "tea", "drinks")
    assert story_of(STUCK, view(closed(0, "m1"))).shown is None
