"""What no later event can make false is judged when it comes: the same checks, and no round to wait for (§3)."""

from __future__ import annotations

from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.rounds import Decided, Safe, after, decide, decide_at_once, next_looks
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.domain.view import View
from unit.triggers.arbiter.cases import POLICY, ann, before, rule, story
from unit.triggers.saying import DAY, HOUR, at

NOW = rule("says_now", kind="event", of={"event": "Said"}, steps=[{"after": "0s", "expires_after": "30d"}])
TICKET = rule(
    "ticket",
    kind="event",
    of={"event": "Said"},
    priority=90,
    steps=[{"after": "0s", "act": "ticket", "expires_after": "6h"}, {"after": "20h", "act": "ticket"}],
)


def come(view: View, *rules: Rule, passive: bool = False) -> Decided:
    told = {one.rule: [story(passive=passive)] for one in rules}
    return decide_at_once(ruleset(rules), told, view, POLICY, at(1.5))


def test_it_is_decided_in_the_moment_in_which_it_comes() -> None:
    (ruling,) = come(ann(), NOW).rulings
    assert (ruling.decision.outcome, ruling.decision.round, ruling.decision.decided_at) == (
        Outcome.FIRED,
        at(1.5),
        at(1.5),
    )


def test_all_that_come_together_are_judged_in_the_order_of_the_arbiter() -> None:
    assert [one.decision.rule for one in come(ann(), NOW, TICKET).rulings] == ["ticket", "says_now"]


def test_only_the_first_step_is_decided_at_once() -> None:
    found = come(ann(), TICKET)
    assert (len(found.rulings), next_looks(found.left, POLICY).live) == (1, at(20 * HOUR + 5))


def test_passive_starts_never_decide_at_once() -> None:
    assert come(ann(), NOW, passive=True) == Decided()


def test_a_contact_that_finds_no_slot_waits_like_any_other_and_then_for_safe_time() -> None:
    view = ann(before(0))
    found = come(view, NOW)
    (waiting,) = found.deferrals
    assert (waiting.why, waiting.until) == (Why.CAPPED, at(DAY))
    view = after(view, found)
    told = {"says_now": [story()]}
    again = decide_at_once(ruleset([NOW]), told, view, POLICY, at(2))
    assert again == Decided(left=again.left)
    assert next_looks(again.left, POLICY).live == next_looks(found.left, POLICY).live == at(DAY)
    (ruling,) = decide(ruleset([NOW]), told, view, POLICY, Safe(at(DAY), at(DAY)), at(DAY)).rulings
    assert (ruling.decision.outcome, ruling.decision.round) == (Outcome.FIRED, at(DAY))


def test_what_was_missed_is_decided_at_the_next_look() -> None:
    told = {"says_now": [story()]}
    (ruling,) = decide(ruleset([NOW]), told, ann(), POLICY, Safe(at(60.5), at(60)), at(61)).rulings
    assert (ruling.decision.outcome, ruling.decision.round) == (Outcome.FIRED, at(60))
