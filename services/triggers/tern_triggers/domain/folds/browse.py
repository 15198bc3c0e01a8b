"""The fold of looking around: views of products that led to no cart, no checkout and no order (triggers.md §4.2).

A cart event that changes nothing (a page that sends its cart again) ends nothing.
"""

from __future__ import annotations

from tern_triggers.domain.folds.carts import CartsTold
from tern_triggers.domain.folds.matching import Shelf, exit_of, moment_of, shown
from tern_triggers.domain.rules import Inactivity
from tern_triggers.domain.rules.reading import VIEWED
from tern_triggers.domain.story import Exit, Gone, Story


def browse_stories(rule: Inactivity, shelf: Shelf, carts: CartsTold) -> list[Story]:
    """The one story of what a customer looked at; none where it looked at nothing."""
    views = shelf.events(VIEWED)
    if not views:
        return []
    exits = (
        *(
            Exit(one.at, one.at, Gone.CARTED, one.message_id)
            for key in carts.keys
            for one in carts.of(key).cart.changes
        ),
        *(exit_of(fact, Gone.CHECKOUT) for fact in shelf.of("checkout")),
        *(exit_of(fact, Gone.ORDERED) for fact in shelf.of("order")),
    )
    gone_until = max((end.reach for end in exits), default=None)
    counted = [fact for fact in views if not (fact.passive and rule.ignores_history)] or views
    since = [fact for fact in counted if gone_until is None or fact.at > gone_until]
    return [
        Story(
            key="",
            activity=tuple(map(moment_of, views)),
            exits=exits,
            speaks=True,
            shown=shown({"views": len(since)}, counted[-1]),
        )
    ]
