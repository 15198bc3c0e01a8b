"""The fold of one checkout: begun by `Checkout Started`, over with the next change of its cart (triggers.md §5).

It is the other side of the cart's fold: whatever begins one ends the other, so at any time one of them has a reason.
Where a change and a checkout share an instant, the checkout came last. No state is handed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.carts import CartsTold, CartTold, ended_by, story_of
from tern_triggers.domain.folds.matching import moment_of
from tern_triggers.domain.moments import TICK
from tern_triggers.domain.story import Exit, Gone, Story


def checkout_stories(carts: CartsTold, anchors: Mapping[str, Sequence[datetime]], settle: timedelta) -> list[Story]:
    """The story of the checkouts of each cart of the customer, and of each further cart in `anchors`, by key."""
    return [_story(carts.of(key), anchors.get(key, ()), settle) for key in sorted({*carts.keys, *anchors})]


def _of_something(told: CartTold) -> list[Fact]:
    """Whoever begins to pay for nothing that anybody knows of leaves nothing behind."""
    listed = next((place for place, fact in enumerate(told.checkouts) if fact.body.items), len(told.checkouts))
    return [fact for place, fact in enumerate(told.checkouts) if place >= listed or told.cart.held_something(fact.at)]


def _story(told: CartTold, anchors: Sequence[datetime], settle: timedelta) -> Story:
    begun = tuple(map(moment_of, _of_something(told)))
    changed = (Exit(one.at, one.at - TICK, Gone.CHANGED, one.message_id) for one in told.cart.changes)
    return story_of(told, begun, (*changed, *ended_by(told, begun, anchors, settle)), speaks=bool(begun and told.lines))
