"""Truths through time: when something began to hold, and when it ended; and how several are joined.

Pure. A timeline begins at `EVER` and alternates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

EVER = datetime.min.replace(tzinfo=UTC)
"""Before all events."""


class Turn(NamedTuple):
    """From `at` on it holds, or does not."""

    at: datetime
    holds: bool


Timeline = list[Turn]


def timeline(turns: Iterable[Turn]) -> Timeline:
    """Ascending turns, the first at `EVER`: without those that change nothing."""
    found: Timeline = []
    for turn in turns:
        if not found or found[-1].holds is not turn.holds:
            found.append(turn)
    return found


def negated(one: Timeline) -> Timeline:
    """When the other does not hold."""
    return [Turn(turn.at, not turn.holds) for turn in one]


def joined(parts: Sequence[Timeline], how: Callable[[Iterable[bool]], bool]) -> Timeline:
    """`how` (`all`, `any`) of them at every moment."""
    now = [False] * len(parts)
    turns: dict[datetime, bool] = {}
    for at, place, holds in sorted((turn.at, place, turn.holds) for place, part in enumerate(parts) for turn in part):
        now[place] = holds
        turns[at] = how(now)
    return timeline(Turn(at, holds) for at, holds in turns.items())


def older(moments: Sequence[datetime], age: timedelta, passed: datetime | None) -> Timeline:
    """When the last of these moments was so long ago. `passed`: up to where it is certain that there was no other."""
    turns = [Turn(EVER, False)]
    for at, following in pairwise([*moments, None]):
        assert at is not None
        turns.append(Turn(at, False))
        old_at = at + age
        if passed is not None and old_at <= passed and (following is None or old_at < following):
            turns.append(Turn(old_at, True))
    return timeline(turns)


def newer(
    moments: Sequence[datetime], age: timedelta, passed: datetime | None, first: datetime | None = None
) -> Timeline:
    """When there was one of these moments, and the last was not so long ago.

    `first`: of all, where earlier ones are no more known one by one. It is then taken that it held all the time.
    """
    if not moments:
        return [Turn(EVER, False)]
    after = (turn for turn in negated(older(moments, age, passed)) if turn.at > moments[0])
    return timeline([Turn(EVER, False), Turn(first or moments[0], True), *after])
