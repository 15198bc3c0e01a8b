"""What an exit does to a trigger that is out already (triggers.md §4.5)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.endings import Ending, Revocation, endings
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.rules import ruleset
from tern_triggers.domain.story import Gone
from unit.triggers.saying import (
    CART,
    DAY,
    HOUR,
    POLICY,
    RECALL,
    RULESET,
    at,
    checkout,
    fired,
    item,
    order,
    refund,
    said,
    snap,
    view,
)

READY = 65
FILLED = snap(0, "m1", "tea")
(REMINDED,) = fired(view(FILLED), READY, [CART])
(RECALLED,) = fired(view(order(0, "o1")), 90 * DAY + 5, [RECALL])


def ends(*facts: Fact, decision: Decision = REMINDED, now: float = 2 * HOUR) -> list[Ending]:
    """What these facts, known at `now`, do to the decision."""
    seen = view(*facts, decisions=[decision])
    return endings(stories(RULESET, seen, POLICY), seen.decisions, at(now))


def how(*facts: Fact, decision: Decision = REMINDED, now: float = 2 * HOUR) -> list[tuple[Revocation, Gone]]:
    return [(ending.revocation, ending.exit.why) for ending in ends(*facts, decision=decision, now=now)]


@pytest.mark.parametrize(
    ("late", "why"),
    [
        (order(30, "o1", cart="c"), Gone.ORDERED),
        (order(30, "o1", "tea"), Gone.ORDERED),
        (snap(30, "m2"), Gone.EMPTIED),
        (checkout(READY, "m2"), Gone.CHECKOUT),
    ],
)
def test_an_exit_from_before_the_firing_that_arrives_late_retracts(late: Fact, why: Gone) -> None:
    assert how(FILLED, late) == [(Revocation.RETRACTED, why)]


def test_an_exit_after_the_firing_cancels() -> None:
    assert how(FILLED, order(READY + 1, "o1", "tea")) == [(Revocation.CANCELLED, Gone.ORDERED)]


def test_after_its_expiry_nothing_is_said_any_more() -> None:
    assert how(FILLED, order(READY + 1, "o1", "tea"), now=26 * HOUR) == []
    assert how(FILLED, order(30, "o1", "tea"), now=26 * HOUR) == []


def test_each_is_said_once_and_a_retraction_is_the_last_word() -> None:
    cancelled = replace(REMINDED, cancelled_at=at(READY + 2))
    assert how(FILLED, checkout(READY + 1, "m2"), decision=cancelled) == []
    assert how(FILLED, checkout(30, "m2"), decision=cancelled) == [(Revocation.RETRACTED, Gone.CHECKOUT)]
    assert how(FILLED, checkout(30, "m2"), decision=replace(REMINDED, retracted_at=at(READY + 2))) == []


@pytest.mark.parametrize("outcome", [Outcome.SUPPRESSED, Outcome.WITHDRAWN, Outcome.ENDED])
def test_what_did_not_fire_is_not_taken_back(outcome: Outcome) -> None:
    assert how(FILLED, checkout(30, "m2"), decision=replace(REMINDED, outcome=outcome)) == []


def test_a_late_reset_or_an_exit_before_the_cycle_takes_nothing_back() -> None:
    assert how(FILLED, said("add", 40, "m2", item("cup"))) == []
    assert how(FILLED, checkout(-10, "m0")) == []


def test_what_was_only_the_echo_of_a_late_order_is_retracted() -> None:
    (echoed,) = fired(view(snap(0, "m1", "tea", "cup"), snap(31, "m2", "cup")), 31 + READY, [CART])
    late = (snap(0, "m1", "tea", "cup"), order(30, "o1", "tea"), snap(31, "m2", "cup"))
    assert how(*late, decision=echoed) == [(Revocation.RETRACTED, Gone.ORDERED)]


def test_a_late_order_or_refund_from_before_the_recall_retracts_it() -> None:
    now = 91 * DAY
    assert how(order(0, "o1"), order(80 * DAY, "o2"), decision=RECALLED, now=now) == [
        (Revocation.RETRACTED, Gone.ORDERED)
    ]
    assert how(order(0, "o1"), refund(80 * DAY, "o1"), decision=RECALLED, now=now) == [
        (Revocation.RETRACTED, Gone.REFUNDED)
    ]


def test_the_refund_of_an_old_order_after_the_recall_retracts_nothing() -> None:
    found = how(order(0, "o1"), refund(91 * DAY, "o1"), decision=RECALLED, now=92 * DAY)
    assert found == [(Revocation.CANCELLED, Gone.REFUNDED)]


def test_a_rule_that_is_gone_leaves_its_decisions_alone() -> None:
    seen = view(FILLED, checkout(30, "m2"), decisions=[REMINDED])
    assert endings(stories(ruleset([RECALL]), seen, POLICY), seen.decisions, at(70)) == []
