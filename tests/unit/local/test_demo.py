"""The demo succeeds only when exactly what it claims was found: each claim can fail, and nothing may be added."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tern_local.demo import story
from tern_local.demo.claims import CLAIMS, HASTY
from tern_local.demo.telling import spoken
from tern_local.demo.verdict import FIRED, Entry, Evidence, Letter, Wait, by_the_clock, faults
from tern_triggers.domain.rules.lint import lint

LETTERS = [letter for claim in CLAIMS for letter in claim.letters]
LOG = [entry for claim in CLAIMS for entry in claim.log]
WAITS = [wait for claim in CLAIMS for wait in claim.waits]
PEOPLE = sorted({entry.called for entry in LOG})
NAMES = {f"id of {called}": called for called in PEOPLE}


def event(letter: Letter) -> dict[str, Any]:
    """A trigger as it stands on Kafka. What takes one back has its id, which goes by whom and what it is about."""
    about = {"reason": {"key": letter.key}} if letter.type == FIRED else {"key": letter.key}
    trigger_id = f"{letter.rule}|{letter.called}|{letter.key}"
    data = {"trigger_id": trigger_id, "rule": letter.rule, **about}
    return {"type": letter.type, "subject": f"id of {letter.called}", "data": data}


def decision(entry: Entry) -> dict[str, Any]:
    """A decision as the log's door tells it."""
    became = {f"{word}_at": "later" if entry.became == word else None for word in ("retracted", "cancelled")}
    facts = {"exit_at": f"2027-02-21T{entry.gone}:07+00:00"} if entry.outcome == "ended" else {}
    return {**entry._asdict(), **became, "facts": facts}


def evidence(letters: list[Letter] = LETTERS, log: list[Entry] = LOG, waits: list[Wait] = WAITS) -> Evidence:
    decisions = {called: [decision(one) for one in log if one.called == called] for called in PEOPLE}
    zones = {called: ZoneInfo("UTC") for called in PEOPLE}
    return Evidence([(one.topic, event(one)) for one in letters], decisions, waits, NAMES, zones)


def judged(seen: Evidence) -> list[str]:
    return faults(CLAIMS, seen)


def test_the_story_ends_well_when_exactly_what_is_claimed_was_found() -> None:
    assert judged(evidence()) == []


def test_the_story_shows_what_it_promises() -> None:
    """Seven people: reminded, silent, called back, registered late, retracted, one voice of two, put off; a shadow."""
    assert len(PEOPLE) == 7
    assert {one.became for one in LOG} == {"", "retracted"}
    assert {(one.outcome, one.reason) for one in LOG if one.mode == "live"} == {
        ("fired", None),
        ("ended", "ordered"),
        ("suppressed", "frequency"),
    }
    assert [one.why for one in WAITS] == ["quiet-hours"]
    assert not {one.rule for one in LOG if one.mode == "shadow"} & {one.rule for one in LETTERS}


@pytest.mark.parametrize("letter", LETTERS, ids=str)
def test_a_trigger_that_is_not_on_kafka_is_a_fault(letter: Letter) -> None:
    said = judged(evidence(letters=[one for one in LETTERS if one != letter]))
    assert f"{letter} was not read from Kafka" in said


@pytest.mark.parametrize("letter", LETTERS, ids=str)
def test_a_trigger_that_is_there_twice_is_a_fault(letter: Letter) -> None:
    assert judged(evidence(letters=[*LETTERS, letter])) == [f"{letter} should not be there"]


@pytest.mark.parametrize("entry", LOG, ids=str)
def test_a_decision_that_is_not_in_the_log_is_a_fault(entry: Entry) -> None:
    said = judged(evidence(log=[one for one in LOG if one != entry]))
    assert said == [f"{entry} does not stand in the decision log"]


@pytest.mark.parametrize("entry", [one for one in LOG if one.gone], ids=str)
def test_a_reason_that_was_gone_at_another_time_is_a_fault(entry: Entry) -> None:
    instead = entry._replace(gone="06:00")
    said = judged(evidence(log=[instead if one == entry else one for one in LOG]))
    assert said == [f"{entry} does not stand in the decision log", f"{instead} should not be there"]


@pytest.mark.parametrize("entry", LOG, ids=str)
@pytest.mark.parametrize(
    "other",
    [
        lambda entry: entry._replace(outcome="held_out", gone=""),
        lambda entry: entry._replace(reason="capped"),
        lambda entry: entry._replace(mode="live" if entry.mode == "shadow" else "shadow"),
        lambda entry: entry._replace(key="another"),
        lambda entry: entry._replace(became="cancelled"),
    ],
    ids=["outcome", "reason", "mode", "key", "became"],
)
def test_a_decision_that_went_otherwise_is_a_fault(entry: Entry, other: Callable[[Entry], Entry]) -> None:
    instead = other(entry)
    said = judged(evidence(log=[instead if one == entry else one for one in LOG]))
    assert said == [f"{entry} does not stand in the decision log", f"{instead} should not be there"]


def test_a_decision_that_nobody_expected_is_a_fault_and_a_note_of_another_rule_is_none() -> None:
    surprise = Entry(PEOPLE[0], "detractor", "", "fired")
    assert judged(evidence(log=[*LOG, surprise])) == [f"{surprise} should not be there"]
    note = Entry(PEOPLE[0], "browse_abandoned", "", "ended", "carted", gone="23:00")
    assert judged(evidence(log=[*LOG, note])) == []


@pytest.mark.parametrize("waits", [[]] + [[WAITS[0]._replace(**{field: "otherwise"})] for field in WAITS[0]._fields])
def test_a_wait_that_was_not_said_so_is_a_fault(waits: list[Wait]) -> None:
    said = judged(evidence(waits=waits))
    assert said == [f"{WAITS[0]} was not said by explain", *(f"{one} should not be there" for one in waits)]


def test_what_takes_back_a_trigger_comes_after_it_and_names_it() -> None:
    backwards = judged(evidence(letters=LETTERS[::-1]))
    assert backwards == ["tern.trigger.retracted.v1 takes back a trigger that had not been read before it"]
    other = evidence()
    retracted = next(one for _, one in other.triggers if one["type"] != FIRED)
    retracted["data"]["trigger_id"] = "another"
    assert judged(other) == backwards


def test_a_trigger_about_a_stranger_or_by_the_rule_in_shadow_is_a_fault() -> None:
    shadow = next(one for one in LOG if one.mode == "shadow")
    published = LETTERS[0]._replace(rule=shadow.rule)
    stranger = LETTERS[0]._replace(called="a stranger")
    assert judged(evidence(letters=[*LETTERS, published])) == [f"{published} should not be there"]
    (said,) = judged(evidence(letters=[*LETTERS, stranger]))
    assert "for id of a stranger" in said


def test_the_rule_on_trial_is_well_written_and_in_shadow() -> None:
    found = lint(Path(story.__file__).with_name(f"{HASTY}.yaml").read_text("utf-8"))
    assert not found.findings
    assert found.rule is not None
    assert (found.rule.rule, found.rule.mode) == (HASTY, "shadow")


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        ("2026-11-23T01:10:00+00:00", "2026-11-23T11:00:00+00:00"),
        ("2026-11-23T11:42:00+00:00", "2026-11-23T11:42:00+00:00"),
        ("2026-11-23T12:00:00+00:00", "2026-11-24T11:00:00+00:00"),
        ("2026-10-24T12:00:00+00:00", "2026-10-25T11:00:00+00:00"),
        ("2026-10-23T12:00:00+00:00", "2026-10-24T10:00:00+00:00"),
    ],
)
def test_the_story_begins_at_lunchtime_whenever_it_is_told(now: str, begins: str) -> None:
    assert story.opening(datetime.fromisoformat(now)) == datetime.fromisoformat(begins)


def test_times_are_told_by_the_clock_where_the_customer_is() -> None:
    assert by_the_clock("2027-02-21T09:00:00Z", ZoneInfo("Europe/Lisbon")) == "09:00"
    assert by_the_clock("2027-07-21T09:00:00+00:00", ZoneInfo("Europe/Lisbon")) == "10:00"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=89, hours=22), "89 days and 22 hours"),
        (timedelta(hours=1, minutes=10), "1 hour and 10 minutes"),
        (timedelta(days=89, hours=10, minutes=58), "89 days and 11 hours"),
        (timedelta(minutes=59, seconds=52), "1 hour"),
        (timedelta(seconds=3), "a moment"),
    ],
)
def test_spans_are_told_as_people_say_them(span: timedelta, words: str) -> None:
    assert spoken(span) == words
