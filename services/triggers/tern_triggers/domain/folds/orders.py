"""The fold of a customer's orders: when the wait for the next one began, and how long it is (triggers.md §5).

An order's earliest statement counts. Each order, and each full refund or cancellation of a known one, ends the running
wait and starts the next. A refund restarts the wait at the refund: it never moves it back to an older order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from tern_triggers.domain.facts import Fact
from tern_triggers.domain.moments import TICK
from tern_triggers.domain.rules import Waits
from tern_triggers.domain.story import Exit, Gone, Moment, OrdersShown, Story

PERSONAL_FROM = 3
"""Kept orders that a median gap needs."""


class Move(NamedTuple):
    """A moment at which the wait starts anew."""

    at: datetime
    message_id: str
    home_id: str
    passive: bool
    why: Gone


def orders_story(facts: Sequence[Fact], waits: Waits) -> Story | None:
    """The one story about all orders of a customer; None where there was never an order."""
    orders = first_statements(facts)
    if not orders:
        return None
    taken_back = reversals(facts, orders)
    gone = {order_id for order_id, _ in taken_back}
    kept = sorted((o for order_id, o in orders.items() if order_id not in gone), key=lambda o: (o.at, o.message_id))
    moves = _moves([*(_move(order, Gone.ORDERED) for order in orders.values()), *(move for _, move in taken_back)])
    wait = threshold(waits, [order.at for order in kept])
    return Story(
        key="",
        activity=tuple(Moment(move.at, move.message_id, move.home_id, move.passive) for move in moves),
        exits=tuple(Exit(move.at, move.at - TICK, move.why, move.message_id) for move in moves),
        speaks=bool(kept),
        wait=wait,
        shown=OrdersShown(len(kept), kept[-1].key, kept[-1].at, wait) if kept else None,
    )


def threshold(waits: Waits, kept: Sequence[datetime]) -> timedelta:
    """The wait after the last move, given the times of the kept orders, ascending."""
    if waits.least is None or waits.most is None or len(kept) < PERSONAL_FROM:
        return waits.usual
    gaps = [(later - earlier) // TICK for earlier, later in pairwise(kept)]
    return max(waits.least, min(waits.most, int(2 * median(gaps)) * TICK))


def first_statements(facts: Iterable[Fact]) -> dict[str, Fact]:
    """order_id → the earliest statement of the order."""
    first: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda fact: (fact.at, fact.message_id)):
        if fact.kind == "order":
            first.setdefault(fact.key, fact)
    return first


def reversals(facts: Iterable[Fact], orders: Mapping[str, Fact]) -> list[tuple[str, Move]]:
    """(order_id, move) of each cancellation and full refund: no amount, or the sum so far reaches the order's total."""
    sums: dict[str, Decimal] = {}
    found = []
    for fact in sorted(facts, key=lambda fact: (fact.at, fact.message_id)):
        order = orders.get(fact.key)
        if order is None:
            continue
        if fact.kind == "cancel":
            found.append((fact.key, _move(fact, Gone.CANCELLED)))
        elif fact.kind == "refund" and _is_full(fact, order, sums):
            found.append((fact.key, _move(fact, Gone.REFUNDED)))
    return found


def _is_full(refund: Fact, order: Fact, sums: dict[str, Decimal]) -> bool:
    if refund.body.amount is None:
        return True
    sums[refund.key] = sums.get(refund.key, Decimal(0)) + refund.body.amount
    return order.body.total is not None and sums[refund.key] >= order.body.total


def _move(fact: Fact, why: Gone) -> Move:
    return Move(fact.at, fact.message_id, fact.home_id, fact.passive, why)


def _moves(moves: Iterable[Move]) -> list[Move]:
    """In order of time; of several at one instant the one with the greatest message id."""
    return list({move.at: move for move in sorted(moves)}.values())
