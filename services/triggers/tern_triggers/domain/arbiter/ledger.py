"""What was already decided about a customer, ordered so that each check asks it once, however long the history is.

Only decisions of homes that the customer has now count: a merge adds both halves', a split takes them along. Live
rules see what live rules did; a shadow rule sees that and its own shadow, as if it alone went live today.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tern_triggers.domain.candidates import Candidate
from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.rules import Rule, Ruleset
from tern_triggers.domain.view import View

OFFERED = "incentive"
"""Among a decision's facts: an offer was allowed."""

_Cycle = tuple[str, str, str, str]
_Topic = tuple[str, str | None]
"""What a frequency counts by: nothing, the key, or the category."""

WHOLE: _Topic = ("", None)


class _Shade(NamedTuple):
    """Whose decisions: of all live rules, or of one in shadow."""

    rule: str | None = None


LIVE = _Shade()


class Ledger:
    """Grows with every decision of the sitting, so that the second of two siblings sees the first one's slot."""

    def __init__(self, view: View, ruleset: Ruleset) -> None:
        self._families = ruleset.families
        self._slots: dict[tuple[_Shade, str | None], list[datetime]] = {}
        self._firsts: dict[tuple[_Shade, str, _Topic], list[datetime]] = {}
        self._offers: dict[_Shade, list[datetime]] = {}
        self._reminded: dict[tuple[_Shade, str], dict[_Cycle, datetime]] = {}
        self._treated: set[str] = set()
        for decision in view.decisions:
            if decision.home_id in view.homes:
                self.add(decision)

    def add(self, decision: Decision) -> None:
        """Notes that were no decisions, and suppressions, concern nothing that comes after."""
        if decision.outcome not in (Outcome.FIRED, Outcome.HELD_OUT):
            return
        shade = LIVE if decision.mode == "live" else _Shade(decision.rule)
        fired = decision.outcome is Outcome.FIRED
        if fired and shade is LIVE:
            self._treated.add(decision.rule)
        if decision.released_at is not None:
            return
        if decision.step == 0:
            for topic in (WHOLE, ("key", decision.key), ("category", decision.category)):
                insort(self._firsts.setdefault((shade, decision.rule, topic), []), decision.round)
        if fired and decision.act == "contact":
            self._contact(shade, decision)

    def _contact(self, shade: _Shade, decision: Decision) -> None:
        for channel in {None, *decision.channels[:1]}:
            insort(self._slots.setdefault((shade, channel), []), decision.round)
        if decision.facts.get(OFFERED) is True:
            insort(self._offers.setdefault(shade, []), decision.round)
        cycles = self._reminded.setdefault((shade, self._family(decision.rule)), {})
        cycle = _cycle(decision)
        cycles[cycle] = max(cycles.get(cycle, decision.round), decision.round)

    def nth_contact(self, rule: Rule, channel: str | None, n: int) -> datetime | None:
        """The round of the n-th newest contact by `channel`, or by any; None where there are fewer."""
        newest = [at for shade in _seen_by(rule) for at in self._slots.get((shade, channel), ())[-n:]]
        return sorted(newest)[-n] if len(newest) >= n else None

    def last_first(self, rule: Rule, topic: _Topic) -> datetime | None:
        """The round of the newest first step of the rule about this topic.

        Held-out ones count: the control is asked as rarely as the treated are, or the arms would not compare.
        """
        found = [self._firsts[shade, rule.rule, topic] for shade in _seen_by(rule) if self._has(shade, rule, topic)]
        return max((rounds[-1] for rounds in found), default=None)

    def _has(self, shade: _Shade, rule: Rule, topic: _Topic) -> bool:
        return (shade, rule.rule, topic) in self._firsts

    def offers_since(self, rule: Rule, begin: datetime) -> int:
        """How many offers were allowed after `begin`."""
        found = (self._offers.get(shade, []) for shade in _seen_by(rule))
        return sum(len(rounds) - bisect_right(rounds, begin) for rounds in found)

    def reminded_since(self, candidate: Candidate, begin: datetime) -> int:
        """How many other cycles of the rule's family the customer was reminded of after `begin`."""
        rule = candidate.rule
        mine = (rule.rule, candidate.story.key, candidate.story.about, candidate.cycle_ref)
        found = (self._reminded.get((shade, rule.family), {}) for shade in _seen_by(rule))
        return len({cycle for cycles in found for cycle, at in cycles.items() if at > begin and cycle != mine})

    def ever_treated(self, rule: Rule) -> bool:
        """Whether the rule ever fired, for real, at this customer."""
        return rule.rule in self._treated

    def _family(self, rule: str) -> str:
        return self._families.get(rule, "")


def _seen_by(rule: Rule) -> Iterable[_Shade]:
    return (LIVE, _Shade(rule.rule)) if rule.mode == "shadow" else (LIVE,)


def _cycle(decision: Decision) -> _Cycle:
    return decision.rule, decision.key, decision.about, decision.cycle_ref
