"""The fold of when somebody was seen: absence since the last time (triggers.md §4.2, "dormant").

The first event of each day and home starts a wait, which the next one ends. It speaks only for somebody who was known
on one of these days: an unknown browser that does not come back is nobody's absence.
"""

from __future__ import annotations

from tern_triggers.domain.folds.matching import Shelf
from tern_triggers.domain.moments import TICK
from tern_triggers.domain.story import Exit, Gone, Moment, ReasonShown, Story


def presence_stories(shelf: Shelf) -> list[Story]:
    """The one story of when a customer was seen; none where it never was."""
    days = shelf.of("seen")
    if not days:
        return []
    by_instant = {fact.at: fact for fact in sorted(days, key=lambda fact: (fact.at, fact.body.first))}
    moments = [Moment(fact.at, fact.body.first, fact.home_id, fact.passive) for fact in by_instant.values()]
    return [
        Story(
            key="",
            activity=tuple(moments),
            exits=tuple(Exit(one.at, one.at - TICK, Gone.SEEN, one.message_id) for one in moments),
            speaks=any(fact.body.known for fact in days),
            shown=ReasonShown({"last_seen": moments[-1].at.isoformat()}),
        )
    ]
