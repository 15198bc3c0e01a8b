"""Arithmetic of instants: rounds and the two ends of time. Knows nothing of what happens at them."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime.min.replace(tzinfo=UTC)
ALWAYS = datetime.max.replace(tzinfo=UTC)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
AT_ONCE = EPOCH
"""An agenda time that is always past: look at this customer now."""


def round_up(at: datetime, slot: timedelta) -> datetime:
    """The first multiple of `slot` since the epoch that is not before `at`."""
    over = (at - EPOCH) % slot
    return at + (slot - over) if over else at


def round_down(at: datetime, slot: timedelta) -> datetime:
    """The last multiple of `slot` since the epoch that is not after `at`."""
    return at - (at - EPOCH) % slot


def earliest(*moments: datetime | None) -> datetime | None:
    """The least of those that are given; None when none is."""
    return min((moment for moment in moments if moment is not None), default=None)


def at_local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which clocks in `zone` show this time of this day.

    A time that the clocks jump over becomes the first valid minute after it; of a time that they show twice the first
    counts (triggers.md §4.4).
    """
    shown = datetime.combine(day, at.replace(tzinfo=None))
    meant = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if meant.astimezone(zone).replace(tzinfo=None) == shown:
        return meant
    jumped = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    minutes = range(int((meant - jumped) / MINUTE) + 1)
    before = jumped.astimezone(zone).utcoffset()
    first = bisect_left(
        minutes, True, key=lambda minute: (jumped + minute * MINUTE).astimezone(zone).utcoffset() != before
    )
    return jumped + first * MINUTE
