"""Rounds: everything due for one customer is judged in one order, oldest round first (triggers.md §4.4)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from tern_triggers.domain.arbiter.judging import Case, Verdict, judge
from tern_triggers.domain.candidates import Candidate, by_story, candidate_of, candidates
from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.folds import Stories
from tern_triggers.domain.moments import AT_ONCE, earliest, round_down, round_up
from tern_triggers.domain.narrative import facts_of
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Lane, Ruleset
from tern_triggers.domain.story import ReasonShown
from tern_triggers.domain.view import Arm, Deferral, View


class Safe(NamedTuple):
    """Safe time of the live lane, and of all lanes."""

    live: datetime
    all: datetime

    def of(self, lane: Lane) -> datetime:
        """The safe time that a rule of this lane waits for."""
        return self.live if lane == "live" else self.all


class Ruling(NamedTuple):
    """A decision with what it was made from. `incentive`: an offer may be made."""

    decision: Decision
    candidate: Candidate
    incentive: bool = False


class Decided(msgspec.Struct, kw_only=True):
    """What one look at a customer came to. `asks`: candidates for which stock has to be held first."""

    rulings: list[Ruling] = []
    deferrals: list[Deferral] = []
    arms: list[Arm] = []
    asks: list[Candidate] = []


class Next(NamedTuple):
    """When a customer must be looked at again, by lane. May be early, never late."""

    live: datetime | None
    all: datetime | None


def ready_at(candidate: Candidate, policy: Policy) -> datetime:
    """The first moment at which the decision may be taken: due + grace or what it was deferred to, rounded up."""
    if candidate.at_once and candidate.deferral is None:
        return AT_ONCE
    waited = candidate.due + policy.grace
    return round_up(waited if candidate.deferral is None else max(waited, candidate.deferral.until), policy.slot)


def round_of(ready: datetime, safe: datetime, policy: Policy) -> datetime:
    """The round a decision belongs to: its own, unless it is late by more than the tolerance."""
    return ready if safe - ready <= policy.tolerance else round_down(safe, policy.slot)


def rank(candidate: Candidate) -> tuple[int, Decimal, datetime, str, str, int]:
    """The order inside a round. Total, hence deterministic; between equals the longest due speaks first."""
    story = candidate.story
    return -candidate.rule.priority, -story.value, candidate.due, candidate.rule.rule, story.key, candidate.step


def decide(ruleset: Ruleset, told: Stories, view: View, policy: Policy, safe: Safe, now: datetime) -> Decided:
    """Every round up to safe time, in ascending order, each judged against all decisions before it.

    A decision concerns one story, so only that one's next candidate is looked for again.
    """
    found = Decided()
    sitting = _Sitting(ruleset, view, policy, found, now)
    ripe = _Ripe(policy, safe)
    for candidate in candidates(ruleset, told, view):
        ripe.add(candidate)
    while ripe:
        present, together = ripe.take()
        for candidate in together:
            ripe.add(sitting.rule_on(candidate, present))
    return found


def decide_at_once(ruleset: Ruleset, told: Stories, view: View, policy: Policy, now: datetime) -> Decided:
    """What no later event can make false, in the order of the arbiter; waits for nothing and skips rounds (§3)."""
    found = Decided()
    sitting = _Sitting(ruleset, view, policy, found, now)
    ready = (one for one in candidates(ruleset, told, view) if one.at_once and one.deferral is None)
    for candidate in sorted(ready, key=rank):
        sitting.rule_on(candidate, now)
    return found


class _Sitting:
    """One customer, one look: what was decided in it counts for what is decided next."""

    def __init__(self, ruleset: Ruleset, view: View, policy: Policy, found: Decided, now: datetime) -> None:
        self._ruleset = ruleset
        self._view = view
        self._policy = policy
        self._found = found
        self._now = now
        self._decided = list(view.decisions)
        self._taken = by_story(view.decisions)

    def rule_on(self, candidate: Candidate, present: datetime) -> Candidate | None:
        """Judges it, and returns what its story has next: the same again where it was deferred."""
        verdict = judge(
            Case(
                candidate=candidate,
                view=self._view,
                decided=self._decided,
                present=present,
                now=self._now,
                policy=self._policy,
            )
        )
        if verdict.arm is not None:
            self._found.arms.append(verdict.arm)
        if verdict.outcome is None:
            return self._defer(candidate, verdict)
        ruling = Ruling(
            _decision(candidate, verdict, verdict.outcome, self._view.customer_id, present, self._now),
            candidate,
            verdict.incentive,
        )
        self._found.rulings.append(ruling)
        self._decided.append(ruling.decision)
        story = candidate.story
        mine = self._taken.setdefault((candidate.rule.rule, story.key, story.about), [])
        mine.append(ruling.decision)
        return candidate_of(candidate.rule, story, mine, self._ruleset, self._view)

    def _defer(self, candidate: Candidate, verdict: Verdict) -> Candidate | None:
        assert verdict.until is not None, "what is not decided is deferred"
        assert verdict.reason is not None, "a deferral says why"
        until, why = verdict.until, verdict.reason
        deferral = Deferral(candidate.trigger_id, candidate.start.home_id, candidate.rule.rule, until, why)
        self._found.deferrals.append(deferral)
        if verdict.asks:
            self._found.asks.append(candidate)
        return msgspec.structs.replace(candidate, deferral=deferral)


class _Ripe:
    """Candidates that are ready, the oldest round first."""

    def __init__(self, policy: Policy, safe: Safe) -> None:
        self._policy = policy
        self._safe = safe
        self._by_round: dict[datetime, list[Candidate]] = {}
        self._rounds: list[datetime] = []

    def __bool__(self) -> bool:
        return bool(self._rounds)

    def add(self, candidate: Candidate | None) -> None:
        """Unless it has to wait."""
        if candidate is None:
            return
        ready, passed = ready_at(candidate, self._policy), self._safe.of(candidate.rule.lane)
        if ready > passed:
            return
        at = round_of(ready, passed, self._policy)
        if at not in self._by_round:
            heappush(self._rounds, at)
        self._by_round.setdefault(at, []).append(candidate)

    def take(self) -> tuple[datetime, list[Candidate]]:
        """The oldest round and its candidates, in the order in which they are judged."""
        present = heappop(self._rounds)
        return present, sorted(self._by_round.pop(present), key=rank)


def next_looks(ruleset: Ruleset, told: Stories, view: View, policy: Policy) -> Next:
    """The least ready times of what is left. `view` has what was just decided and deferred."""
    left = [(candidate.rule.lane, ready_at(candidate, policy)) for candidate in candidates(ruleset, told, view)]
    return Next(
        earliest(*(at for lane, at in left if lane == "live")), earliest(*(at for lane, at in left if lane == "all"))
    )


def after(view: View, found: Decided) -> View:
    """The customer once all that was found is written."""
    return msgspec.structs.replace(
        view,
        decisions=[*view.decisions, *(ruling.decision for ruling in found.rulings)],
        deferrals={**view.deferrals, **{one.trigger_id: one for one in found.deferrals}},
        arms=[*view.arms, *found.arms],
    )


def _decision(
    candidate: Candidate, verdict: Verdict, outcome: Outcome, customer_id: str, present: datetime, now: datetime
) -> Decision:
    rule, shown = candidate.rule, candidate.story.shown
    return Decision(
        trigger_id=candidate.trigger_id,
        rule=rule.rule,
        rule_version=rule.version,
        key=candidate.story.key,
        step=candidate.step,
        home_id=candidate.start.home_id,
        customer_id=customer_id,
        cycle_ref=candidate.cycle_ref,
        started=candidate.start.at,
        anchor=candidate.anchor,
        due=candidate.due,
        round=present,
        expires=candidate.expires,
        outcome=outcome,
        reason=verdict.reason,
        decided_at=now,
        facts=facts_of(candidate),
        about=candidate.story.about,
        act=rule.steps[candidate.step].act,
        mode="shadow" if rule.mode == "shadow" else "live",
        channels=verdict.channels,
        category=shown.category if isinstance(shown, ReasonShown) else None,
    )
