"""Rules of kind `event`: each matching event is a reason of its own (triggers.md §0, §3)."""

from __future__ import annotations

from typing import Any

from tern_triggers.domain.endings import Revocation, endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rounds import decide_at_once
from tern_triggers.domain.rules import RULE, Rule, ruleset
from tern_triggers.domain.story import Gone, ReasonShown
from unit.triggers.saying import POLICY, at, candidates_of, event, fired, story_of, view

WRITTEN: dict[str, Any] = {
    "rule": "unhappy",
    "kind": "event",
    "family": "service",
    "of": {"event": "Answer Given", "where": {"path": "score", "at_most": 6}},
    "purpose": "service",
    "steps": [{"act": "ticket", "expires_after": "24h"}],
}
UNHAPPY = RULE.validate_python(WRITTEN)
SOLVED = RULE.validate_python({**WRITTEN, "key": "ticket_id", "exit": {"event": "Ticket Solved"}})


def answer(minutes: float, message_id: str, score: int = 3, **more: Any) -> Fact:
    return event("Answer Given", minutes, message_id, **{"score": score, "ticket_id": "t1", **more})


def solved(minutes: float, message_id: str, ticket: str = "t1") -> Fact:
    return event("Ticket Solved", minutes, message_id, ticket_id=ticket)


def speaks(rule: Rule, *facts: Fact, **more: Any) -> list[str]:
    return sorted(one.cycle_ref for one in candidates_of(rule, view(*facts, **more)))


def test_each_event_that_matches_is_a_reason_of_its_own() -> None:
    assert speaks(UNHAPPY, answer(0, "m1"), answer(5, "m2"), answer(6, "m3", 9)) == ["m1", "m2"]


def test_without_exit_it_is_decided_at_once_and_once() -> None:
    seen, rules = view(answer(0, "m1")), ruleset([UNHAPPY])
    (ruling,) = decide_at_once(rules, stories(rules, seen, POLICY), seen, POLICY, at(1)).rulings
    assert (ruling.decision.about, ruling.decision.due) == ("m1", at(0))
    assert speaks(UNHAPPY, answer(0, "m1"), decisions=[ruling.decision]) == []
    assert speaks(UNHAPPY, answer(0, "m1"), answer(9, "m2"), decisions=[ruling.decision]) == ["m2"]


def test_with_an_exit_it_waits_for_safe_time() -> None:
    assert not candidates_of(SOLVED, view(answer(0, "m1")))[0].at_once


def test_late_events_are_none() -> None:
    assert speaks(UNHAPPY, answer(0, "m1", late=True)) == []


def test_an_exit_of_the_same_key_after_it_ends_it() -> None:
    assert speaks(SOLVED, answer(0, "m1"), solved(5, "s")) == []
    assert speaks(SOLVED, answer(0, "m1"), solved(0, "s")) == []
    assert speaks(SOLVED, answer(9, "m1"), solved(5, "s")) == ["m1"]
    assert speaks(SOLVED, answer(0, "m1"), solved(5, "s", "t2")) == ["m1"]


def test_what_names_no_key_is_about_nothing() -> None:
    assert speaks(SOLVED, event("Answer Given", 0, "m1", score=1)) == []


def test_the_exit_takes_back_what_was_fired_and_is_noted_where_nothing_was() -> None:
    (done,) = fired(view(answer(0, "m1")), 5, [SOLVED])
    rules = ruleset([SOLVED])
    seen = view(answer(0, "m1"), solved(60, "s"), decisions=[done])
    (ending,) = endings(stories(rules, seen, POLICY), seen.decisions, at(90))
    assert (ending.revocation, ending.exit.why) == (Revocation.CANCELLED, Gone.EXIT)
    unseen = view(answer(0, "m1"), solved(3, "s"))
    (note,) = ended_notes(rules, stories(rules, unseen, POLICY), unseen, POLICY, at(4))
    assert (note.about, note.key, note.reason) == ("m1", "t1", Gone.EXIT)


def test_it_shows_what_the_event_said() -> None:
    told = story_of(UNHAPPY, view(answer(0, "m1", product_id=7, category="shoes")))
    said: dict[str, Any] = {"score": 3, "ticket_id": "t1", "product_id": 7, "category": "shoes"}
    assert told.shown == ReasonShown(said, "7", "shoes")


def test_before_it_was_live_nothing_was_a_reason() -> None:
    assert candidates_of(UNHAPPY, view(answer(0, "m1")), since=1) == []
