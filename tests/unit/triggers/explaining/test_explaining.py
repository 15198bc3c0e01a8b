"""What is explained is what is decided: where a rule stands, what the arbiter would say, and when it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tern_triggers.catalogue import load_rules
from tern_triggers.domain import explaining
from tern_triggers.domain.arbiter.judging import Check, Heard, Verdict
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.explaining import Explained, Passed, Question, State, outlook_of
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.narrative import ended_notes
from tern_triggers.domain.rounds import Safe
from tern_triggers.domain.rules import Rule, Step, ruleset
from tern_triggers.domain.story import Gone
from tern_triggers.domain.view import Deferral, Verdicts, View
from tern_triggers.domain.wording import words
from unit.triggers.saying import (
    ANN,
    CART,
    DAY,
    GRANTED,
    OTHER,
    POLICY,
    RECALL,
    at,
    cancel,
    candidates_of,
    checkout,
    fired,
    order,
    said,
    snap,
    view,
)

READY = 65


def asked(seen: View, now: float, safe: float | None, rules: Sequence[Rule] = (CART,)) -> list[Explained]:
    known = None if safe is None else Safe(at(safe), at(safe))
    question = Question(view=seen, ruleset=ruleset(rules), policy=POLICY, safe=known, now=at(now))
    return explaining.explain(question, rules)


def only(seen: View, now: float, safe: float | None, rule: Rule = CART) -> tuple[Explained, explaining.Told]:
    (explained,) = asked(seen, now, safe, [rule])
    (told,) = explained.told
    return explained, told


def text(seen: View, now: float, safe: float | None, rule: Rule = CART) -> str:
    explained, told = only(seen, now, safe, rule)
    return "\n".join(words(explained, told))


CARTED = snap(0, "m1", "tea")


def test_of_whom_nothing_is_known_nothing_has_started() -> None:
    assert text(view(), 10, 10) == "cart_abandoned:\nNothing that this customer did has started it."


def test_a_paused_rule_says_that_it_is_paused() -> None:
    paused = CART.model_copy(update={"mode": "paused"})
    assert text(view(CARTED), 10, 10, paused).endswith("The rule is paused: it decides nothing.")


def test_before_it_is_due_it_says_when_and_what_would_come_of_it() -> None:
    assert text(view(CARTED, snap(20, "m2", "tea", "pot")), 30, 29) == (
        "cart_abandoned about c:\n"
        "It began on 2026-03-02 12:00:00 UTC (event m1), and the last that counts came on 2026-03-02 12:20:00 UTC.\n"
        "It falls due on 2026-03-02 13:20:00 UTC, and is decided when everything up to 2026-03-02 13:25:00 UTC is "
        "known.\n"
        "As things stand it will fire by email, unless another reason speaks first.\n"
        "It expires on 2026-03-03 13:20:00 UTC."
    ).replace("It falls", f"{step_one()} falls")


def step_one() -> str:
    return "It" if len(CART.steps) == 1 else f"Step 1 of {len(CART.steps)}"


@pytest.mark.parametrize(
    ("now", "safe", "state"),
    [
        (30, 29, State.WAITING),
        (64, 64, State.WAITING),
        (70, 64, State.UNSAFE),
        (70, None, State.UNSAFE),
        (70, READY, State.READY),
    ],
)
def test_it_waits_until_due_then_for_safe_time_and_then_for_nothing(
    now: float, safe: float | None, state: State
) -> None:
    _, told = only(view(CARTED), now, safe)
    assert (told.state, told.ready) == (state, at(READY))


def test_waiting_for_safe_time_names_where_that_stands() -> None:
    assert "It waits until safe time reaches 2026-03-02 13:05:00 UTC; that stands at 2026-03-02 13:00:00 UTC" in text(
        view(CARTED), 70, 60
    )
    assert "that is not known yet" in text(view(CARTED), 70, None)
    assert "any moment now" in text(view(CARTED), 70, READY)


def test_a_rule_that_waits_for_all_lanes_names_their_safe_time() -> None:
    (explained,) = explaining.explain(
        Question(view=view(), ruleset=ruleset([RECALL]), policy=POLICY, safe=Safe(at(9), at(5)), now=at(9)), [RECALL]
    )
    assert explained.safe == at(5)


def test_a_step_that_was_put_off_says_until_when_and_why() -> None:
    (candidate,) = candidates_of(CART, view(CARTED))
    deferral = Deferral(candidate.trigger_id, candidate.start.home_id, CART.rule, at(600), Why.QUIET)
    seen = view(CARTED, deferrals={candidate.trigger_id: deferral})
    _, told = only(seen, 120, 120)
    assert (told.state, told.deferral, told.ready) == (State.DEFERRED, deferral, at(600))
    assert "is put off until 2026-03-02 22:00:00 UTC: it is quiet hours where the customer is." in text(seen, 120, 120)


def test_what_fired_and_what_became_of_it() -> None:
    (decision,) = fired(view(CARTED), READY, [CART])
    gone = replace(decision, retracted_at=at(66), cancelled_at=at(67), released_at=at(68))
    said_now = text(view(CARTED, decisions=[gone]), 70, 70)
    assert "fired on 2026-03-02 13:05:00 UTC, due since 2026-03-02 13:00:00 UTC." in said_now
    assert "retracted on 2026-03-02 13:06:00 UTC" in said_now
    assert "cancelled on 2026-03-02 13:07:00 UTC" in said_now
    assert "counts for no cap since 2026-03-02 13:08:00 UTC" in said_now


def one_step(rule: Rule = CART) -> Rule:
    return rule.model_copy(update={"steps": rule.steps[:1]})


@pytest.mark.parametrize(
    ("outcome", "reason", "words_"),
    [
        (Outcome.HELD_OUT, None, "It passed all checks on 2026-03-02 13:05:00 UTC, and was not published"),
        (Outcome.WITHDRAWN, Gone.ORDERED, "withdrawn before anybody could see it: an order was placed."),
        (Outcome.SUPPRESSED, Why.NO_CONSENT, "was not taken on 2026-03-02 13:05:00 UTC: no channel of the step has"),
    ],
)
def test_every_outcome_has_its_words(outcome: Outcome, reason: Why | Gone | None, words_: str) -> None:
    (decision,) = fired(view(CARTED), READY, [one_step()])
    seen = view(CARTED, decisions=[replace(decision, outcome=outcome, reason=reason)])
    said_now = text(seen, 70, 70, one_step())
    assert words_ in said_now
    assert said_now.endswith("All that this rule does was decided.")


def test_a_cycle_that_ended_names_the_exit_and_the_note_of_the_log() -> None:
    seen = view(CARTED, checkout(30, "m2"))
    told = stories(ruleset([CART]), seen, POLICY)
    notes: list[Decision] = ended_notes(ruleset([CART]), told, seen, POLICY, at(40))
    said_now = text(replace(seen, decisions=notes), 70, 70)
    assert "It was due on 2026-03-02 13:00:00 UTC and never decided: the checkout was started." in said_now
    assert said_now.endswith("Nothing is going on: the checkout was started on 2026-03-02 12:30:00 UTC (event m2).")


def test_a_cart_that_another_customer_holds_speaks_to_nobody_here() -> None:
    seen = view(CARTED)
    foreign = replace(seen, newest={"c": seen.newest["c"]._replace(home_id=OTHER)})
    assert only(foreign, 70, 70)[1].state is State.NOT_THEIRS


def test_late_events_start_nothing_and_say_so() -> None:
    seen = view(snap(0, "m1", "tea", late=True))
    assert only(seen, 70, 70)[1].state is State.LATE
    assert "came late or from an import" in text(seen, 70, 70)


def test_what_only_decisions_know_of_is_told_too() -> None:
    (decision,) = fired(view(order(0, "o1")), 90 * DAY + 5, [RECALL])
    said_now = text(view(decisions=[decision]), 91 * DAY, 91 * DAY, RECALL)
    assert "fired on" in said_now
    assert said_now.endswith("what led to these decisions is no longer there.")


def test_two_carts_are_told_apart_the_newest_last() -> None:
    seen = view(snap(10, "m1", "tea", cart="new"), snap(0, "m2", "tea", cart="old"))
    (explained,) = asked(seen, 20, 20)
    assert [told.key for told in explained.told] == ["old", "new"]


def test_of_a_thousand_carts_the_newest_twenty_are_told_and_the_rest_are_counted() -> None:
    (explained,) = asked(view(*(snap(n, f"m{n}", "tea", cart=f"c{n:02}") for n in range(25))), 30, 30)
    assert ([told.key for told in explained.told], explained.more) == ([f"c{n:02}" for n in range(5, 25)], 5)


def test_without_consent_the_outlook_names_the_check_that_fails_and_asks_no_further() -> None:
    seen = view(CARTED, profile=Verdicts())
    _, told = only(seen, 30, 30)
    assert told.outlook is not None
    assert told.outlook.at == at(READY)
    *before, last = told.outlook.checks
    assert last == Passed(Check.CONSENT, False)
    assert all(check.passed for check in before)
    assert "As things stand it will not be taken: no channel of the step has the customer's consent." in text(
        seen, 30, 30
    )


def test_when_all_checks_pass_all_are_said_to_in_their_order() -> None:
    _, told = only(view(CARTED), 30, 30)
    assert told.outlook is not None
    assert told.outlook.checks == [Passed(check, True) for check in Check]


def test_a_task_meets_neither_consent_nor_quiet_hours_nor_caps() -> None:
    task = Step(after=timedelta(hours=1), act="task", expires_after=timedelta(days=1))
    _, told = only(view(CARTED, profile=Verdicts()), 30, 30, CART.model_copy(update={"steps": (task,)}))
    assert told.outlook is not None
    assert told.outlook.verdict.outcome is not Outcome.SUPPRESSED
    assert not {Check.CONSENT, Check.QUIET, Check.CAPS} & {check.check for check in told.outlook.checks}


def test_the_control_group_passes_everything_but_the_draw() -> None:
    heard = [Heard(Check.EXPIRY, None), Heard(Check.HOLDOUT, Verdict(Outcome.HELD_OUT))]
    assert outlook_of(at(0), heard).checks == [Passed(Check.EXPIRY, True), Passed(Check.HOLDOUT, False)]


@pytest.mark.parametrize("profile", [GRANTED, None], ids=["with a profile", "without one"])
def test_every_rule_that_ships_can_say_where_it_stands(profile: Verdicts | None) -> None:
    shipped = load_rules()
    seen = view(CARTED, checkout(5, "m2"), order(90, "o1", "tea"), cancel(95, "o1"), profile=profile)
    found = asked(seen, 100, 100, shipped)
    assert [one.rule.rule for one in found] == [rule.rule for rule in shipped]
    for one in found:
        for told in one.told:
            head, *sentences = words(one, told)
            assert head.startswith(one.rule.rule)
            assert sentences


def test_what_is_told_holds_no_contact_point_and_nothing_that_was_said() -> None:
    from_shop: dict[str, Any] = {"contacts": {}, "consent": {"marketing": {"email": True}}}
    seen = view(said("snapshot", 0, "m1"), CARTED, profile=Verdicts(**from_shop))
    assert ANN not in text(seen, 30, 30)
