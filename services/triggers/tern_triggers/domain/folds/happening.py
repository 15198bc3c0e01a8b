"""Rules of kind `event`: each event that matches is a reason of its own, until an exit of its key (triggers.md §0)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.matching import Shelf, by_key, exit_of, moment_of, shown
from tern_triggers.domain.rules import OnEvent
from tern_triggers.domain.story import Exit, Gone, Story


def event_stories(rule: OnEvent, shelf: Shelf) -> list[Story]:
    """One story an event."""
    ended = by_key(rule.key, shelf.matching(rule.exit))
    return [
        _story(key, fact, first_exit(ended.get(key, ()), fact))
        for key, found in by_key(rule.key, shelf.matching(rule.of)).items()
        for fact in found
    ]


def first_exit(ended: Sequence[Fact], fact: Fact) -> tuple[Exit, ...]:
    """The first of these, which ascend, that is not before the fact. Others end it no sooner."""
    place = bisect_left(ended, fact.at, key=lambda end: end.at)
    return tuple(exit_of(end, Gone.EXIT) for end in ended[place : place + 1])


def _story(key: str, fact: Fact, exits: tuple[Exit, ...]) -> Story:
    return Story(
        key=key,
        activity=(moment_of(fact),),
        exits=exits,
        speaks=True,
        about=fact.message_id,
        shown=shown(dict(fact.body.said), fact),
    )
