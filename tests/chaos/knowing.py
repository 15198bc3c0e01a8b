"""What follows from a set of a household's calls: who is who, which facts, who may be written to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from chaos.collecting import identifiers_of
from chaos.evidence import Call, Identifier
from tern_common.events import Event
from tern_triggers.domain.facts import Fact, distinct, facts_of
from tern_triggers.domain.rules import Rule, ruleset
from unit.triggers.oracle import World

CONSENT = {"Consent Granted": True, "Consent Withdrawn": False}


class Known(NamedTuple):
    """Message ids: of what was heard, and of what is known to join identifiers. A merge is told in more than one
    record, so that one can be known before the other."""

    heard: frozenset[str]
    joined: frozenset[str]


class Household:
    """All calls of one."""

    def __init__(self, calls: Sequence[Call], rules: Sequence[Rule]) -> None:
        self.calls = sorted(calls, key=lambda call: call.acked)
        self.rules = rules
        self._of = {call.message_id: call for call in self.calls}
        self._homes = {call.message_id: home_of(call.event) for call in self.calls}
        self._reads = {rule.rule: ruleset([rule]).reads for rule in rules}
        wanted = ruleset(rules).reads
        self._facts = {call.message_id: facts_of(call.event, home_of(call.event), wanted) for call in self.calls}

    @cached_property
    def everything(self) -> Known:
        """All that was acknowledged."""
        return known_of(self.calls)

    def matters(self, call: Call, rule: Rule) -> bool:
        """Whether decisions of the rule may depend on it."""
        if joins(call.event) or facts_of(call.event, "", self._reads[rule.rule]):
            return True
        return rule.steps[0].act == "contact" and call.event.name in CONSENT

    def world(self, known: Known) -> World:
        """As triggers would see it."""
        stated = [fact for message in sorted(known.heard) for fact in self._facts[message]]
        holders = self.holders(known)
        return World({home: holders[home] for home in self._homes.values()}, distinct(stated), stated, {})

    def holders(self, known: Known) -> Mapping[str, str]:
        """Identifier, as `namespace:value` → one name for all that are the same customer."""
        groups = {home: {home} for home in self._homes.values()}
        for message in known.joined:
            ids = ["{}:{}".format(*one) for one in identifiers_of(self._of[message].event)]
            merged = set().union(*(groups.get(one, {one}) for one in ids))
            groups |= dict.fromkeys(merged, merged)
        return {one: min(group) for one, group in groups.items()}

    def may_be_written_to(self, home: str, known: Known) -> bool:
        """Whether mail is welcome, and there is an address."""
        holders = self.holders(known)
        own = [self._of[m] for m in known.heard if holders[self._homes[m]] == holders[home]]
        said = sorted((call.event.event_time, CONSENT[call.event.name]) for call in own if call.event.name in CONSENT)
        reachable = any(space == "email" for call in own for space, _ in identifiers_of(call.event))
        return bool(said) and said[-1][1] and reachable

    def home_at(self, fact: Fact | None, cycle_ref: str) -> str:
        """Where a decision is filed."""
        return fact.home_id if fact is not None else self._homes[cycle_ref]

    @cached_property
    def facts(self) -> list[Fact]:
        """All of them."""
        return distinct(fact for found in self._facts.values() for fact in found)


def known_of(calls: Iterable[Call]) -> Known:
    """What these say, all of it."""
    found = list(calls)
    return Known(
        frozenset(call.message_id for call in found),
        frozenset(call.message_id for call in found if joins(call.event)),
    )


def joins(event: Event) -> bool:
    """Whether it says that two identifiers are one customer's."""
    return len(identifiers_of(event)) > 1


def home_of(event: Event) -> str:
    """An event is filed under the account, where it names one."""
    return f"user_id:{event.user_id}" if event.user_id else f"anonymous_id:{event.anonymous_id}"


def groups_of(calls: Iterable[Call]) -> dict[Identifier, int]:
    """Who is one customer, by all that was said: identifier → the number of its group."""
    groups: dict[Identifier, set[Identifier]] = {}
    for call in calls:
        ids = identifiers_of(call.event)
        merged = set(ids).union(*(groups.get(one, {one}) for one in ids))
        groups |= dict.fromkeys(merged, merged)
    numbers = {id(group): number for number, group in enumerate(groups.values())}
    return {one: numbers[id(group)] for one, group in groups.items()}
