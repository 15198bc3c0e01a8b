"""What a set of rules reads of the stream: everything else need not be kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tern_common.conditions import paths
from tern_triggers.domain.rules.kinds import Count, Fold, Inactivity, OnEvent, Rule
from tern_triggers.domain.rules.parts import EventFilter, event_key

COMMERCE: Mapping[Fold, frozenset[str]] = {
    "cart": frozenset({"cart", "checkout", "order"}),
    "checkout": frozenset({"cart", "checkout", "order"}),
    "browse": frozenset({"cart", "checkout", "order"}),
    "orders": frozenset({"order", "refund", "cancel"}),
    "first_order": frozenset({"order", "refund", "cancel"}),
    "presence": frozenset({"seen"}),
}
"""The kinds of fact that each fold reads, beside events by name."""

VIEWED = event_key("Product Viewed")
BROWSED = frozenset({"product_id", "category"})


class Reads(msgspec.Struct, frozen=True):
    """`kinds`: kinds of fact. `events`: event name (as filed) → the properties that are kept of it."""

    kinds: frozenset[str]
    events: Mapping[str, frozenset[str]]


def reads(rules: Iterable[Rule]) -> Reads:
    """What these rules read together."""
    kinds: set[str] = set()
    events: dict[str, frozenset[str]] = {}
    for rule in rules:
        if isinstance(rule, Inactivity) and rule.fold is not None:
            kinds |= COMMERCE[rule.fold]
        for name, kept in _by_name(rule):
            events[name] = events.get(name, frozenset()) | kept
    return Reads(frozenset(kinds), events)


def filters(rule: Rule) -> Sequence[EventFilter]:
    """The event filters of a rule."""
    found: tuple[EventFilter | None, ...]
    match rule:
        case Inactivity(start=start, reset=reset, exit=end):
            found = (start, reset, end)
        case Count(of=of, exit=end) | OnEvent(of=of, exit=end):
            found = (of, end)
        case _:
            found = ()
    return [one for one in found if one is not None]


def _by_name(rule: Rule) -> list[tuple[str, frozenset[str]]]:
    if isinstance(rule, Inactivity) and rule.fold == "browse":
        return [(VIEWED, BROWSED)]
    own = _properties(rule)
    return [(name, own | frozenset(paths(one.where))) for one in filters(rule) for name in one.keys]


def _properties(rule: Rule) -> frozenset[str]:
    """Besides those that filters test: the rule's key, what it sums, and what frequency and payload speak of."""
    named = {getattr(rule, "key", None), getattr(rule, "sum", None)}
    return BROWSED | {name for name in named if name is not None}
