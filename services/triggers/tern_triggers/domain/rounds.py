"""Rounds: everything due for one customer is judged in one order, oldest round first (triggers.md §4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush
from typing import NamedTuple

from tern_triggers.domain.candidates import Candidate, Stories, by_story, candidate_of, candidates
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.judgement import judge
from tern_triggers.domain.moments import earliest, round_down, round_up
from tern_triggers.domain.narrative import facts_of
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Lane, Rule
from tern_triggers.domain.view import View


class Safe(NamedTuple):
    """Safe time of the live lane, and of all lanes."""

    live: datetime
    all: datetime

    def of(self, lane: Lane) -> datetime:
        """The safe time that a rule of this lane waits for."""
        return self.live if lane == "live" else self.all


class Ruling(NamedTuple):
    """A decision with what it was made from; `channels` are those that may be used when it fired."""

    decision: Decision
    candidate: Candidate
    channels: tuple[str, ...]


class Next(NamedTuple):
    """When a customer must be looked at again, by lane. May be early, never late."""

    live: datetime | None
    all: datetime | None


def ready_at(candidate: Candidate, policy: Policy) -> datetime:
    """The first moment at which the decision may be taken: due + grace, rounded up to its slot."""
    return round_up(candidate.due + policy.grace, policy.slot)


def round_of(ready: datetime, safe: datetime, policy: Policy) -> datetime:
    """The round a decision belongs to: its own, unless it is late by more than the tolerance."""
    return ready if safe - ready <= policy.tolerance else round_down(safe, policy.slot)


def rank(candidate: Candidate) -> tuple[int, Decimal, datetime, str, str, int]:
    """The order inside a round. Total, hence deterministic; between equals the longest due speaks first."""
    story = candidate.story
    return -candidate.rule.priority, -story.value, candidate.due, candidate.rule.rule, story.key, candidate.step


def decide(rules: Sequence[Rule], told: Stories, view: View, policy: Policy, safe: Safe, now: datetime) -> list[Ruling]:
    """Every round up to safe time, in ascending order, each judged against all decisions before it.

    A decision concerns one (rule, key), so only that one's next candidate is looked for again.
    """
    made: list[Ruling] = []
    taken = by_story(view.decisions)
    ripe = _Ripe(policy, safe)
    for candidate in candidates(rules, told, view.decisions):
        ripe.add(candidate)
    while ripe:
        present, together = ripe.take()
        for candidate in together:
            ruling = _rule_on(candidate, view, present, now)
            made.append(ruling)
            mine = taken.setdefault((candidate.rule.rule, candidate.story.key), [])
            mine.append(ruling.decision)
            ripe.add(candidate_of(candidate.rule, candidate.story, mine))
    return made


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


def next_looks(rules: Sequence[Rule], told: Stories, decisions: Sequence[Decision], policy: Policy) -> Next:
    """The least ready times of what is left."""
    left = [(candidate.rule.lane, ready_at(candidate, policy)) for candidate in candidates(rules, told, decisions)]
    return Next(
        earliest(*(at for lane, at in left if lane == "live")), earliest(*(at for lane, at in left if lane == "all"))
    )


def _rule_on(candidate: Candidate, view: View, present: datetime, now: datetime) -> Ruling:
    verdict = judge(candidate, view, now)
    decision = Decision(
        trigger_id=candidate.trigger_id,
        rule=candidate.rule.rule,
        rule_version=candidate.rule.version,
        key=candidate.story.key,
        step=candidate.step,
        home_id=candidate.start.home_id,
        customer_id=view.customer_id,
        cycle_ref=candidate.cycle_ref,
        started=candidate.start.at,
        anchor=candidate.anchor,
        due=candidate.due,
        round=present,
        expires=candidate.expires,
        outcome=verdict.outcome,
        reason=verdict.reason,
        decided_at=now,
        facts=facts_of(candidate),
    )
    return Ruling(decision, candidate, verdict.channels)
