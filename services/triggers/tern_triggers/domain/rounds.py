"""Rounds: everything due for one customer is judged in one order, oldest round first (triggers.md §4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from tern_triggers.domain.arbiter.caps import category_of
from tern_triggers.domain.arbiter.judging import Case, Verdict, judge
from tern_triggers.domain.arbiter.ledger import OFFERED, Ledger
from tern_triggers.domain.arbiter.stock import is_answered
from tern_triggers.domain.candidates import Candidate, by_story, candidate_of, candidates
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.moments import AT_ONCE, earliest, round_down, round_up
from tern_triggers.domain.narrative import facts_of
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Lane, Ruleset
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
    """What one look at a customer came to. `asks`: candidates for which stock has to be held first. `left`: the
    candidates once all of it is written.

    Of each trigger there is one ruling or one deferral, of each home and rule one arm.
    """

    rulings: list[Ruling] = []
    deferrals: list[Deferral] = []
    arms: list[Arm] = []
    asks: list[Candidate] = []
    left: list[Candidate] = []


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

    A decision concerns one story, so only that one's next candidate is looked for again. It ends: whatever is deferred
    comes up in a later round than the one that deferred it, or waits for safe time to get there.
    """
    sitting = _Sitting(ruleset, view, policy, now)
    ripe = _Ripe(policy, safe)
    for candidate in standing(ruleset, told, view):
        ripe.add(candidate)
    while ripe:
        present, together = ripe.take()
        for candidate in together:
            ripe.add(sitting.rule_on(candidate, present))
    return sitting.found(ripe.waiting)


def decide_at_once(ruleset: Ruleset, told: Stories, view: View, policy: Policy, now: datetime) -> Decided:
    """What no later event can make false, in the order of the arbiter; waits for nothing and skips rounds (§3)."""
    sitting = _Sitting(ruleset, view, policy, now)
    ready: list[Candidate] = []
    left: list[Candidate | None] = []
    for candidate in standing(ruleset, told, view):
        (ready if candidate.at_once and candidate.deferral is None else left).append(candidate)
    left += [sitting.rule_on(candidate, now) for candidate in sorted(ready, key=rank)]
    return sitting.found([candidate for candidate in left if candidate is not None])


def standing(ruleset: Ruleset, told: Stories, view: View) -> list[Candidate]:
    """The candidates, those for which the shop has answered in its place: they wait no longer."""
    return [_answered(candidate, view) for candidate in candidates(ruleset, told, view)]


def _answered(candidate: Candidate, view: View) -> Candidate:
    deferral = candidate.deferral
    if deferral is None or not is_answered(deferral, view.holds.get(candidate.trigger_id)):
        return candidate
    return msgspec.structs.replace(candidate, deferral=deferral._replace(until=candidate.due))


class _Known(NamedTuple):
    """What was decided before, as the arbiter and as the folds ask about it."""

    ledger: Ledger
    taken: dict[tuple[str, str, str], list[Decision]]


class _Sitting:
    """One customer, one look: what was decided in it counts for what is decided next."""

    def __init__(self, ruleset: Ruleset, view: View, policy: Policy, now: datetime) -> None:
        self._ruleset = ruleset
        self._view = view
        self._policy = policy
        self._now = now
        self._rulings: list[Ruling] = []
        self._deferrals: dict[str, Deferral] = {}
        self._asks: dict[str, Candidate] = {}
        self._arms: dict[Arm, None] = {}
        self._known: _Known | None = None

    def found(self, left: Sequence[Candidate]) -> Decided:
        """What it came to, where these wait."""
        return Decided(
            rulings=self._rulings,
            deferrals=list(self._deferrals.values()),
            arms=list(self._arms),
            asks=[candidate for name, candidate in self._asks.items() if name in self._deferrals],
            left=[_answered(candidate, self._view) for candidate in left],
        )

    def _before(self) -> _Known:
        """Made when the first candidate is judged: most looks come too early for any."""
        if self._known is None:
            self._known = _Known(Ledger(self._view, self._ruleset), by_story(self._view.decisions))
        return self._known

    def rule_on(self, candidate: Candidate, present: datetime) -> Candidate | None:
        """Judges it, and returns what its story has next: the same again where it was deferred."""
        ledger, taken = self._before()
        verdict = judge(
            Case(
                candidate=candidate,
                view=self._view,
                ledger=ledger,
                present=present,
                now=self._now,
                policy=self._policy,
                since=self._ruleset.since.get(candidate.rule.rule),
            )
        )
        if verdict.arm is not None:
            self._arms[verdict.arm] = None
        if verdict.outcome is None:
            return self._defer(candidate, verdict)
        self._deferrals.pop(candidate.trigger_id, None)
        ruling = Ruling(
            _decision(candidate, verdict, verdict.outcome, self._view.customer_id, present, self._now),
            candidate,
            verdict.incentive,
        )
        self._rulings.append(ruling)
        ledger.add(ruling.decision)
        story = candidate.story
        mine = taken.setdefault((candidate.rule.rule, story.key, story.about), [])
        mine.append(ruling.decision)
        return candidate_of(candidate.rule, story, mine, self._ruleset, self._view)

    def _defer(self, candidate: Candidate, verdict: Verdict) -> Candidate:
        assert verdict.until is not None, "what is not decided is deferred"
        assert verdict.reason is not None, "a deferral says why"
        until, why = verdict.until, verdict.reason
        begun = None if candidate.deferral is None else candidate.deferral.enrolled
        deferral = Deferral(
            trigger_id=candidate.trigger_id,
            home_id=candidate.start.home_id,
            rule=candidate.rule.rule,
            until=until,
            why=why,
            enrolled=until if why is Why.HISTORY else begun,
        )
        self._deferrals[candidate.trigger_id] = deferral
        if verdict.asks:
            self._asks[candidate.trigger_id] = candidate
        return msgspec.structs.replace(candidate, deferral=deferral)


class _Ripe:
    """Candidates that are ready, the oldest round first. `waiting` are those that were added and are not."""

    def __init__(self, policy: Policy, safe: Safe) -> None:
        self.waiting: list[Candidate] = []
        self._policy = policy
        self._safe = safe
        self._by_round: dict[datetime, list[Candidate]] = {}
        self._rounds: list[datetime] = []

    def __bool__(self) -> bool:
        return bool(self._rounds)

    def add(self, candidate: Candidate | None) -> None:
        """The story's next, if it has one."""
        if candidate is None:
            return
        ready, passed = ready_at(candidate, self._policy), self._safe.of(candidate.lane)
        if ready > passed:
            self.waiting.append(candidate)
            return
        at = round_of(ready, passed, self._policy)
        if at not in self._by_round:
            heappush(self._rounds, at)
        self._by_round.setdefault(at, []).append(candidate)

    def take(self) -> tuple[datetime, list[Candidate]]:
        """The oldest round and its candidates, in the order in which they are judged."""
        present = heappop(self._rounds)
        return present, sorted(self._by_round.pop(present), key=rank)


def next_looks(left: Iterable[Candidate], policy: Policy) -> Next:
    """The least ready times of what is left once all that was decided and deferred is known."""
    ready = [(candidate.lane, ready_at(candidate, policy)) for candidate in left]
    return Next(
        earliest(*(at for lane, at in ready if lane == "live")), earliest(*(at for lane, at in ready if lane == "all"))
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
    rule, facts = candidate.rule, facts_of(candidate)
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
        facts=facts | {OFFERED: True} if verdict.incentive else facts,
        about=candidate.story.about,
        act=rule.steps[candidate.step].act,
        mode="shadow" if rule.mode == "shadow" else "live",
        channels=verdict.channels,
        category=category_of(candidate),
    )
