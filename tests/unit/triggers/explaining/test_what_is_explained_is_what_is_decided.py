"""In random shops with rules of every kind: what is said to come next is what comes, if nothing else does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import time, timedelta

import pytest
from msgspec.structs import replace

from tern_common.events import Contact
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.explaining import Question, State, Told, explain
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.policy import Arbiter, QuietHours
from tern_triggers.domain.rounds import Decided, Safe, decide, next_looks, rank, standing
from tern_triggers.domain.rules import Frequency, Rule, ruleset
from tern_triggers.domain.view import Verdicts
from tern_triggers.domain.wording import words
from unit.triggers.chaos import SLOTS, Scenario
from unit.triggers.fast_rules import POLICY
from unit.triggers.node import Node
from unit.triggers.saying import at

SEEDS = range(120)


NOISY = POLICY.model_copy(
    update={"arbiter": Arbiter(zone="Etc/UTC", quiet=QuietHours(begin=time(12), end=time(15), channels=("sms",)))}
)


def picky(rnd: random.Random, rule: Rule) -> Rule:
    """The same rule, which more can be said against: channels that are quiet now, a frequency, a control group."""
    frequency = rnd.choice([None, Frequency(every=timedelta(hours=9))])
    channels = rnd.choice([("sms",), ("sms", "email"), ("email",)])
    steps = tuple(step.model_copy(update={"act": "contact", "channels": None}) for step in rule.steps)
    says = {"holdout": rnd.choice([0.0, 0.5]), "frequency": frequency, "channels": channels, "purpose": "marketing"}
    return rule.model_copy(update={**says, "steps": steps})


def any_profile(rnd: random.Random) -> Verdicts:
    points = {kind: Contact(value=kind, trusted=rnd.random() < 0.8) for kind in ("email", "phone")}
    consent = {channel: rnd.random() < 0.8 for channel in ("email", "sms")}
    return Verdicts(consent={"marketing": consent}, contacts=points, shared=rnd.random() < 0.05)


def questions(seed: int) -> Iterator[Question]:
    """One for each customer, at some moment in the middle of it all; of every second shop by an arbiter that is hard to
    please."""
    for asked in plain_questions(seed):
        rnd = random.Random(seed)
        if seed % 2:
            rules = ruleset([picky(rnd, rule) for rule in asked.ruleset.rules])
            view = replace(asked.view, profile=any_profile(rnd))
            yield replace(asked, ruleset=rules, view=view, policy=NOISY)
        else:
            yield asked


def plain_questions(seed: int) -> Iterator[Question]:
    scenario = Scenario(seed)
    node = Node(scenario.rules, POLICY)
    until = random.Random(seed).randrange(20, SLOTS)
    for slot in range(until):
        if fresh := [said.news for said in scenario.said if said.slot == slot]:
            node.batch(fresh, at(slot))
        node.fire(at(slot + 1))
    for customer in sorted(node.agenda):
        safe = Safe(at(until), at(until))
        yield Question(view=node.view(customer), ruleset=node.rules, policy=POLICY, safe=safe, now=at(until))


def pending(asked: Question) -> list[Told]:
    return [told for one in explain(asked, asked.ruleset.rules) for told in one.told if told.candidate is not None]


def next_of(found: list[Told]) -> Told:
    """What comes up first, as the arbiter ranks them."""

    def order(told: Told) -> object:
        assert told.candidate is not None
        return told.ready, rank(told.candidate)

    return min(found, key=order)  # type: ignore[arg-type]


def decided_by(asked: Question, told: Told) -> Decided:
    """What is decided as soon as it is ready."""
    assert told.outlook is not None
    when = told.outlook.at
    found = stories(asked.ruleset, asked.view, asked.policy, asked.now)
    return decide(asked.ruleset, found, asked.view, asked.policy, Safe(when, when), when)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_next_to_come_is_decided_as_its_outlook_says(seed: int) -> None:
    for asked in questions(seed):
        found = pending(asked)
        if not found:
            continue
        told = next_of(found)
        assert told.candidate is not None
        assert told.outlook is not None
        verdict, made = told.outlook.verdict, decided_by(asked, told)
        name = told.candidate.trigger_id
        rulings = [one.decision for one in made.rulings if one.decision.trigger_id == name]
        deferrals = [one for one in made.deferrals if one.trigger_id == name]
        if verdict.outcome is None:
            assert [(one.until, one.why) for one in deferrals] == [(verdict.until, verdict.reason)]
        else:
            assert [(one.outcome, one.reason, one.channels) for one in rulings] == [
                (verdict.outcome, verdict.reason, verdict.channels)
            ]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_next_look_is_the_first_of_the_moments_that_are_explained(seed: int) -> None:
    for asked in questions(seed):
        found = stories(asked.ruleset, asked.view, asked.policy, asked.now)
        looks = next_looks(standing(asked.ruleset, found, asked.view), asked.policy)
        told = [one.ready for one in pending(asked) if one.ready is not None]
        assert min(told, default=None) == min((at for at in looks if at is not None), default=None)


def test_the_questions_are_worth_something() -> None:
    """Most states come up, and each has its words."""
    states: set[State] = set()
    verdicts: set[object] = set()
    for asked in (asked for seed in SEEDS for asked in questions(seed)):
        for one in explain(asked, asked.ruleset.rules):
            states |= {told.state for told in one.told}
            verdicts |= {told.outlook.verdict[:2] for told in one.told if told.outlook is not None}
            assert all(len(words(one, told)) > 1 for told in one.told)
    assert {State.WAITING, State.OVER, State.COMPLETE, State.NOT_STARTED} <= states
    assert {(Outcome.FIRED, None), (Outcome.HELD_OUT, None), (None, Why.QUIET)} <= verdicts
    assert {(Outcome.SUPPRESSED, why) for why in (Why.NO_CONSENT, Why.UNREACHABLE)} <= verdicts
