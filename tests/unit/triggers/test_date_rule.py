"""Rules of kind `date`: a date of the profile comes round (triggers.md §4.2, §12)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tern_common.events import Computed
from tern_triggers.domain.decisions import Decision, trigger_id
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.moments import at_local
from tern_triggers.domain.rounds import Next, Safe, decide, next_looks, standing
from tern_triggers.domain.rules import RULE, Rule, ruleset
from tern_triggers.domain.story import ReasonShown, Story
from tern_triggers.domain.view import View
from unit.triggers.saying import GRANTED, HOME, OTHER, POLICY, START, snap, view

WRITTEN: dict[str, Any] = {
    "rule": "many_happy_returns",
    "kind": "date",
    "family": "lifecycle",
    "date": "traits.birthday",
    "at": "09:00",
    "purpose": "marketing",
    "channels": ["email"],
    "steps": [{"expires_after": "12h"}],
}
BIRTHDAY = RULE.validate_python(WRITTEN)
BERLIN = ZoneInfo("Europe/Berlin")


def once(path: str = "traits.renewal", **more: Any) -> Rule:
    return RULE.validate_python({**WRITTEN, "date": path, "yearly": False, **more})


def ann(birthday: Any = "1990-05-20", zone: str | None = None, **more: Any) -> View:
    """Ann, as her profile tells."""
    profile = replace(GRANTED, traits={"birthday": birthday, "renewal": birthday}, zone=zone)
    return view(profile=profile, **more)


def told(rule: Rule, seen: View, now: datetime = START) -> list[Story]:
    return stories(ruleset([rule]), seen, POLICY, now)[rule.rule]


def times(rule: Rule, seen: View, now: datetime = START) -> list[tuple[str, datetime]]:
    """(period, moment)."""
    return [(story.about, story.activity[0].at) for story in told(rule, seen, now)]


def made(rule: Rule, seen: View, now: datetime) -> list[Decision]:
    rules = ruleset([rule])
    found = decide(rules, stories(rules, seen, POLICY, now), seen, POLICY, Safe(now, now), now)
    return [ruling.decision for ruling in found.rulings]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_at_nine_of_the_customers_own_day() -> None:
    assert times(BIRTHDAY, ann()) == [("2026", utc(2026, 5, 20, 7))], "the shop's zone, where hers is not known"
    assert times(BIRTHDAY, ann(zone="Asia/Tokyo")) == [("2026", utc(2026, 5, 20, 0))]
    assert times(BIRTHDAY, ann(zone="Moon/Tranquility")) == [("2026", utc(2026, 5, 20, 7))]


def test_the_next_one_is_told_beside_the_one_that_runs() -> None:
    now = utc(2026, 5, 20, 12)
    assert [period for period, _ in times(BIRTHDAY, ann(), now)] == ["2026", "2027"]
    assert [period for period, _ in times(BIRTHDAY, ann(), utc(2026, 5, 20, 19))] == ["2026", "2027"]
    assert [period for period, _ in times(BIRTHDAY, ann(), utc(2026, 5, 20, 19, 1))] == ["2027"], "it has expired"


def test_so_somebody_looks_at_the_next_one_without_any_fact() -> None:
    rules, seen = ruleset([BIRTHDAY]), ann()
    now = utc(2026, 5, 20, 8)
    (done,) = made(BIRTHDAY, seen, now)
    after = replace(seen, decisions=[done])
    looks = next_looks(standing(rules, stories(rules, after, POLICY, now), after), POLICY)
    assert looks == Next(utc(2027, 5, 20, 7, 5), None)


def test_who_was_born_on_29_february_has_a_birthday_on_the_28th_in_other_years() -> None:
    seen = ann("1992-02-29")
    assert times(BIRTHDAY, seen, utc(2027, 1, 1)) == [("2027", utc(2027, 2, 28, 8))]
    assert times(BIRTHDAY, seen, utc(2028, 1, 1)) == [("2028", utc(2028, 2, 29, 8))]


def test_it_speaks_once_a_year_over_all_homes_even_if_the_date_is_edited() -> None:
    (done,) = made(BIRTHDAY, ann(), utc(2026, 5, 20, 8))
    edited = ann("1990-08-01", decisions=[done])
    assert made(BIRTHDAY, edited, utc(2026, 8, 1, 9)) == []
    assert len(made(BIRTHDAY, edited, utc(2027, 8, 1, 9))) == 1
    merged = ann(decisions=[replace(done, home_id=OTHER)], homes=frozenset({HOME, OTHER}))
    assert made(BIRTHDAY, merged, utc(2026, 5, 20, 9)) == []


def test_the_smallest_home_and_the_period_name_it() -> None:
    seen = ann(homes=frozenset({OTHER, HOME}))
    (done,) = made(BIRTHDAY, seen, utc(2026, 5, 20, 8))
    assert (done.home_id, done.cycle_ref, done.about) == (HOME, f"{HOME}|2026", "2026")
    assert done.trigger_id == trigger_id(BIRTHDAY.rule, "", f"{HOME}|2026", 0)


def test_days_before_and_after() -> None:
    assert times(RULE.validate_python({**WRITTEN, "days_before": 14}), ann()) == [("2026", utc(2026, 5, 6, 7))]
    early = RULE.validate_python({**WRITTEN, "days_before": 14})
    assert times(early, ann("1990-01-05"), utc(2026, 12, 1)) == [("2027", utc(2026, 12, 22, 8))]
    later = RULE.validate_python({**WRITTEN, "days_before": -10})
    assert times(later, ann("1990-12-28"), utc(2027, 1, 1)) == [("2026", utc(2027, 1, 7, 8))]


def test_the_first_day_itself_is_no_anniversary() -> None:
    assert times(BIRTHDAY, ann("2026-05-20"))[0] == ("2027", utc(2027, 5, 20, 7))


def test_a_date_without_a_year_comes_round_too() -> None:
    assert times(BIRTHDAY, ann("--05-20")) == [("2026", utc(2026, 5, 20, 7))]
    assert times(BIRTHDAY, ann("--02-29"), utc(2027, 1, 1)) == [("2027", utc(2027, 2, 28, 8))]
    assert times(once(), ann("--05-20")) == []


def test_what_comes_once_is_known_by_its_date() -> None:
    assert times(once(), ann("2026-05-20")) == [("2026-05-20", utc(2026, 5, 20, 7))]
    assert times(once(), ann("2026-05-20"), utc(2026, 5, 21)) == []
    assert times(once(days_before=30), ann("2026-05-20")) == [("2026-05-20", utc(2026, 4, 20, 7))]


def test_a_moment_is_the_day_that_the_customers_clocks_show() -> None:
    late = "2026-05-20T23:30:00Z"
    assert times(once(), ann(late)) == [("2026-05-21", utc(2026, 5, 21, 7))]
    assert times(once(), ann(late, zone="UTC")) == [("2026-05-20", utc(2026, 5, 20, 9))]
    assert times(once(), ann("2026-05-20T23:30:00")) == [("2026-05-20", utc(2026, 5, 20, 7))]


@pytest.mark.parametrize("said", ["soon", "", "1990-13-01", "--2-3", 19900520, True, "0001-01-01T00:00:00+14:00"])
def test_what_is_no_date_never_comes(said: Any) -> None:
    assert times(BIRTHDAY, ann(said)) == []


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize(
    "said", ["0001-01-01", "0001-01-01T00:00:00", "9999-12-31", "9999-12-31T23:59:59", "3000-01-01"]
)
def test_a_date_that_programs_write_for_never_comes_and_stops_nobody(said: str, zone: str) -> None:
    """.NET's earliest date, and the last of all calendars: neither bears any arithmetic."""
    forever = [{"expires_after": "30d"}]
    assert times(once(days_before=14, steps=forever), ann(said, zone=zone)) == []
    assert times(once(at="23:59", steps=forever), ann(said, zone=zone)) == []


def test_computed_dates_count_as_traits_do() -> None:
    profile = replace(GRANTED, computed={"next_order": Computed(value="2026-05-20", since=START)})
    assert times(once("computed.next_order"), view(profile=profile)) == [("2026-05-20", utc(2026, 5, 20, 7))]
    assert times(once("computed.other"), view(profile=profile)) == []


def test_without_profile_or_home_there_is_no_date() -> None:
    assert told(BIRTHDAY, view(profile=None)) == []
    assert told(BIRTHDAY, ann(homes=frozenset())) == []
    assert told(BIRTHDAY, view()) == []


def test_a_rule_of_today_congratulates_nobody_for_this_morning() -> None:
    now = utc(2026, 5, 20, 9)
    rules = ruleset([BIRTHDAY], {BIRTHDAY.rule: now})
    assert decide(rules, stories(rules, ann(), POLICY, now), ann(), POLICY, Safe(now, now), now).rulings == []


def test_later_steps_keep_a_period_going() -> None:
    steps = [{"expires_after": "12h"}, {"after": "3d", "expires_after": "12h"}]
    rule = RULE.validate_python({**WRITTEN, "steps": steps})
    (first,) = made(rule, ann(), utc(2026, 5, 20, 8))
    (second,) = made(rule, ann(decisions=[first]), utc(2026, 5, 23, 8))
    assert (second.step, second.cycle_ref, second.due) == (1, first.cycle_ref, utc(2026, 5, 23, 7))


def test_it_shows_the_day() -> None:
    (story,) = told(BIRTHDAY, ann())
    assert story.shown == ReasonShown({"date": "2026-05-20", "period": "2026"})


def test_dates_need_the_present_and_say_so() -> None:
    with pytest.raises(AssertionError, match="pass `now`"):
        stories(ruleset([BIRTHDAY]), view(snap(0, "m1", "tea")), POLICY)


@pytest.mark.parametrize(
    ("day", "shown", "zone", "moment"),
    [
        (date(2026, 7, 1), time(9), "Europe/Berlin", utc(2026, 7, 1, 7)),
        (date(2026, 3, 29), time(2, 30), "Europe/Berlin", utc(2026, 3, 29, 1)),
        (date(2026, 3, 29), time(2), "Europe/Berlin", utc(2026, 3, 29, 1)),
        (date(2026, 3, 29), time(3), "Europe/Berlin", utc(2026, 3, 29, 1)),
        (date(2026, 10, 25), time(2, 30), "Europe/Berlin", utc(2026, 10, 25, 0, 30)),
        (date(2026, 10, 4), time(2, 15), "Australia/Lord_Howe", utc(2026, 10, 3, 15, 30)),
        (date(2011, 12, 30), time(9), "Pacific/Apia", utc(2011, 12, 30, 10)),
    ],
    ids=["summer", "gap", "gap begins", "gap ends", "fold", "half an hour", "a whole day"],
)
def test_a_gap_goes_to_the_first_valid_minute_and_a_fold_to_the_first_occurrence(
    day: date, shown: time, zone: str, moment: datetime
) -> None:
    assert at_local(day, shown, ZoneInfo(zone)) == moment


def test_every_minute_of_a_year_is_some_minute_of_it() -> None:
    for hours in range(0, 366 * 24, 7):
        moment = utc(2026, 1, 1) + timedelta(hours=hours)
        local = moment.astimezone(BERLIN)
        assert at_local(local.date(), local.time(), BERLIN) == moment or local.fold
