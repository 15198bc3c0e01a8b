"""What a fold tells about one key of one rule: the activity, and the moments at which the reason was gone.

All kinds of `inactivity` come down to this, so that cycles, steps, refutation and explanation need no cases.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate, islice
from typing import NamedTuple

import msgspec

from tern_common.commerce import Item
from tern_triggers.domain.moments import NEVER


class Gone(StrEnum):
    """Why a reason was gone. Part of the contract. `ERASED`: whom it was about is to be forgotten."""

    ORDERED = "ordered"
    EMPTIED = "emptied"
    CHECKOUT = "checkout"
    REFUNDED = "refunded"
    CANCELLED = "order-cancelled"
    CARTED = "carted"
    CHANGED = "cart-changed"
    SEEN = "seen-again"
    EXIT = "exit-event"
    LEFT = "left-class"
    ERASED = "erased"


class Moment(NamedTuple):
    """An event that starts or resets. Ordered by time, then message id."""

    at: datetime
    message_id: str
    home_id: str
    passive: bool = False


class Exit(NamedTuple):
    """An event at `at` that ends what was going on. Activity up to and including `reach` belongs to what it ended."""

    at: datetime
    reach: datetime
    why: Gone
    message_id: str


class CartShown(msgspec.Struct, frozen=True):
    """The contents of a cart, as its holder's own events tell them."""

    cart_id: str
    items: tuple[Item, ...]
    total: Decimal | None


class OrdersShown(msgspec.Struct, frozen=True):
    """The kept orders behind a recall."""

    kept: int
    last_order_id: str
    last_order_at: datetime
    threshold: timedelta


class ReasonShown(msgspec.Struct, frozen=True):
    """What led here, of rules that are about neither carts nor orders: counts and words, the product, the category."""

    facts: dict[str, str | int | float | bool]
    product_id: str | None = None
    category: str | None = None


Shown = CartShown | OrdersShown | ReasonShown


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """`activity` ascends; `exits` are in no order. `speaks`: whether this customer may be told about it at all.

    `resets`, ascending, restart a running wait and begin none. `wait` replaces the first step's `after` where the
    customer has one of its own. `about` is empty where cycles follow each other under one key, told apart by x*; else
    it names the one reason that the story is of (an event's message id, a year, a class's `since`): its decisions are
    those that have the same, whatever home they stand under. `ref` is the cycle's reference where it is not the
    message id of its start.
    """

    key: str
    activity: tuple[Moment, ...]
    exits: tuple[Exit, ...]
    speaks: bool
    resets: tuple[Moment, ...] = ()
    about: str = ""
    ref: str | None = None
    wait: timedelta | None = None
    value: Decimal = Decimal(0)
    shown: Shown | None = None

    @property
    def gone_until(self) -> datetime:
        """x*: the last moment at which the reason was gone (triggers.md §1)."""
        return max((end.reach for end in self.exits), default=NEVER)


class Ended(NamedTuple):
    """A cycle that its exit closed. `last`: its last start or reset."""

    start: Moment
    last: Moment
    end: Exit


def last_ended(story: Story, *, ignore_passive: bool) -> Ended | None:
    """The newest cycle that an exit closed, for the log alone: it says why nothing was decided."""
    if not story.exits:
        return None
    closing = _Closing(story.exits)
    cycle: list[Moment] = []
    final: Exit | None = None
    for moment in reversed(story.activity):
        end = None if ignore_passive and moment.passive else closing.of(moment)
        if end is None:
            continue
        if final is not None and end != final:
            break
        final = end
        cycle.append(moment)
    if final is None:
        return None
    start, last = cycle[-1], cycle[0]
    resets = (one for one in story.resets if start.at < one.at <= final.at and not (ignore_passive and one.passive))
    return Ended(start, max([last, *resets]), final)


class _Closing:
    """The exits in order, so that each moment finds its own by halving: there may be thousands of both."""

    def __init__(self, exits: Iterable[Exit]) -> None:
        self._exits = sorted(exits)
        self._reached = list(accumulate((end.reach for end in self._exits), max))

    def of(self, moment: Moment) -> Exit | None:
        """The first exit at or after the moment; None while nothing closed it, or where it is only an exit's echo."""
        place = bisect_left(self._exits, (moment.at,))
        if place and self._reached[place - 1] >= moment.at:
            return None
        return next((end for end in islice(self._exits, place, None) if end.reach >= moment.at), None)
