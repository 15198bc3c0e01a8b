"""Rules of kind `count`: so many, so much, or so many days running, within a window (triggers.md §3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.endings import Revocation, endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.rounds import decide_at_once
from tern_triggers.domain.rules import RULE, Rule, ruleset
from tern_triggers.domain.story import Gone, ReasonShown
from tern_triggers.domain.view import View
from unit.triggers.saying import DAY, GRANTED, HOUR, OTHER, POLICY, at, candidates_of, event, fired, view


def rule(**changed: Any) -> Rule:
    return RULE.validate_python(
        {
            "rule": "often",
            "kind": "count",
            "family": "browse",
            "of": {"event": "Product Viewed"},
            "key": "product_id",
            "at_least": 3,
            "within": "24h",
            "cooldown": "7d",
            "purpose": "service",
            "steps": [{"act": "task", "expires_after": "30d"}],
            **changed,
        }
    )


OFTEN = rule()
SOLVED = {"event": "Problem Solved"}
EXITED = rule(exit=SOLVED)
DWELL = rule(sum="seconds", at_least=180)
RUNNING = rule(days="running", at_least=3, within="3d", key="category")


def viewed(minutes: float, message_id: str, product: str = "tea", **more: Any) -> Fact:
    return event("Product Viewed", minutes, message_id, product_id=product, category="drinks", **more)


def solved(minutes: float, message_id: str, **more: Any) -> Fact:
    return event("Problem Solved", minutes, message_id, product_id="tea", **more)


def speaks(rule: Rule, *facts: Fact, **more: Any) -> list[str]:
    """The message ids of the events that speak."""
    return [candidate.story.about for candidate in candidates_of(rule, view(*facts, **more))]


def views(*minutes: float) -> list[Fact]:
    return [viewed(minute, f"m{number}") for number, minute in enumerate(minutes)]


def done(rule: Rule, *facts: Fact) -> list[Decision]:
    """What is decided at once when these are known."""
    rules = ruleset([rule])
    seen = view(*facts)
    made = decide_at_once(rules, stories(rules, seen, POLICY, at(0)), seen, POLICY, at(0))
    return [ruling.decision for ruling in made.rulings]


def test_the_event_that_completes_the_count_speaks_and_names_it() -> None:
    (candidate,) = candidates_of(OFTEN, view(*views(0, 10, 20)))
    assert (candidate.cycle_ref, candidate.story.key, candidate.due) == ("m2", "tea", at(20))
    assert speaks(OFTEN, *views(0, 10)) == []


def test_it_is_at_once_unless_it_has_an_exit_or_asks_to_wait() -> None:
    told = view(*views(0, 10, 20))
    assert [candidates_of(one, told)[0].at_once for one in (OFTEN, EXITED, rule(wait="safe"))] == [True, False, False]


def test_the_window_is_open_at_its_far_end() -> None:
    assert speaks(OFTEN, *views(0, 10, DAY)) == []
    assert speaks(OFTEN, *views(0, 10, DAY - 0.1)) == ["m2"]
    assert speaks(OFTEN, *views(0, 10, DAY, DAY + 5)) == ["m3"]


def test_it_speaks_as_soon_as_some_window_holds() -> None:
    assert speaks(OFTEN, *views(0, 2 * DAY, 2 * DAY + 1, 2 * DAY + 2, 9 * DAY)) == ["m3"]


def test_each_product_counts_for_itself_and_what_names_none_for_none() -> None:
    assert speaks(OFTEN, *views(0, 10), viewed(20, "m9", "cup")) == []
    assert speaks(OFTEN, *views(0, 10), event("Product Viewed", 20, "m9")) == []
    assert speaks(rule(key=None), *views(0, 10), viewed(20, "m9", "cup")) == ["m9"]


def test_homes_count_together() -> None:
    assert speaks(OFTEN, *views(0, 10), viewed(20, "m9", home=OTHER)) == ["m9"]


def test_at_most_one_speaks_in_a_cooldown() -> None:
    assert speaks(OFTEN, *views(0, 10, 20, 30, 40)) == ["m2"]
    week = 7 * DAY
    assert speaks(OFTEN, *views(0, 10, 20, week, week + 10, week + 19)) == ["m2"]
    assert speaks(OFTEN, *views(0, 10, 20, week, week + 10, week + 20)) == ["m2", "m5"]


def test_the_cooldown_holds_on_either_side_of_what_was_decided() -> None:
    (late,) = done(OFTEN, *views(100, 110, 120))
    before = [viewed(n, f"a{n}") for n in (0, 10, 20)]
    assert speaks(OFTEN, *before, *views(100, 110, 120), decisions=[late]) == []
    week = 7 * DAY
    far = [viewed(120 - week + n, f"b{n}") for n in (-2, -1, 0)]
    assert speaks(OFTEN, *far, *views(100, 110, 120), decisions=[late]) == ["b0"]
    assert speaks(OFTEN, *far, *views(100, 110, 120), decisions=[replace(late, mode="shadow")]) == ["b0", "m2"]


def test_what_is_decided_stays_so_while_events_turn_up_before_it() -> None:
    (made,) = done(OFTEN, *views(0, 10, 20))
    assert speaks(OFTEN, *views(0, 10, 20), viewed(5, "m9"), decisions=[made]) == []


def test_late_events_make_up_a_count_and_complete_none() -> None:
    late = viewed(30, "m9", late=True)
    assert speaks(OFTEN, *views(0, 10), late) == []
    assert speaks(OFTEN, viewed(0, "m8", late=True), *views(10, 20)) == ["m1"]
    assert speaks(OFTEN, *views(0, 10), late, viewed(40, "m3")) == ["m3"]
    assert speaks(rule(history="enrol"), *views(0, 10), late) == ["m9"]


def test_an_exit_begins_the_count_anew() -> None:
    assert speaks(EXITED, *views(0, 10), solved(15, "s"), viewed(20, "m9")) == []
    assert speaks(EXITED, *views(0, 10), solved(10, "s"), *[viewed(n, f"n{n}") for n in (20, 30)]) == []
    assert speaks(EXITED, solved(0, "s"), *views(5, 10, 20)) == ["m2"]


def test_an_exit_after_the_count_takes_it_back_until_it_is_completed_again() -> None:
    assert speaks(EXITED, *views(0, 10, 20), solved(25, "s")) == []
    assert speaks(EXITED, *views(0, 10, 20), solved(20, "s")) == []
    again = [viewed(n, f"n{n}") for n in (30, 40, 50)]
    assert speaks(EXITED, *views(0, 10, 20), solved(25, "s"), *again) == ["n50"]


def test_what_an_exit_took_back_has_a_story_that_says_so() -> None:
    told = stories(ruleset([EXITED]), view(*views(0, 10, 20), solved(25, "s")), POLICY)["often"]
    assert [(one.about, [end.why for end in one.exits]) for one in told] == [("m2", [Gone.EXIT])]


def test_exits_that_turn_up_late_take_back_what_was_fired() -> None:
    (made,) = fired(view(*views(0, 10, 20)), 25, [EXITED])

    def revoked(*facts: Fact) -> list[Revocation]:
        seen: View = view(*views(0, 10, 20), *facts, decisions=[made])
        return [one.revocation for one in endings(stories(ruleset([EXITED]), seen, POLICY), seen.decisions, at(90))]

    assert revoked(solved(22, "s")) == [Revocation.RETRACTED]
    assert revoked(solved(5, "s")) == [Revocation.RETRACTED]
    assert revoked(solved(60, "s")) == [Revocation.CANCELLED]
    assert revoked(viewed(60, "m9"), viewed(15, "m8")) == []


def test_without_exit_nothing_takes_a_count_back_whatever_becomes_of_it() -> None:
    (made,) = done(OFTEN, *views(0, 10, 20))
    seen = view(viewed(20, "m2"), decisions=[made])
    assert endings(stories(ruleset([OFTEN]), seen, POLICY), seen.decisions, at(30)) == []


def test_a_sum_counts_what_is_no_less_than_nothing() -> None:
    def spent(*seconds: Any) -> list[Fact]:
        return [viewed(n, f"m{n}", seconds=one) for n, one in enumerate(seconds)]

    assert speaks(DWELL, *spent(100, 79)) == []
    assert speaks(DWELL, *spent(100, "80")) == ["m1"]
    assert speaks(DWELL, *spent(100, -50, True, "soon", 80.5)) == ["m4"]
    (candidate,) = candidates_of(DWELL, view(*spent(100, 80.5)))
    assert candidate.story.shown == ReasonShown({"counted": "180.5000", "since": at(0).isoformat()}, "tea", "drinks")


def test_days_running_are_those_of_the_customers_own_zone() -> None:
    noon = [viewed(day * DAY, f"m{day}") for day in (0, 1, 2)]
    assert speaks(RUNNING, *noon) == ["m2"]
    assert speaks(RUNNING, noon[0], noon[2]) == []
    assert speaks(RUNNING, *noon[:2], viewed(1.4 * DAY, "m9")) == []
    night = [viewed(11.5 * HOUR + day * DAY, f"m{day}") for day in (0, 1, 2)]
    late = viewed(2 * DAY + 9 * HOUR, "x")  # 21:00 UTC of the third day
    assert speaks(RUNNING, *night[:2], late, profile=replace(GRANTED, zone="UTC")) == ["x"]
    assert speaks(RUNNING, *night[:2], late) == [], "in Berlin the first two were the second and the third day"


def test_an_unknown_zone_is_as_good_as_none() -> None:
    noon = [viewed(day * DAY, f"m{day}") for day in (0, 1, 2)]
    assert speaks(RUNNING, *noon, profile=replace(GRANTED, zone="Moon/Tranquility")) == ["m2"]


def test_later_steps_follow_what_was_decided_at_once() -> None:
    steps = [{"act": "task", "expires_after": "30d"}, {"after": "20h", "act": "task", "expires_after": "30d"}]
    escalated = rule(steps=steps, exit=SOLVED)
    (made,) = done(escalated, *views(0, 10, 20))
    seen = view(*views(0, 10, 20), viewed(60, "m9"), decisions=[made])
    (candidate,) = candidates_of(escalated, seen)
    assert (candidate.step, candidate.cycle_ref, candidate.at_once) == (1, "m2", False)


MINUTES = st.lists(st.integers(0, 40), max_size=12)


@given(MINUTES, st.lists(st.integers(0, 40), max_size=3), st.randoms())
def test_whatever_order_they_come_in_the_same_events_speak(minutes: list[int], ends: list[int], random: Any) -> None:
    short = rule(within="10m", cooldown="12m", exit=SOLVED)
    facts = [*views(*minutes), *(solved(end, f"s{n}") for n, end in enumerate(ends))]
    shuffled = [*facts, *facts[:4]]
    random.shuffle(shuffled)
    told = [stories(ruleset([short]), view(*found), POLICY) for found in (facts, shuffled)]
    assert told[0] == told[1]


@given(MINUTES)
def test_what_speaks_lies_a_cooldown_apart_and_leaves_nothing_out(minutes: list[int]) -> None:
    short = rule(within="10m", cooldown="12m")
    chosen = [one.anchor for one in candidates_of(short, view(*views(*minutes)))]
    assert all(abs(one - other) >= short.cooldown for one in chosen for other in chosen if one is not other)  # type: ignore[union-attr]
    complete = [m for m in minutes if sum(m - 10 < other <= m for other in minutes) >= 3]
    assert all(any(abs(at(m) - one) < short.cooldown for one in chosen) for m in complete)  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_are_counts_as_well(count: int) -> None:
    assert speaks(rule(at_least=count), *views(0, 10)) == [f"m{count - 1}"]
