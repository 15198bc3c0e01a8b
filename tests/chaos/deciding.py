"""Decisions of one household against the oracle: equal where they are bound, and explained wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, combinations
from typing import Any, NamedTuple

from chaos.evidence import Call, Made
from chaos.knowing import Household, Known, joins, known_of
from chaos.shop_rules import LONGEST
from chaos.watching import Decided
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule
from unit.triggers.oracle import Oracle, Verdict, World, rounded

MANY = 9
"""Doubtful pieces of knowledge: of more not all subsets are tried."""

Moment = Callable[[Call], datetime]


class Expected(NamedTuple):
    """A decision of the oracle, and the slot in which it took it."""

    verdict: Verdict
    slot: datetime
    fires: bool


class Judge:
    """Of one household. `made`: its decisions, in order."""

    def __init__(self, household: Household, made: Sequence[Made], policy: Policy, decided: Decided) -> None:
        self.household = household
        self.made = made
        self.policy = policy
        self._decided = decided
        self._by_acks = self._forward(lambda call: call.acked)
        self._by_sends = self._forward(lambda call: call.sent)

    def _forward(self, told: Moment) -> list[Expected]:
        """What the oracle decides if it knows of each call from the moment at which it is told of it."""
        calls, slot = self.household.calls, self.policy.slot
        oracle = Oracle(self.household.rules, self.policy)
        found: list[Expected] = []
        at = rounded(min(map(told, calls)), slot)
        over = max(map(told, calls)) + LONGEST + 2 * self.policy.grace
        known, world = Known(frozenset(), frozenset()), None
        while at <= over:
            now = known_of(call for call in calls if told(call) < at)
            if now != known or world is None:
                known, world = now, self.household.world(now)
            oracle.slot(at, world)
            found += [Expected(one, at, self._fires(one, known)) for one in oracle.verdicts[len(found) :]]
            at += slot
        return found

    def _fires(self, verdict: Verdict, known: Known) -> bool:
        rule = self._rule(verdict.rule)
        contact = rule.steps[verdict.step].act == "contact"
        return verdict.fired and (not contact or self.household.may_be_written_to(verdict.home_id, known))

    def _rule(self, name: str) -> Rule:
        return next(rule for rule in self.household.rules if rule.rule == name)

    # -- bound: equal -----------------------------------------------------------------------------------------------

    def is_bound(self, rule: Rule) -> bool:
        """Whether no call that matters was under way while one of the rule's decisions was being taken."""
        expected = [one for one in (*self._by_acks, *self._by_sends) if one.verdict.rule == rule.rule]
        return not any(self._is_doubtful(one, call) for one in expected for call in self.household.calls)

    def _is_doubtful(self, one: Expected, call: Call) -> bool:
        rule, verdict = self._rule(one.verdict.rule), one.verdict
        if not self.household.matters(call, rule):
            return False
        ready = rounded(verdict.due + self.policy.grace, self.policy.slot)
        if rule.at_once(verdict.step):
            own = next(other for other in self.household.calls if other.message_id == verdict.cycle_ref)
            if call is own:
                return False
            return call.acked >= own.sent and call.sent <= self._decided.by(max(own.acked, one.slot))
        return call.acked >= ready and call.sent <= self._decided.by(max(ready, one.slot))

    def unequal(self, rule: Rule) -> list[str]:
        """Where the decisions of a bound rule are not the oracle's."""
        wanted = {_told(one.verdict, one.fires) for one in self._by_acks if one.verdict.rule == rule.rule}
        got = {_told(one, _has_fired(one)) for one in self.made if one.rule == rule.rule}
        missing = [f"is missing: {_say(one)}" for one in sorted(wanted - got)]
        return missing + [f"was never due: {_say(one)}" for one in sorted(got - wanted)]

    # -- all: explained -----------------------------------------------------------------------------------------------

    def unexplained(self) -> list[str]:
        """Decisions that no knowledge between what binds and what was possible leads to."""
        return [
            f"nothing explains {_say(_told(one, _has_fired(one)))}, decided at {one.decided_at.time()}"
            for place, one in enumerate(self.made)
            if not any(self._leads_to(known, one, self.made[:place]) for known in self._possible(one))
        ]

    def _leads_to(self, known: Known, one: Made, before: Sequence[Made]) -> bool:
        rule = self._rule(one.rule)
        for found in self._next(rule, before, one.decided_at, self.household.world(known)):
            if _told(found, True) == _told(one, True) and found.cycle_ref == one.cycle_ref:
                return self._fires(found, known) == _has_fired(one) or self._is_in_between(one)
        return False

    def _is_in_between(self, one: Made) -> bool:
        """A merge and what it does to consent are told on two topics: while it is under way, either may be so."""
        ready = rounded(one.due + self.policy.grace, self.policy.slot)
        return any(
            joins(call.event) and call.acked >= ready for call in self.household.calls if call.sent <= one.decided_at
        )

    def _next(self, rule: Rule, before: Sequence[Made], at: datetime, world: World) -> list[Verdict]:
        """What the oracle decides at this moment, after these decisions."""
        oracle = Oracle([rule], self.policy)
        oracle.verdicts = [self._verdict(one) for one in before if one.rule == rule.rule]
        taken = len(oracle.verdicts)
        oracle.slot(at, world)
        return oracle.verdicts[taken:]

    def _verdict(self, one: Made) -> Verdict:
        begun = next((fact for fact in self.household.facts if fact.at == one.started), None)
        home = self.household.home_at(begun, one.cycle_ref)
        ready = rounded(one.due + self.policy.grace, self.policy.slot)
        return Verdict(
            one.rule,
            one.key,
            one.about,
            one.step,
            one.cycle_ref,
            one.trigger_id,
            home,
            one.anchor,
            one.due,
            ready,
            True,
        )

    def _possible(self, one: Made) -> Iterator[Known]:
        """What the decision may have known. Of what is decided at once nothing is bound to be known."""
        rule = self._rule(one.rule)
        ready = rounded(one.due + self.policy.grace, self.policy.slot)
        binds = one.started if rule.at_once(one.step) else ready
        heard = [call for call in self.household.calls if call.sent <= one.decided_at]
        doubtful = [call for call in heard if call.acked >= binds and self.household.matters(call, rule)]
        sure = known_of(call for call in heard if call not in doubtful)
        facts = [call.message_id for call in doubtful]
        links = [call.message_id for call in doubtful if joins(call.event)]
        for fewer_facts, fewer_links in _subsets(facts, links):
            yield Known(sure.heard | fewer_facts, sure.joined | fewer_links)

    def undone(self, rest: datetime) -> list[str]:
        """What is still due at rest, when everything is known."""
        world = self.household.world(self.household.everything)
        found = [one for rule in self.household.rules for one in self._next(rule, self.made, rest, world)]
        return [f"was never decided: {_say(_told(one, True))}" for one in found]


def _subsets(facts: Sequence[str], links: Sequence[str]) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """All of both, or where there are too many the beginnings."""
    pieces: list[Any] = [(True, one) for one in facts] + [(False, one) for one in links]
    if len(pieces) > MANY:
        chosen: Iterator[Sequence[Any]] = (pieces[:end] for end in range(len(pieces) + 1))
    else:
        chosen = chain.from_iterable(combinations(pieces, size) for size in range(len(pieces), -1, -1))
    for some in chosen:
        yield frozenset(one for fact, one in some if fact), frozenset(one for fact, one in some if not fact)


def _told(one: Verdict | Made, fired: bool) -> tuple[Any, ...]:
    return one.rule, one.key, one.step, one.trigger_id, one.anchor, one.due, fired


def _say(told: tuple[Any, ...]) -> str:
    rule, key, step, trigger_id, anchor, due, fired = told
    outcome = "fired" if fired else "not fired"
    waits: timedelta = due - anchor
    return f"{rule} {key!r} step {step} ({outcome}) anchor {anchor.time()} + {waits.total_seconds()} s, {trigger_id}"


def _has_fired(one: Made) -> bool:
    """Withdrawn is fired, and taken back unseen."""
    return one.outcome in (Outcome.FIRED, Outcome.WITHDRAWN)


def is_strange(one: Made) -> bool:
    """An outcome for which nothing in these stories can be the reason."""
    refused = one.outcome == Outcome.SUPPRESSED and one.reason in (Why.NO_CONSENT, Why.UNREACHABLE)
    return not (_has_fired(one) or refused)
