"""Which facts no fold can ever read again. The newest of a set are a function of the set, so that what was forgotten,
and when, changes nothing: folds read the same whether or not it is still there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.cart import KEEP, walk_order

EVENTS = 500
"""Events kept of each name and home."""

SEEN = timedelta(days=400)
"""Days on which somebody was seen are kept for so long before the newest of them."""

_Order = Callable[[Fact], tuple[datetime, bool, str]]


def never_read(facts: Iterable[Fact], carts: int = KEEP, events: int = EVENTS) -> list[Fact]:
    """Of the facts of one customer those beyond the newest so many of a cart, so many of an event's name, and `SEEN`.

    Carts and events are counted in each home, since homes may part. Orders and what becomes of them are all kept.
    """
    kept = {"cart": (carts, walk_order), "checkout": (carts, _by_time), "event": (events, _by_time)}
    groups: dict[tuple[str, str, str], list[Fact]] = {}
    days: list[Fact] = []
    for fact in facts:
        if fact.kind == "seen":
            days.append(fact)
        elif fact.kind in kept:
            groups.setdefault((fact.home_id, fact.kind, fact.key), []).append(fact)
    return [*_older(days), *(old for (_, kind, _), found in groups.items() for old in _beyond(found, *kept[kind]))]


def readable(facts: Sequence[Fact]) -> Sequence[Fact]:
    """What folds read of the facts of one customer, in their order."""
    dropped = {fact.name for fact in never_read(facts)}
    return [fact for fact in facts if fact.name not in dropped] if dropped else facts


def _by_time(fact: Fact) -> tuple[datetime, bool, str]:
    return fact.at, False, fact.message_id


def _beyond(facts: list[Fact], keep: int, order: _Order) -> list[Fact]:
    return sorted(facts, key=order)[:-keep] if len(facts) > keep else []


def _older(days: Sequence[Fact]) -> list[Fact]:
    newest = max((fact.at for fact in days), default=None)
    return [] if newest is None else [fact for fact in days if fact.at < newest - SEEN]
