"""What triggers decide in a simulation, by the service's own code, with all that was known when they did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from simulation.flaws import Flaw
from tern_triggers.domain import agenda, endings, narrative, rounds
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.endings import Ending, Revocation
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds import telling
from tern_triggers.domain.folds.telling import Stories
from tern_triggers.domain.news import Batch, News
from tern_triggers.domain.rounds import Decided, Safe
from tern_triggers.domain.view import Deferral, Verdicts, View, told_apart
from tern_triggers.store import letters
from unit.triggers.node import Node

if TYPE_CHECKING:
    from simulation.triggers import TriggerTables

SOURCE = "/tern/simulation"


class Known(NamedTuple):
    """What the tables held: who has each home, the facts, profiles, and all that was decided."""

    holders: Mapping[str, str]
    facts: Sequence[Fact]
    profiles: Mapping[str, Verdicts]
    decisions: Sequence[Decision]


@dataclass
class Judged:
    """A decision with what was safe, what the clock said, and what was known, when it was taken."""

    decision: Decision
    safe: datetime | None
    now: datetime
    known: Known


@dataclass
class PutOff:
    """A deferral, with what the clock said and what was known."""

    deferral: Deferral
    now: datetime
    known: Known


class PlayedNode(Node):
    """Memory tables that know of an outbox and of deferrals, and note what was known when."""

    def __init__(self, tables: TriggerTables) -> None:
        super().__init__(tables.rules, tables.policy)
        self.tables = tables
        self.real = 0.0
        self.deferrals: dict[tuple[str, str], Deferral] = {}
        self._seen_then: dict[str, View] = {}

    def batch(self, items: Iterable[News], now: datetime) -> None:
        found = list(items)
        before = dict(self.agenda)
        super().batch(found, now)
        if self.tables.flaw is Flaw.CLASS_UNNOTICED:
            for customer in {one.profile.customer_id for one in found if one.profile is not None}:
                if customer in self.agenda:
                    self.agenda[customer] = before.get(customer, Plan())

    def known(self) -> Known:
        """All of it now."""
        return Known(
            {home: one.customer_id for home, one in self.memberships.items() if one.customer_id is not None},
            tuple(self.facts.values()),
            {customer: news.verdicts for customer, news in self.profiles.items()},
            tuple(self.decisions.values()),
        )

    def view(self, customer: str, also: Batch | None = None) -> View:
        seen = super().view(customer, also)
        waiting, doubles = told_apart(one for one in self.deferrals.values() if one.home_id in seen.homes)
        return replace(seen, deferrals=waiting, doubles=doubles)

    def look(self, customer: str, safe: Safe, now: datetime) -> None:
        """Decides all rounds that are due, and plans the next look."""
        seen = self.view(customer)
        if self.tables.flaw is Flaw.DEFERRED_UNSEEN and seen.deferrals and customer in self._seen_then:
            then = self._seen_then[customer]
            seen = replace(seen, facts=then.facts, newest=then.newest, foreign=then.foreign)
        told = self._told(seen, now)
        decided = self._judge(told, seen, safe, now)
        self._keep(seen, decided, safe.live, now)
        notes = narrative.ended_notes(self.rules, told, rounds.after(seen, decided), self.policy, now)
        self.decisions |= {one.row_id: one for one in notes if one.row_id not in self.decisions}
        looks = rounds.next_looks(decided.left, self.policy)
        newest = seen.facts[-1].at if seen.facts else None
        known = agenda.join([self.agenda.get(customer, Plan()), Plan(None, None, newest, newest)])
        self.agenda[customer] = known._replace(live=looks.live, all=looks.all)

    def _told(self, seen: View, now: datetime) -> Stories:
        if self.tables.flaw is Flaw.COUNTED_ANEW:
            counts = {rule.rule for rule in self.rules.rules if rule.kind == "count"}
            seen = replace(seen, decisions=[one for one in seen.decisions if one.rule not in counts])
        return telling.stories(self.rules, seen, self.policy, now)

    def _judge(self, told: Stories, seen: View, safe: Safe, now: datetime) -> Decided:
        if self.tables.flaw is Flaw.QUIET_BY_ROUND:
            return rounds.decide(self.rules, told, seen, self.policy, safe, safe.live)
        if self.tables.flaw is not Flaw.RULE_BY_RULE:
            return rounds.decide(self.rules, told, seen, self.policy, safe, now)
        found = Decided()
        for name in told:
            alone = replace(seen, decisions=[one for one in seen.decisions if one.rule == name])
            part = rounds.decide(
                self.rules, {each: told[each] if each == name else [] for each in told}, alone, self.policy, safe, now
            )
            found.rulings += part.rulings
            found.deferrals += part.deferrals
            found.left += part.left
        return found

    def _decide_at_once(self, customer: str) -> None:
        seen = self.view(customer)
        decided = rounds.decide_at_once(self.rules, self._told(seen, self.now), seen, self.policy, self.now)
        self._keep(seen, decided, None, self.now)
        looks = rounds.next_looks(decided.left, self.policy)
        self.agenda[customer] = agenda.join([self.agenda[customer], Plan(looks.live, looks.all)])

    def _keep(self, seen: View, decided: Decided, safe: datetime | None, now: datetime) -> None:
        for ruling in decided.rulings:
            one = ruling.decision
            assert one.row_id not in self.decisions, "decided twice"
            self.tables.judged.append(Judged(one, safe, now, self.known()))
            self.decisions[one.row_id] = one
            for home in seen.homes:
                self.deferrals.pop((home, one.trigger_id), None)
            if one.outcome is Outcome.FIRED and one.mode == "live":
                self.tables.put([letters.of_ruling(ruling, seen, SOURCE)], self.real, leased=safe is not None)
        for deferral in decided.deferrals:
            self.deferrals[deferral.home_id, deferral.trigger_id] = deferral
            self.tables.put_off.append(PutOff(deferral, now, self.known()))
            self._seen_then.setdefault(seen.customer_id, seen)

    def _end(self, customer: str, said: Batch, now: datetime) -> None:
        seen = self.view(customer, said)
        told = telling.stories(self.rules, seen, self.policy, self.now)
        own = [one for one in seen.decisions if one.home_id in seen.homes]
        if self.tables.flaw is Flaw.FORGET_NOTHING_FIRED:
            return
        for ending in endings.endings(told, own, now):
            self._revoke(ending, now)

    def _revoke(self, ending: Ending, now: datetime) -> None:
        decision = ending.decision
        if self.tables.take_back(decision.trigger_id):
            self.decisions[decision.row_id] = replace(decision, outcome=Outcome.WITHDRAWN, reason=ending.exit.why)
            return
        noted = {"retracted_at": now} if ending.revocation is Revocation.RETRACTED else {"cancelled_at": now}
        self.decisions[decision.row_id] = replace(decision, **noted)
        letter = letters.of_ending(self.tables.rules, ending, now, SOURCE)
        self.tables.put([letter], self.real)
