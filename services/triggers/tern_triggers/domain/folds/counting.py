"""The fold of counts: so many events, such a sum, or so many days running, within a window (triggers.md §3).

Each event that completes a count is a reason of its own. Of those that lie closer together than the cooldown one
speaks: the earliest, unless another has been decided already. An exit takes back what it finds counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from tern_common.commerce import amount
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.happening import first_exit
from tern_triggers.domain.folds.matching import Shelf, by_key, exit_of, moment_of, shown
from tern_triggers.domain.moments import ALWAYS, TICK
from tern_triggers.domain.rules import Count
from tern_triggers.domain.story import Exit, Gone, Story

DAY = timedelta(days=1)


class Completed(NamedTuple):
    """An event that completes a count: what was counted, from when on."""

    fact: Fact
    tally: Decimal
    since: datetime


def count_stories(rule: Count, shelf: Shelf, decided: Iterable[Decision], zone: ZoneInfo) -> list[Story]:
    """The stories of the events that speak, of those that were decided, and of the newest that an exit took back.

    `decided` are the rule's own decisions; `zone` says what a day is.
    """
    counted = by_key(rule.key, shelf.matching(rule.of))
    ended = by_key(rule.key, shelf.matching(rule.exit))
    taken: dict[str, list[Decision]] = {}
    for decision in decided:
        taken.setdefault(decision.key, []).append(decision)
    return [
        story
        for key in sorted(counted)
        for story in _Counting(rule, key, counted[key], ended.get(key, []), zone).stories(taken.get(key, ()))
    ]


class _Counting:
    """One key of one rule. `facts` and `ended` ascend."""

    def __init__(self, rule: Count, key: str, facts: Sequence[Fact], ended: Sequence[Fact], zone: ZoneInfo) -> None:
        self._rule = rule
        self._key = key
        self._facts = facts
        self._ended = ended
        self._completed = {one.fact.message_id: one for one in completed(rule, facts, ended, zone)}

    def stories(self, taken: Sequence[Decision]) -> Iterator[Story]:
        """By event time; of one event one story."""
        decided = {decision.about for decision in taken}
        speaking = self._speaking(sorted(decision.anchor for decision in taken), decided)
        for fact in self._facts:
            if fact.message_id in decided or fact.message_id in speaking:
                yield self._story(fact)

    def _speaking(self, anchors: Sequence[datetime], decided: set[str]) -> set[str]:
        found: set[str] = set()
        last: datetime | None = None
        taken_back: str | None = None
        for message_id, one in self._completed.items():
            at = one.fact.at
            if message_id in decided or (one.fact.passive and self._rule.ignores_history):
                continue
            if first_exit(self._ended, one.fact):
                taken_back = message_id
                continue
            if self._near(anchors, at) or (last is not None and at - last < self._rule.cooldown):
                continue
            found.add(message_id)
            last = at
        return found if taken_back is None else found | {taken_back}

    def _near(self, anchors: Sequence[datetime], at: datetime) -> bool:
        """Whether something was decided within the cooldown, on either side."""
        place = bisect_right(anchors, at - self._rule.cooldown)
        return place < len(anchors) and anchors[place] < at + self._rule.cooldown

    def _story(self, fact: Fact) -> Story:
        one = self._completed.get(fact.message_id)
        told: dict[str, str | int] = {} if one is None else {"counted": str(one.tally), "since": one.since.isoformat()}
        return Story(
            key=self._key,
            activity=(moment_of(fact),),
            exits=first_exit(self._ended, fact) if one is not None else self._undone(fact),
            speaks=True,
            about=fact.message_id,
            shown=shown({**told}, fact),
        )

    def _undone(self, fact: Fact) -> tuple[Exit, ...]:
        """What was decided, and completes nothing any more, since an exit before it turned up later."""
        place = bisect_right(self._ended, fact.at, key=lambda end: end.at)
        return tuple(exit_of(end, Gone.EXIT)._replace(reach=ALWAYS) for end in self._ended[place - 1 : place] if place)


def completed(rule: Count, facts: Sequence[Fact], ended: Sequence[Fact], zone: ZoneInfo) -> Iterator[Completed]:
    """The events, of those that ascend, up to which enough is counted in the window that ends with them."""
    measure = _measure(rule, facts, zone)
    exits = [end.at for end in ended]
    for place, fact in enumerate(facts):
        closed = bisect_right(exits, fact.at)
        after = fact.at - rule.within if not closed else max(fact.at - rule.within, exits[closed - 1])
        begin = bisect_left(facts, after + TICK, key=lambda one: one.at)
        if begin <= place:
            tally = measure(begin, place)
            if tally >= rule.at_least:
                yield Completed(fact, tally, facts[begin].at)


class _Measure(Protocol):
    def __call__(self, begin: int, end: int) -> Decimal:
        """What the events from `begin` to `end`, both of them among them, come to."""


def _measure(rule: Count, facts: Sequence[Fact], zone: ZoneInfo) -> _Measure:
    if rule.sum is not None:
        sums = [Decimal(0), *accumulate(_amount(fact, rule.sum) for fact in facts)]
        return lambda begin, end: sums[end + 1] - sums[begin]
    if rule.days is not None:
        return _running(facts, zone, rule.at_least)
    return lambda begin, end: Decimal(end + 1 - begin)


def _amount(fact: Fact, name: str) -> Decimal:
    """What an event adds to a sum: nothing where it is no number, or less than nothing."""
    return max(amount(fact.body.said.get(name)) or Decimal(0), Decimal(0))


def _running(facts: Sequence[Fact], zone: ZoneInfo, wanted: int) -> _Measure:
    """Days running up to that of the last event, in the customer's own zone."""
    days = [fact.at.astimezone(zone).date() for fact in facts]
    places: Mapping[date, list[int]] = {day: [] for day in days}
    for place, day in enumerate(days):
        places[day].append(place)

    def within(day: date, begin: int, end: int) -> bool:
        found = places.get(day, ())
        at = bisect_left(found, begin)
        return at < len(found) and found[at] <= end

    def measure(begin: int, end: int) -> Decimal:
        run = 0
        while run < wanted and within(days[end] - run * DAY, begin, end):
            run += 1
        return Decimal(run)

    return measure
