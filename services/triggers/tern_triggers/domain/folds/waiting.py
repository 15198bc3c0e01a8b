"""Inactivity by filters of the shop's own: something began, and nothing came after it (triggers.md §0).

Starts and resets put the moment off that is waited from, exits end what they find. A reset begins nothing.
"""

from __future__ import annotations

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.matching import Shelf, by_key, exit_of, moment_of, shown
from tern_triggers.domain.rules import Inactivity
from tern_triggers.domain.story import Gone, Story


def waiting_stories(rule: Inactivity, shelf: Shelf) -> list[Story]:
    """One story for each key that something began or ended for."""
    started = by_key(rule.key, shelf.matching(rule.start))
    reset = by_key(rule.key, shelf.matching(rule.reset))
    ended = by_key(rule.key, shelf.matching(rule.exit))
    return [
        _story(key, started.get(key, []), reset.get(key, []), ended.get(key, []))
        for key in sorted(started.keys() | ended.keys())
    ]


def _story(key: str, started: list[Fact], reset: list[Fact], ended: list[Fact]) -> Story:
    return Story(
        key=key,
        activity=tuple(map(moment_of, started)),
        resets=tuple(map(moment_of, reset)),
        exits=tuple(exit_of(fact, Gone.EXIT) for fact in ended),
        speaks=bool(started),
        shown=shown({**started[-1].body.said, "events": len(started)}, started[-1]) if started else None,
    )
