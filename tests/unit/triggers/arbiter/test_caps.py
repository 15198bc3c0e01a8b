"""Rolling caps over all rules and channels, by rounds, and how slots come free (triggers.md §4.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.rounds import after
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.view import View
from unit.triggers.arbiter.cases import (
    FIRED,
    READY,
    Said,
    ann,
    before,
    deferred,
    judged,
    live,
    look,
    policy,
    rule,
    says,
    story,
    suppressed,
)
from unit.triggers.saying import DAY, HOUR, OTHER, at

LONG = rule(steps=[{"expires_after": "30d"}])


def test_one_contact_in_24_hours() -> None:
    assert judged(LONG, ann(before(READY - 24 * HOUR + 1))) == deferred(Why.CAPPED, READY + 1)
    assert judged(LONG, ann(before(READY - 24 * HOUR))) == FIRED


def test_three_in_seven_days() -> None:
    week = [before(READY - days * DAY) for days in (1, 3, 6)]
    assert judged(LONG, ann(*week)) == deferred(Why.CAPPED, READY + DAY)
    assert judged(LONG, ann(*week[:2])) == FIRED
    assert judged(LONG, ann(*week[:2], before(READY - 7 * DAY))) == FIRED


def test_the_moment_at_which_a_slot_frees_is_the_latest_over_all_caps() -> None:
    week = [before(READY - days * DAY) for days in (0.5, 3, 6)]
    assert judged(LONG, ann(*week)) == deferred(Why.CAPPED, READY + DAY)
    week = [before(READY - days * DAY) for days in (0.5, 3, 6.9)]
    assert judged(LONG, ann(*week)) == deferred(Why.CAPPED, READY + DAY / 2)


def test_more_than_a_cap_allows_may_have_come_together_by_merging() -> None:
    many = [before(READY - days * DAY) for days in (1, 2, 3, 4, 5)]
    assert judged(LONG, ann(*many)) == deferred(Why.CAPPED, READY + 4 * DAY)


def test_later_rounds_count_so_that_a_late_candidate_cannot_slip_under_a_cap_through_its_past() -> None:
    later = before(READY + 5)
    assert judged(LONG, ann(later), READY + 6) == deferred(Why.CAPPED, READY + 5 + DAY)


def test_full_beyond_expiry_is_suppressed_at_once() -> None:
    assert judged(rule(), ann(before(READY - 5))).until == READY - 5 + DAY
    assert judged(rule(), ann(before(READY - 4))) == suppressed(Why.CAPPED)


def test_the_last_round_that_is_worth_it_is_that_of_its_expiry() -> None:
    assert judged(rule(), ann(before(READY - 5.5))).until == READY - 5.5 + DAY
    assert judged(rule(), ann(before(READY - 4.5))) == suppressed(Why.CAPPED)


@pytest.mark.parametrize(
    "free",
    [
        before(0, outcome=Outcome.HELD_OUT),
        before(0, outcome=Outcome.SUPPRESSED, reason=Why.CAPPED),
        before(0, outcome=Outcome.WITHDRAWN),
        before(0, outcome=Outcome.ENDED),
        before(0, released_at=at(1)),
        before(0, mode="shadow"),
        before(0, home_id=OTHER),
        before(0, act="task"),
    ],
    ids=["held out", "suppressed", "withdrawn", "note", "released", "shadow", "another customer's", "task"],
)
def test_what_takes_no_slot(free: object) -> None:
    assert judged(rule(), ann(free)) == FIRED  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "taken",
    [before(0), before(0, retracted_at=at(1)), before(0, cancelled_at=at(1)), before(0, channels=("push",))],
    ids=["silence", "retracted after sending", "cancelled", "by another channel"],
)
def test_what_keeps_its_slot(taken: object) -> None:
    assert judged(LONG, ann(taken)) == deferred(Why.CAPPED, DAY)  # type: ignore[arg-type]


def test_a_merge_adds_the_slots_of_both_and_a_split_takes_them_along() -> None:
    theirs = before(0, home_id=OTHER)
    merged = ann(theirs, homes=frozenset({"a" * 32, OTHER}))
    assert judged(LONG, merged) == deferred(Why.CAPPED, DAY)
    assert judged(LONG, ann(theirs)) == FIRED


def test_two_siblings_due_together_have_one_voice() -> None:
    first, second = rule("first", priority=60), rule("second")
    told = {"first": [story("a")], "second": [story("b")]}
    found = look([first, second], told, ann())
    (spoken, silent) = [one.decision for one in found.rulings]
    assert (spoken.rule, spoken.outcome) == ("first", Outcome.FIRED)
    assert (silent.rule, silent.outcome, silent.reason) == ("second", Outcome.SUPPRESSED, Why.CAPPED)


def test_several_carts_the_most_valuable_speaks() -> None:
    told = {"nudge": [story("a", value=10), story("b", value=90), story("c", value=50)]}
    found = look([rule()], told, ann())
    assert [one.decision.key for one in found.rulings if one.decision.outcome is Outcome.FIRED] == ["b"]


def test_at_once_contacts_take_slots_too() -> None:
    ((ruling,), chosen) = (look([rule()], {"nudge": [story()]}, ann()).rulings, LONG)
    assert judged(chosen, ann(ruling.decision), READY + 1, of=story("z", 1)).why is Why.CAPPED


def test_one_text_message_in_seven_days_and_another_channel_goes_on() -> None:
    both = rule(channels=["sms", "email"], steps=[{"expires_after": "30d"}])
    sent = before(READY - 2 * DAY, channels=("sms", "email"))
    (ruling,) = look([both], {"nudge": [story()]}, ann(sent)).rulings
    assert ruling.decision.channels == ("email",)
    assert judged(both.model_copy(update={"channels": ("sms",)}), ann(sent)) == deferred(Why.CAPPED, READY + 5 * DAY)


def test_only_the_best_channel_of_a_contact_takes_of_its_cap() -> None:
    sent = before(READY - 2 * DAY, channels=("email", "sms"))
    assert judged(rule(channels=["sms"]), ann(sent)) == FIRED


def test_a_contact_waits_for_whichever_channel_opens_first() -> None:
    """At night the mail's cap is full: the text message can go in the morning, long before the mail."""
    rare = policy(caps=[{"contacts": 1, "window": "7d", "channel": "email"}])
    night = 9 * HOUR
    both = rule(channels=["email", "sms"], steps=[{"expires_after": "30d"}])
    mailed = ann(before(night - DAY))
    assert judged(both, mailed, night, of=story(minutes=night - READY), by=rare) == deferred(Why.CAPPED, 20 * HOUR)


def test_a_full_channel_that_is_quiet_opens_when_both_are_over() -> None:
    rare = policy(
        caps=[
            {"contacts": 1, "window": "7d", "channel": "email"},
            {"contacts": 1, "window": "2d", "channel": "sms"},
        ]
    )
    night = 9 * HOUR
    both = rule(channels=["email", "sms"], steps=[{"expires_after": "30d"}])
    told = ann(before(night - DAY), before(night - DAY, channels=("sms",)))
    assert judged(both, told, night, of=story(minutes=night - READY), by=rare) == deferred(Why.CAPPED, night + DAY)


def own(wish: object, view: View | None = None) -> Said:
    chosen = ann(*(view or ann()).decisions, profile=says(traits={"max_contacts_per_week": wish}))
    return judged(LONG, chosen)


def test_the_customers_own_setting_can_only_lower_the_caps() -> None:
    once = ann(before(READY - 2 * DAY))
    assert judged(LONG, once) == FIRED
    assert own(1, once) == deferred(Why.CAPPED, READY + 5 * DAY)
    assert own("1", once) == own(1.9, once) == own(1, once)
    assert own(2, once) == FIRED
    thrice = ann(*(before(READY - days * DAY) for days in (2, 3, 4)))
    assert own(1000, thrice) == own("1e400000", thrice) == judged(LONG, thrice) == deferred(Why.CAPPED, READY + 3 * DAY)


def test_a_customer_who_wants_no_contact_gets_none() -> None:
    assert own(0) == own(0.5) == suppressed(Why.CAPPED)


@pytest.mark.parametrize("wish", ["often", -1, True, False, "NaN", "-Infinity", "Infinity"])
def test_a_setting_that_is_no_number_says_nothing(wish: object) -> None:
    assert own(wish) == FIRED


def test_a_shop_may_do_without_caps_and_without_own_settings() -> None:
    none = policy(caps=[], own_cap=None)
    busy = ann(*(before(minute) for minute in range(60)), profile=says(traits={"max_contacts_per_week": 0}))
    assert judged(rule(), busy, by=none) == FIRED


def test_what_was_capped_goes_in_the_very_round_in_which_a_slot_frees() -> None:
    life = live([LONG], {"nudge": [story()]}, ann(before(READY - HOUR)), 3 * DAY)
    (_, sent) = life.view.decisions
    assert (sent.round, sent.outcome) == (at(READY + 23 * HOUR), Outcome.FIRED)
    assert life.looks == 2


def test_a_slot_that_is_released_meanwhile_is_there_at_the_next_look() -> None:
    taken = before(0)
    view = ann(taken)
    told = {"nudge": [story()]}
    waiting = after(view, look([LONG], told, view))
    freed = replace(waiting, decisions=[replace(taken, released_at=at(70))])
    (ruling,) = look([LONG], told, freed, DAY).rulings
    assert ruling.decision.round == at(DAY)


def test_within_one_look_a_customer_who_waited_goes_in_the_round_in_which_a_slot_frees() -> None:
    """Safe time jumps: the slot frees between the candidate's own round and safe time."""
    found = look([LONG], {"nudge": [story()]}, ann(before(READY + 4 - DAY)), READY + 8)
    (ruling,) = found.rulings
    assert (ruling.decision.round, found.deferrals) == (at(READY + 4), [])


def often(**more: object) -> Rule:
    return rule(key="thing", frequency={"every": "7d", **more}, steps=[{}, {"after": "2h"}])


def test_at_most_one_first_step_in_every_so_long_and_that_ends_the_cycle() -> None:
    recent = before(READY - 6 * DAY, key="x", name="nudge")
    life = live([often()], {"nudge": [story()]}, ann(recent), 10 * DAY)
    (_, only) = life.view.decisions
    assert (only.outcome, only.reason, only.step) == (Outcome.SUPPRESSED, Why.FREQUENCY, 0)
    assert judged(often(), ann(before(READY - 7 * DAY, name="nudge"))) == FIRED


def test_later_steps_and_other_rules_are_no_first_steps() -> None:
    assert judged(often(), ann(before(READY - 2 * DAY, name="nudge", step=1))) == FIRED
    assert judged(often(), ann(before(READY - 2 * DAY))) == FIRED
    first = before(READY - DAY, key="k", name="nudge", anchor=at(0))
    assert judged(often(), ann(first), 125).why is not Why.FREQUENCY


def test_a_frequency_may_be_of_a_key_or_a_category() -> None:
    same = before(READY - 2 * DAY, key="k", name="nudge", category="tea", anchor=at(-5 * DAY), expires=at(0))
    tea, cups = (story(shown=replace(story().shown, category=name)) for name in ("tea", "cups"))  # type: ignore[type-var]
    past = replace(tea, exits=()), replace(cups, key="z")
    assert judged(often(per="category"), ann(same), of=replace(past[0], key="z")) == suppressed(Why.FREQUENCY)
    assert judged(often(per="category"), ann(same), of=past[1]) == FIRED
    assert judged(often(per="key"), ann(replace(same, about="1")), of=tea) == suppressed(Why.FREQUENCY)
    assert judged(often(per="key"), ann(same), of=past[1]) == FIRED


def test_released_first_steps_do_not_count_and_held_out_ones_do_so_that_the_arms_compare() -> None:
    recent = before(READY - 2 * DAY, name="nudge")
    assert judged(often(), ann(replace(recent, released_at=at(0)))) == FIRED
    assert judged(often(), ann(replace(recent, outcome=Outcome.HELD_OUT))) == suppressed(Why.FREQUENCY)


SHADOW = LONG.model_copy(update={"mode": "shadow", "rule": "try"})


def test_live_rules_never_see_shadows_and_a_shadow_sees_what_is_live_and_itself() -> None:
    """A shadow rule shows what it would have done, had it alone gone live."""
    ghost = before(0, name="try", mode="shadow")
    assert judged(LONG, ann(ghost)) == FIRED
    assert judged(SHADOW, ann(ghost)) == deferred(Why.CAPPED, DAY)
    assert judged(SHADOW, ann(before(0))) == deferred(Why.CAPPED, DAY)
    assert judged(SHADOW, ann(before(0, name="another", mode="shadow"))) == FIRED


def test_the_frequency_of_a_shadow_counts_shadows() -> None:
    ghost = before(READY - 2 * DAY, name="nudge", mode="shadow")
    tried = often().model_copy(update={"mode": "shadow"})
    assert judged(tried, ann(ghost)) == suppressed(Why.FREQUENCY)
    assert judged(often(), ann(ghost)) == FIRED
    assert judged(tried, ann(replace(ghost, mode="live"))) == suppressed(Why.FREQUENCY)


def test_a_shadow_decision_is_marked_and_has_an_id_of_its_own() -> None:
    (real,) = look([LONG], {"nudge": [story()]}, ann()).rulings
    tried = LONG.model_copy(update={"mode": "shadow"})
    (ghost,) = look([tried], {"nudge": [story()]}, ann()).rulings
    assert (ghost.decision.mode, real.decision.mode) == ("shadow", "live")
    assert ghost.decision.trigger_id != real.decision.trigger_id


def test_thousands_of_decisions_are_gone_through_once() -> None:
    """A sitting with 300 candidates over 20,000 decisions; by each candidate anew it would be six million steps."""
    past = [before(-minute, name=f"r{minute % 7}") for minute in range(DAY_MANY)]
    told = {"nudge": [story(f"k{n}") for n in range(300)]}
    found = look([LONG], told, ann(*past), by=policy(caps=[{"contacts": 1000, "window": timedelta(days=1)}]))
    assert len(found.deferrals) == 300


DAY_MANY = 20_000
