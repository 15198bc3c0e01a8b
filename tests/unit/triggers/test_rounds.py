"""Rounds and checks (triggers.md §4.4), as far as expiry, shared customers and consent go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.moments import EPOCH, earliest, round_down, round_up
from tern_triggers.domain.rounds import Next, Safe, decide, next_looks, round_of, standing
from tern_triggers.domain.rules import RULE, Rule, ruleset
from tern_triggers.domain.story import Gone
from tern_triggers.domain.view import Verdicts, View
from unit.triggers.saying import (
    CART,
    DAY,
    GRANTED,
    HOUR,
    POLICY,
    RECALL,
    RULESET,
    at,
    decided,
    fired,
    order,
    snap,
    view,
)

READY = 65
FILLED = snap(0, "m1", "tea")
REFUSED = Verdicts(consent={"marketing": {"email": False}})


def outcome(seen: View, minutes: float = READY, now: float | None = None) -> tuple[Outcome, Why | None]:
    (ruling,) = decided(seen, minutes, [CART], now)
    assert not isinstance(ruling.decision.reason, Gone)
    return ruling.decision.outcome, ruling.decision.reason


def test_rounds_are_multiples_of_the_slot() -> None:
    slot = timedelta(seconds=60)
    assert [round_up(EPOCH + timedelta(seconds=s), slot) - EPOCH for s in (0, 1, 60, 61)] == [
        timedelta(seconds=s) for s in (0, 60, 60, 120)
    ]
    assert round_down(EPOCH + timedelta(seconds=119), slot) == EPOCH + timedelta(seconds=60)
    assert earliest(None, at(2), at(1)) == at(1)
    assert earliest(None) is None


def test_a_decision_belongs_to_its_own_round_unless_it_is_later_than_the_tolerance() -> None:
    assert round_of(at(10), at(20), POLICY) == at(10)
    assert round_of(at(10), at(20.5), POLICY) == at(20)


def test_nothing_is_decided_before_safe_time_reaches_the_round() -> None:
    assert fired(view(FILLED), READY - 0.01) == []
    assert len(fired(view(FILLED), READY)) == 1


def test_a_rule_with_a_long_wait_waits_for_all_lanes() -> None:
    seen = view(order(0, "o1"), snap(90 * DAY, "m1", "tea"))
    told = stories(RULESET, seen, POLICY)
    safe = Safe(at(91 * DAY), at(89 * DAY))
    found = decide(RULESET, told, seen, POLICY, safe, at(91 * DAY))
    assert [ruling.decision.rule for ruling in found.rulings] == ["cart_abandoned"]
    assert next_looks(found.left, POLICY) == Next(None, at(90 * DAY + 5))


def test_rounds_are_taken_in_ascending_order_and_equals_by_rank() -> None:
    seen = view(snap(0, "m1", "tea", cart="b"), snap(2, "m2", "tea", cart="a"), snap(0.5, "m3", "tea", cart="c"))
    assert [decision.key for decision in fired(seen, READY + 5, [CART])] == ["b", "c", "a"]


def test_the_higher_priority_comes_first_in_a_round() -> None:
    first = CART.model_copy(update={"rule": "zz_first", "priority": 90})
    found = fired(view(FILLED), READY, [CART, first])
    assert [decision.rule for decision in found] == ["zz_first", "cart_abandoned"]


def test_an_outage_suppresses_instead_of_flooding() -> None:
    assert outcome(view(FILLED), now=25 * HOUR) == (Outcome.FIRED, None)
    assert outcome(view(FILLED), now=25 * HOUR + 1) == (Outcome.SUPPRESSED, Why.EXPIRED)


@pytest.mark.parametrize(
    "seen", [view(FILLED, shared=True), view(FILLED, profile=replace(GRANTED, shared=True))], ids=["homes", "profile"]
)
def test_a_shared_customer_can_be_contacted_by_nobody(seen: View) -> None:
    assert outcome(seen) == (Outcome.SUPPRESSED, Why.SHARED)


@pytest.mark.parametrize(
    "seen",
    [
        view(FILLED, profile=None),
        view(FILLED, profile=Verdicts()),
        view(FILLED, profile=REFUSED),
        view(FILLED, profile=Verdicts(consent={"service": {"email": True}})),
        view(FILLED, profile=Verdicts(consent={"marketing": {"sms": True}})),
        view(FILLED, former=[REFUSED]),
        view(FILLED, profile=REFUSED, former=[GRANTED]),
        view(FILLED, profile=Verdicts(), former=[GRANTED]),
        view(FILLED, profile=None, former=[GRANTED, REFUSED]),
        view(FILLED, profile=None, former=[Verdicts()]),
    ],
)
def test_consent_that_is_missing_or_refused_by_any_copy_refuses(seen: View) -> None:
    assert outcome(seen) == (Outcome.SUPPRESSED, Why.NO_CONSENT)


def test_a_copy_that_says_nothing_refuses_nothing() -> None:
    assert outcome(view(FILLED, former=[Verdicts(), GRANTED])) == (Outcome.FIRED, None)


def test_a_customer_without_a_profile_yet_is_granted_what_the_absorbed_grant() -> None:
    assert outcome(view(FILLED, profile=None, former=[Verdicts(), GRANTED])) == (Outcome.FIRED, None)


def test_expiry_is_told_before_consent() -> None:
    assert outcome(view(FILLED, profile=None), now=26 * HOUR) == (Outcome.SUPPRESSED, Why.EXPIRED)


def test_allowed_channels_come_in_the_order_of_the_rule() -> None:
    rule = CART.model_copy(update={"channels": ("push", "sms", "email")})
    profile = Verdicts(consent={"marketing": {"email": True, "push": True, "sms": False}}, contacts=GRANTED.contacts)
    (ruling,) = decided(view(FILLED, profile=profile), READY, [rule])
    assert ruling.decision.channels == ("push", "email")


def steps(*after: str) -> Rule:
    raw = CART.model_dump(mode="json")
    return RULE.validate_python({**raw, "steps": [{"after": one, "expires_after": "24h"} for one in after]})


def test_later_steps_follow_the_same_anchor_and_keep_the_name_of_the_cycle() -> None:
    rule = steps("1h", "24h")
    first, second = fired(view(FILLED), 24 * HOUR + 5, [rule])
    assert [first.due, second.due] == [at(60), at(24 * HOUR)]
    earlier = snap(-30, "m0", "pot")
    (after,) = fired(view(earlier, FILLED, decisions=[first]), 24 * HOUR + 5, [rule])
    assert (after.step, after.cycle_ref, after.started) == (1, "m1", at(-30))


def test_the_next_look_is_the_least_ready_time_of_what_is_left() -> None:
    seen = view(FILLED, order(-DAY, "o1"))
    told = stories(RULESET, seen, POLICY)
    done = replace(seen, decisions=fired(seen, READY, [CART]))
    assert next_looks(standing(RULESET, told, seen), POLICY) == Next(at(READY), at(89 * DAY + 5))
    assert next_looks(standing(ruleset([CART]), told, done), POLICY) == Next(None, None)
    assert next_looks(standing(ruleset([RECALL]), told, seen), POLICY) == Next(None, at(89 * DAY + 5))
