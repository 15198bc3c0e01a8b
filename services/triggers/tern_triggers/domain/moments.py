"""Arithmetic of instants: rounds and the two ends of time. Knows nothing of what happens at them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime.min.replace(tzinfo=UTC)
TICK = timedelta(microseconds=1)
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
