"""The rules that are in force together: a value, so that one decision is made by one state of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple, assert_never

import msgspec

from tern_triggers.domain.rules.every_rule import Lane
from tern_triggers.domain.rules.kinds import Change, Count, Date, Inactivity, OnEvent, Rule
from tern_triggers.domain.rules.reading import Reads, reads


class Reader(NamedTuple):
    """A rule that reads some fact, and what a plan asks of it."""

    rule: Rule
    lane: Lane
    smallest_offset: timedelta
    at_once: bool


class Ruleset(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """`rules`, by name; paused ones are among them. `since`: since when each decides in its mode; what began before is
    history to it, and a rule without one has always run. `older`: (name, version) → versions that running cycles began
    under. `retired` are names of paused rules for which nothing more is kept. `revision` rises with every change.
    """

    rules: tuple[Rule, ...]
    since: Mapping[str, datetime] = {}
    older: Mapping[tuple[str, int], Rule] = {}
    retired: frozenset[str] = frozenset()
    revision: int = 0

    @cached_property
    def deciding(self) -> tuple[Rule, ...]:
        """Those that decide, live or in shadow."""
        return tuple(rule for rule in self.rules if rule.mode != "paused")

    @cached_property
    def reads(self) -> Reads:
        """What has to be kept for them, also for those that are paused."""
        return reads(rule for rule in (*self.rules, *self.older.values()) if rule.rule not in self.retired)

    @cached_property
    def families(self) -> Mapping[str, str]:
        """Rule name → its family."""
        return {rule.rule: rule.family for rule in self.rules}

    @cached_property
    def of_profiles(self) -> frozenset[str]:
        """The names of the deciding rules that read profiles, whatever facts there are."""
        return frozenset(rule.rule for rule in self.deciding if rule.kind in ("date", "change"))

    @cached_property
    def prompting(self) -> Ruleset:
        """Only those whose first step is decided in the transaction that stores its event."""
        return msgspec.structs.replace(self, rules=tuple(rule for rule in self.deciding if rule.at_once(0)))

    def reading(self, kind: str, key: str) -> Sequence[Reader]:
        """The deciding rules that read such a fact; of events those that read them by this name."""
        return self._readers.get((kind, key if kind == "event" else ""), ())

    @cached_property
    def _readers(self) -> Mapping[tuple[str, str], Sequence[Reader]]:
        """Looked up for every fact: so it is worked out once."""
        found: dict[tuple[str, str], list[Reader]] = {}
        for rule in self.deciding:
            reader = Reader(rule, rule.lane, rule.smallest_offset, rule.at_once(0))
            read = reads([rule])
            for name in (*((kind, "") for kind in read.kinds), *(("event", key) for key in read.events)):
                found.setdefault(name, []).append(reader)
        return found

    def lane_of(self, rule: Rule) -> Lane:
        """The lane of one of these rules, in any of its versions."""
        name = rule.rule, rule.version
        if name not in self._lanes:
            self._lanes[name] = rule.lane
        return self._lanes[name]

    @cached_property
    def _lanes(self) -> dict[tuple[str, int], Lane]:
        """Asked for every candidate of every look: so each is worked out once."""
        return {}

    def at(self, rule: Rule, version: int) -> Rule:
        """The rule as it was in a version: its timing then, its mode and checks now (triggers.md §6.4)."""
        old = self.older.get((rule.rule, version))
        if old is None or version == rule.version or old.kind != rule.kind:
            return rule
        return rule.model_copy(update={"version": version, "steps": old.steps})


def begins_alike(old: Rule, new: Rule) -> bool:
    """Whether both are begun by the same: else what began before the change is history to the new one."""
    return _beginning(old) == _beginning(new)


def _beginning(rule: Rule) -> object:
    match rule:
        case Inactivity():
            return rule.kind, rule.fold, rule.key, rule.start
        case Count() | OnEvent():
            return rule.kind, rule.key, rule.of
        case Change():
            return rule.kind, rule.enters
        case Date():
            return rule.kind, rule.date
        case _:
            assert_never(rule)


def ruleset(rules: Iterable[Rule], since: Mapping[str, datetime] | None = None) -> Ruleset:
    """Rules that have no history of their own yet."""
    return Ruleset(rules=tuple(sorted(rules, key=lambda rule: rule.rule)), since=since or {})
