"""The arbiter's checks come in the order of the contract (triggers.md §4.4): the first that fails gives the reason."""

from __future__ import annotations

import pytest

from tern_triggers.domain.arbiter.judging import Case, Check, hear
from tern_triggers.domain.arbiter.ledger import Ledger
from tern_triggers.domain.candidates import candidates
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.domain.view import Arm, Verdicts, View
from unit.triggers.arbiter.cases import (
    ANN_SAYS,
    CART,
    EVERYWHERE,
    FIRED,
    HELD_OUT,
    OF_CARTS,
    POLICY,
    READY,
    ann,
    before,
    deferred,
    judged,
    look,
    rule,
    said,
    says,
    story,
    suppressed,
)
from unit.triggers.saying import HOME, at

NIGHT = 9 * 60.0
"""22:00 in Berlin, at which the reason began an hour and the grace before."""

EVERYTHING = rule(
    **OF_CARTS,
    channels=["sms"],
    when={"path": "orders", "at_least": 1},
    frequency="7d",
    holdout="50%",
    steps=[{"hold": True, "best_hour": True, "expires_after": "30d"}],
)
CONTROL = Arm(HOME, "nudge", False)
HOURS = tuple(100 if hour == 14 else 1 for hour in range(24))

WRONG = {
    "shared": True,
    "consent": {},
    "traits": {"do_not_contact": True},
    "contacts": {},
    "active_hours": HOURS,
}
"""A profile with which every check fails, beside decisions that leave no room."""

NAMES = ("expired", "orders", "shared", "consent", "traits", "frequency", "contacts", "quiet", "active_hours", "stock")
MENDED: dict[str, dict[str, object]] = {
    "orders": {"orders": 1},
    "shared": {"shared": False},
    "consent": {"consent": {"marketing": EVERYWHERE}},
    "traits": {"traits": {}},
    "contacts": {"contacts": ANN_SAYS.contacts},
    "active_hours": {"active_hours": tuple(100 if hour == 12 else 1 for hour in range(24))},
}


def hopeless(*mended: str) -> View:
    profile: dict[str, object] = dict(WRONG)
    for name in mended:
        profile.update(MENDED.get(name, {}))
    recent = [before(NIGHT - 60, channels=("sms",))]
    if "frequency" not in mended:
        recent.append(before(NIGHT - 70, name="nudge", channels=("sms",)))
    return ann(*recent, profile=Verdicts(**profile), arms=[CONTROL])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mended", "why"),
    [
        (0, Why.EXPIRED),
        (1, Why.CONDITION),
        (2, Why.SHARED),
        (3, Why.NO_CONSENT),
        (4, Why.DO_NOT_CONTACT),
        (5, Why.FREQUENCY),
        (6, Why.UNREACHABLE),
        (7, Why.QUIET),
        (8, Why.BEST_HOUR),
        (9, Why.STOCK),
        (10, Why.CAPPED),
    ],
)
def test_the_first_check_that_fails_gives_the_reason(mended: int, why: Why) -> None:
    fixed = NAMES[:mended]
    minutes = 24 * 60.0 if "quiet" in fixed else NIGHT
    chosen = EVERYTHING.model_copy(
        update={"steps": (EVERYTHING.steps[0].model_copy(update={"hold": "stock" not in fixed}),)}
    )
    now = minutes if fixed else 60 * 24 * 60.0
    seen = hopeless(*fixed)
    assert judged(chosen, seen, minutes, of=story(minutes=minutes - READY, shown=CART), now=now).why is why


def test_the_hold_out_is_asked_last() -> None:
    free = rule(holdout="50%")
    full = ann(before(0), arms=[CONTROL])
    assert judged(free, full).why is Why.CAPPED
    assert judged(free, ann(arms=[CONTROL])) == HELD_OUT


@pytest.mark.parametrize("act", ["task", "ticket", "status"])
def test_tasks_tickets_and_status_are_not_contacts(act: str) -> None:
    """They meet neither consent nor channels, quiet hours and caps, but all that is not about reaching somebody."""
    nobody = Verdicts(traits={"do_not_contact": True})
    chosen = rule(steps=[{"act": act}], channels=[])
    full = ann(before(NIGHT - 60), profile=nobody)
    assert judged(chosen, full, NIGHT, of=story(minutes=NIGHT - READY)) == FIRED
    assert judged(chosen, full, now=60 * 24 * 60.0) == suppressed(Why.EXPIRED)
    assert judged(chosen, ann(profile=says(shared=True))) == suppressed(Why.SHARED)
    assert judged(chosen.model_copy(update={"holdout": 0.5}), ann(arms=[CONTROL])) == HELD_OUT
    again = rule(steps=[{"act": act}], channels=[], frequency="7d")
    assert judged(again, ann(before(0, name="nudge", act=act))) == suppressed(Why.FREQUENCY)
    asks = rule(steps=[{"act": act}], channels=[], when={"path": "orders", "at_least": 1})
    assert judged(asks, ann()) == suppressed(Why.CONDITION)


@pytest.mark.parametrize("act", ["task", "ticket", "status"])
def test_what_is_no_contact_takes_no_slot(act: str) -> None:
    assert judged(rule(), ann(before(0, act=act))) == FIRED


def heard(chosen: Rule, view: View) -> list[Check]:
    rules = ruleset([chosen])
    (candidate,) = candidates(rules, {chosen.rule: [story()]}, view)
    case = Case(
        candidate=candidate, view=view, ledger=Ledger(view, rules), present=at(READY), now=at(READY), policy=POLICY
    )
    return [check for check, _ in hear(case)]


def test_the_checks_that_were_heard_are_told_in_order_up_to_the_one_that_decides() -> None:
    assert heard(rule(), ann()) == list(Check)
    assert heard(rule(), ann(profile=says(consent={}))) == list(Check)[:5]
    assert heard(rule(steps=[{"act": "task"}]), ann()) == [
        Check.HISTORY,
        Check.EXPIRY,
        Check.CONDITION,
        Check.SHARED,
        Check.FREQUENCY,
        Check.STOCK,
        Check.HOLDOUT,
    ]


def test_what_is_deferred_is_checked_again_as_a_whole() -> None:
    chosen = rule(channels=["sms"])
    told = {chosen.rule: [story(minutes=NIGHT - READY)]}
    found = look([chosen], told, ann(), NIGHT)
    morning = 20 * 60.0
    assert said(found) == deferred(Why.QUIET, morning)
    waiting = {one.trigger_id: one for one in found.deferrals}
    assert look([chosen], told, ann(deferrals=waiting), morning - 1).deferrals == []
    assert look([chosen], told, ann(deferrals=waiting), morning - 1).rulings == []
    assert said(look([chosen], told, ann(deferrals=waiting), morning)) == FIRED
    refused = ann(deferrals=waiting, profile=says(consent={}))
    assert said(look([chosen], told, refused, morning)) == suppressed(Why.NO_CONSENT)


def test_expiry_is_by_the_clock_whatever_the_round() -> None:
    assert judged(rule(), ann(), now=25 * 60) == FIRED
    assert judged(rule(), ann(), now=25 * 60 + 0.01) == suppressed(Why.EXPIRED)


def test_a_ruling_names_the_channels_that_may_be_used_best_first() -> None:
    chosen = rule(channels=["sms", "email"])
    (ruling,) = look([chosen], {chosen.rule: [story()]}, ann()).rulings
    assert (ruling.decision.outcome, ruling.decision.channels) == (Outcome.FIRED, ("sms", "email"))
