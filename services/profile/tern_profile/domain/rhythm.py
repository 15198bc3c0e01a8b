"""At which hours a customer is about, and in which zone his devices say they are. Knows no zone's rules.

What moves with every event is small and kept apart: the hours of the newest day, and the zone that the newest day's
first word named. Hours of earlier days are settled: they stand with what moves slowly.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

HOURS = 24

Hours = dict[int, int]
"""Hour of the day (0–23, UTC) → events."""

Days = dict[int, Hours]
"""Day (the proleptic ordinal of its date in UTC) → its hours."""


class ZoneSaid(Struct, array_like=True, frozen=True, order=True):
    """A zone that an event's context named."""

    at: datetime
    message_id: str
    zone: str


class Rhythm(Struct, omit_defaults=True):
    """Of the newest day. Day 0: no event yet."""

    day: int = 0
    hours: Hours = {}
    zone: ZoneSaid | None = None


def of_event(at: datetime, message_id: str, zone: str | None) -> Rhythm:
    """What one event says."""
    moment = at if at.tzinfo is UTC else at.astimezone(UTC)
    said = None if zone is None else ZoneSaid(moment, message_id, zone)
    return Rhythm(moment.toordinal(), {moment.hour: 1}, said)


def absorb(into: Rhythm, other: Rhythm) -> tuple[int, Hours] | None:
    """Adds `other` to `into`, and returns the hours of the older day, where there are two: they are settled now."""
    if other.zone is not None:
        into.zone = _spoken(into.zone, other.zone)
    if into.day == other.day:
        _add(into.hours, other.hours)
        return None
    if into.day > other.day:
        return (other.day, other.hours) if other.day else None
    settled = (into.day, into.hours) if into.day else None
    into.day, into.hours = other.day, dict(other.hours)
    return settled


def _spoken(a: ZoneSaid | None, b: ZoneSaid) -> ZoneSaid:
    """The first word of the later day: it moves at most once a day, however often the zone is said."""
    if a is None or a.at.toordinal() < b.at.toordinal():
        return b
    return a if a.at.toordinal() > b.at.toordinal() else min(a, b)


def settle(into: Days, day: int, hours: Hours) -> None:
    """Adds the hours of a day."""
    known = into.get(day)
    if known is None:
        into[day] = dict(hours)
    else:
        _add(known, hours)


def newest(days: Days, most: int) -> None:
    """Keeps the `most` newest days. A day that is kept of a union is kept of each part: so all its hours are there."""
    if len(days) > most:
        for day in sorted(days)[:-most]:
            del days[day]


def histogram(days: Mapping[int, Hours]) -> tuple[int, ...]:
    """Events by hour of the day, of all these days; empty when there are none."""
    if not days:
        return ()
    counts = [0] * HOURS
    for hours in days.values():
        for hour, count in hours.items():
            counts[hour] += count
    return tuple(counts)


def _add(into: Hours, other: Hours) -> None:
    for hour, count in other.items():
        into[hour] = into.get(hour, 0) + count
