"""Counts, the slow plain way: every window is counted from nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from tern_triggers.domain.facts import Fact
from unit.triggers.walks import Waiting, named

AHEAD = timedelta(hours=11)
"""Of the zone of the tests, which has no summer time."""


def by_key(rule: Any, facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    """The facts by what they are about."""
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        if rule.key is None or rule.key in fact.body.said:
            found.setdefault("" if rule.key is None else str(fact.body.said[rule.key]), []).append(fact)
    return found


def completing(rule: Any, counted: Sequence[Fact], ended: Sequence[Fact]) -> list[Fact]:
    """The events with enough in the window that ends with them, and after the last exit."""
    return [fact for fact in counted if _enough(rule, fact, _window(rule, fact, counted, ended))]


def _window(rule: Any, last: Fact, counted: Sequence[Fact], ended: Sequence[Fact]) -> list[Fact]:
    upto = [fact for fact in counted if (fact.at, fact.message_id) <= (last.at, last.message_id)]
    closed = [end.at for end in ended if end.at <= last.at]
    return [f for f in upto if f.at > last.at - rule.within and all(f.at > at for at in closed)]


def _enough(rule: Any, last: Fact, window: Sequence[Fact]) -> bool:
    if last not in window:
        return False
    if rule.sum is not None:
        enough: bool = sum(max(0.0, float(f.body.said.get(rule.sum, 0))) for f in window) >= rule.at_least
        return enough
    if rule.days is not None:
        days = {(fact.at + AHEAD).date() for fact in window}
        today = (last.at + AHEAD).date()
        return all(today - timedelta(days=back) in days for back in range(rule.at_least))
    many: bool = len(window) >= rule.at_least
    return many


def walk_counts(rule: Any, own: Sequence[Fact], decided: Any) -> Iterator[Waiting]:
    """What speaks: the earliest first, and nothing within the cooldown of it or of what was decided.

    `decided(key)`: (anchor, about) of what this customer's verdicts were about.
    """
    exits = by_key(rule, named(own, *(rule.exit.keys if rule.exit else ())))
    for key, counted in by_key(rule, named(own, *rule.of.keys)).items():
        last: datetime | None = None
        for fact in completing(rule, counted, exits.get(key, [])):
            over = fact.passive or any(end.at >= fact.at for end in exits.get(key, []))
            near = any(abs(anchor - fact.at) < rule.cooldown for anchor in decided(key))
            if over or near or (last is not None and fact.at - last < rule.cooldown):
                continue
            last = fact.at
            yield Waiting(key, fact.at, fact.message_id, fact.home_id, fact.at, None, fact.message_id)
