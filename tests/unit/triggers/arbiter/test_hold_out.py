"""The hold-out: uniform, independent between rules, sticky, and never again for whoever was treated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_triggers.domain.arbiter.draws import BUCKETS, bucket, spread
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.rounds import after
from tern_triggers.domain.view import Arm, View
from unit.triggers.arbiter.cases import (
    FIRED,
    HELD_OUT,
    NO_CAPS,
    POLICY,
    READY,
    ann,
    before,
    deferred,
    judged,
    look,
    policy,
    rule,
    says,
    story,
    suppressed,
)
from unit.triggers.saying import DAY, HOME, OTHER

HALF = rule(holdout="50%")
MANY = [f"00000000-0000-7000-8000-{n:012x}" for n in range(20_000)]


def test_buckets_are_uniform() -> None:
    """Chi-square over 100 cells: 99 degrees of freedom, so 150 is far beyond one in a thousand."""
    cells = Counter(bucket("tern", "cart_abandoned", one) * 100 // BUCKETS for one in MANY)
    expected = len(MANY) / 100
    assert sum((cells[cell] - expected) ** 2 / expected for cell in range(100)) < 150
    assert {*cells} == {*range(100)}


def test_rules_draw_independently() -> None:
    """A four-field table over two rules with a share of 10 %: one degree of freedom, 10.8 is one in a thousand."""
    seen = Counter((bucket("tern", "a", one) < 1000, bucket("tern", "b", one) < 1000) for one in MANY)
    a, b = seen[True, True] + seen[True, False], seen[True, True] + seen[False, True]
    total = len(MANY)
    chi = 0.0
    for (in_a, in_b), count in seen.items():
        expected = (a if in_a else total - a) * (b if in_b else total - b) / total
        chi += (count - expected) ** 2 / expected
    assert chi < 10.8
    assert abs(a / total - 0.1) < 0.01


def test_another_salt_is_another_draw() -> None:
    same = sum(bucket("one", "a", who) == bucket("two", "a", who) for who in MANY[:2000])
    assert same < 10


def test_a_backlog_is_spread_evenly_and_the_same_way_every_time() -> None:
    week = timedelta(days=7)
    moments = [spread(one, "recall", week) for one in MANY[:7000]]
    days = Counter(moment.days for moment in moments)
    assert {*days} == {*range(7)}
    assert all(850 < count < 1150 for count in days.values())
    assert moments == [spread(one, "recall", week) for one in MANY[:7000]]
    assert spread(HOME, "recall", timedelta()) == timedelta()


def someone(drawn: bool) -> str:
    """A customer whom the draw treats, or not."""
    return next(one for one in MANY if (bucket("tern", "nudge", one) >= 5000) is drawn)


def held(view: View, chosen: object = HALF) -> tuple[Outcome, Sequence[Arm]]:
    found = look([chosen], {"nudge": [story()]}, view, by=NO_CAPS)  # type: ignore[list-item]
    (ruling,) = found.rulings
    return ruling.decision.outcome, found.arms


def as_customer(who: str, *arms: Arm, homes: Sequence[str] = (HOME,), decisions: Sequence[object] = ()) -> View:
    return View(
        customer_id=who,
        homes=frozenset(homes),
        profile=says(),
        arms=arms,
        decisions=decisions,  # type: ignore[arg-type]
    )


def test_the_customers_id_draws_and_the_side_is_frozen_at_the_first_evaluation() -> None:
    assert held(as_customer(someone(True))) == (Outcome.FIRED, [Arm(HOME, "nudge", True)])
    assert held(as_customer(someone(False))) == (Outcome.HELD_OUT, [Arm(HOME, "nudge", False)])


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_frozen_stays_whatever_the_id_becomes(drawn: bool, frozen: bool) -> None:
    arm = Arm(HOME, "nudge", frozen)
    assert held(as_customer(someone(drawn), arm)) == (Outcome.FIRED if frozen else Outcome.HELD_OUT, [])


def test_arms_of_other_rules_are_theirs() -> None:
    assert held(as_customer(someone(False), Arm(HOME, "other", True)))[0] is Outcome.HELD_OUT


def test_any_treated_home_wins_a_merge_and_the_control_home_is_treated_from_then_on() -> None:
    merged = as_customer(someone(False), Arm(HOME, "nudge", False), Arm(OTHER, "nudge", True), homes=(HOME, OTHER))
    assert held(merged) == (Outcome.FIRED, [Arm(HOME, "nudge", True)])


def test_a_control_stays_one_when_somebody_joins_who_was_never_evaluated() -> None:
    merged = as_customer(someone(True), Arm(OTHER, "nudge", False), homes=(HOME, OTHER))
    assert held(merged) == (Outcome.HELD_OUT, [Arm(HOME, "nudge", False)])


def test_whoever_was_ever_treated_is_never_put_into_the_control() -> None:
    """A rule that gets a hold-out later: those whom it reached before stay treated."""
    once = before(-30 * DAY, name="nudge")
    assert held(as_customer(someone(False), decisions=[once])) == (Outcome.FIRED, [Arm(HOME, "nudge", True)])
    ghost = before(-30 * DAY, name="nudge", mode="shadow")
    never = before(-30 * DAY, name="nudge", outcome=Outcome.WITHDRAWN)
    theirs = before(-30 * DAY, name="nudge", home_id=OTHER)
    for nothing in (ghost, never, theirs, before(-30 * DAY)):
        assert held(as_customer(someone(False), decisions=[nothing]))[0] is Outcome.HELD_OUT


def test_a_rule_that_holds_nobody_out_freezes_nothing() -> None:
    assert held(as_customer(someone(False)), rule()) == (Outcome.FIRED, [])
    assert held(as_customer(someone(False), Arm(HOME, "nudge", False)), rule()) == (Outcome.FIRED, [])


def test_a_shadow_draws_the_same_and_freezes_nothing() -> None:
    shadow = HALF.model_copy(update={"mode": "shadow"})
    assert held(as_customer(someone(False)), shadow) == (Outcome.HELD_OUT, [])
    assert held(as_customer(someone(False), Arm(HOME, "nudge", True)), shadow) == (Outcome.FIRED, [])


def test_the_control_takes_no_slot_but_passes_the_same_checks() -> None:
    control = Arm(HOME, "nudge", False)
    both = {"nudge": [story("a")], "other": [story("b")]}
    found = look([HALF, rule("other")], both, ann(arms=[control]))
    assert [one.decision.outcome for one in found.rulings] == [Outcome.HELD_OUT, Outcome.FIRED]
    held_before = before(READY - 60, outcome=Outcome.HELD_OUT)
    assert judged(HALF, ann(held_before, arms=[control])) == HELD_OUT
    patient = rule(holdout="50%", steps=[{"expires_after": "30d"}])
    assert judged(patient, ann(before(0), arms=[control])) == deferred(Why.CAPPED, DAY)
    assert judged(HALF, ann(arms=[control], profile=says(consent={}))) == suppressed(Why.NO_CONSENT)


def test_nobody_is_evaluated_before_all_other_checks_have_passed() -> None:
    patient = rule(holdout="50%", steps=[{"expires_after": "30d"}])
    for view in (ann(before(0)), ann(profile=says(consent={}))):
        assert look([patient], {"nudge": [story()]}, view).arms == []


def test_two_keys_of_one_rule_in_one_look_are_on_one_side() -> None:
    found = look([HALF], {"nudge": [story("a"), story("b")]}, as_customer(someone(False)), by=NO_CAPS)
    assert [one.decision.outcome for one in found.rulings] == [Outcome.HELD_OUT] * 2
    assert found.arms == [Arm(HOME, "nudge", False)]


def test_later_steps_of_the_control_are_held_out_too() -> None:
    steps = rule(holdout="50%", steps=[{}, {"after": "2h"}])
    view = as_customer(someone(False))
    told = {"nudge": [story()]}
    view = after(view, look([steps], told, view, by=NO_CAPS))
    (second,) = look([steps], told, view, 125, by=NO_CAPS).rulings
    assert (second.decision.step, second.decision.outcome) == (1, Outcome.HELD_OUT)


def test_the_share_is_the_share() -> None:
    tenth = rule(holdout="10%")
    outcomes = Counter(held(as_customer(one), tenth)[0] for one in MANY[:3000])
    assert 0.08 < outcomes[Outcome.HELD_OUT] / 3000 < 0.12


@given(
    ids=st.lists(st.sampled_from(MANY[:50]), min_size=1, max_size=8),
    groups=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True), min_size=1, max_size=8),
)
def test_once_treated_always_treated_under_any_merges_and_splits(ids: list[str], groups: list[list[int]]) -> None:
    """Four homes are grouped anew again and again, under whatever ids: a home that was ever part of a customer whom the
    rule contacted from it is never held out again."""
    homes = [f"{n:032x}" for n in range(4)]
    arms: dict[str, bool] = {}
    for turn, group in enumerate(groups):
        own = [homes[n] for n in group]
        known = [Arm(home, "nudge", arms[home]) for home in own if home in arms]
        view = as_customer(ids[turn % len(ids)], *known, homes=own)
        found = look([HALF], {"nudge": [story(f"k{turn}", home=own[0])]}, view, by=NO_CAPS)
        outcome = found.rulings[0].decision.outcome
        if any(arms.get(home) for home in own):
            assert outcome is Outcome.FIRED
        elif any(home in arms for home in own):
            assert outcome is Outcome.HELD_OUT
        for arm in found.arms:
            arms[arm.home_id] = arms.get(arm.home_id, False) or arm.treated


def test_the_policy_names_the_draw() -> None:
    other = policy(caps=[], salt="another")
    sides = {
        (
            judged(HALF, as_customer(one), by=NO_CAPS) == FIRED,
            judged(HALF, as_customer(one), by=other) == FIRED,
        )
        for one in MANY[:50]
    }
    assert len(sides) == 4
    assert POLICY.arbiter.salt == "tern"
