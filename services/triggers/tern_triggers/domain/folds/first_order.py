"""The fold of the first order: a kept order that no kept order came before, in any lane (triggers.md §4.2).

Its own refund or cancellation ends it, and so does any other kept order: before it, it was not the first; after it, it
is not the only one. Either is for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.folds.matching import moment_of
from tern_triggers.domain.folds.orders import Move, first_statements, reversals
from tern_triggers.domain.moments import ALWAYS
from tern_triggers.domain.story import Exit, Gone, ReasonShown, Story


def first_order_stories(facts: Sequence[Fact], decided: Iterable[str]) -> list[Story]:
    """The story of the first kept order, of the first of all, and of those in `decided`: others were never the first.

    `decided`: order_ids of decisions.
    """
    orders = first_statements(facts)
    if not orders:
        return []
    reversed_by = first_reversals(reversals(facts, orders))
    kept = sorted((fact for key, fact in orders.items() if key not in reversed_by), key=_by_time)
    asked = {*(fact.key for fact in kept[:1]), min(orders.values(), key=_by_time).key, *decided}
    return [_story(orders[key], reversed_by.get(key), kept) for key in sorted(asked & orders.keys())]


def first_reversals(found: Iterable[tuple[str, Move]]) -> Mapping[str, Move]:
    """order_id → what took the order back first."""
    first: dict[str, Move] = {}
    for order_id, move in found:
        first.setdefault(order_id, move)
    return first


def _by_time(fact: Fact) -> tuple[object, str]:
    return fact.at, fact.message_id


def _story(order: Fact, taken_back: Move | None, kept: Sequence[Fact]) -> Story:
    """Of other kept orders the first says all, unless it is this one: then the second."""
    other = next((fact for fact in kept[:2] if fact.key != order.key), None)
    ends = [
        *([] if taken_back is None else [Exit(taken_back.at, ALWAYS, taken_back.why, taken_back.message_id)]),
        *([] if other is None else [Exit(other.at, ALWAYS, Gone.ORDERED, other.message_id)]),
    ]
    total = order.body.total
    return Story(
        key=order.key,
        activity=(moment_of(order),),
        exits=tuple(ends),
        speaks=True,
        value=total or Decimal(0),
        shown=ReasonShown({"order_id": order.key} if total is None else {"order_id": order.key, "total": str(total)}),
    )
