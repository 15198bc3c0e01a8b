"""Quiet hours and best hours, in the customer's zone.

Both are spans between two instants, so days on which clocks are moved need no rules of their own: a time that the
clocks jump over is the first valid minute after it, and of a time that they show twice the first one counts.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tern_triggers.domain.arbiter.case import Case, Verdict, Way
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.moments import at_local
from tern_triggers.domain.policy import QuietHours
from tern_triggers.domain.zones import zone_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def quiet_until(at: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime | None:
    """The end of the quiet hours that `at` falls into; None outside of them."""
    today = at.astimezone(zone).date()
    over = DAY if quiet.end < quiet.begin else timedelta()
    for day in (today - DAY, today, today + DAY):
        begin, end = at_local(day, quiet.begin, zone), at_local(day + over, quiet.end, zone)
        if begin <= at < end:
            return end
    return None


def audible(case: Case, way: Way) -> Way | Verdict:
    """The channels that are not quiet now; deferred only where all of them are.

    Whoever can be reached now by a channel without quiet hours is not kept waiting for a better one: by the morning
    the reason may be gone. The quiet ones are named no more, so nobody sends by them at night.
    """
    silent = case.policy.arbiter.quiet
    if not any(channel in silent.channels for channel in way.open):
        return way
    end = quiet_until(case.moment, silent, zone_of(case.view, case.policy))
    if end is None:
        return way
    heard = tuple(channel for channel in way.open if channel not in silent.channels)
    if not heard:
        return case.wait(end, Why.QUIET)
    return Way(heard, tuple((channel, end) for channel in way.open if channel not in heard))


def best_hour(case: Case, way: Way) -> Way | Verdict:
    """For steps that ask for it: deferred, once, to the hour at which the customer is about most.

    Never past expiry, and never into hours in which the best channel is quiet: where no better hour is left before
    that, it goes now.
    """
    if not case.step.best_hour or _waited(case):
        return way
    at = _own_hour(case, way) if _knows_hours(case) else _shops_hour(case, way)
    return way if at is None else case.wait(at, Why.BEST_HOUR)


def _waited(case: Case) -> bool:
    deferral = case.candidate.deferral
    return deferral is not None and deferral.why is Why.BEST_HOUR


def _hours(case: Case) -> tuple[int, ...]:
    """Events by hour of the day, in UTC."""
    return next((voice.active_hours for voice in case.view.voices if len(voice.active_hours) == 24), ())


def _knows_hours(case: Case) -> bool:
    return sum(_hours(case)) >= case.policy.arbiter.best_hour.events


def _own_hour(case: Case, way: Way) -> datetime | None:
    """The beginning of the busiest hour ahead, the first of equals; None while it is this one."""
    counts, now = _hours(case), case.moment.astimezone(UTC)
    this = now.replace(minute=0, second=0, microsecond=0)
    ahead = [this + hours * HOUR for hours in range(1, 24)]
    better = [at for at in ahead if counts[at.hour] > counts[now.hour] and _is_good(case, way, at)]
    return max(better, key=lambda at: (counts[at.hour], -at.timestamp()), default=None)


def _shops_hour(case: Case, way: Way) -> datetime | None:
    zone, hour = zone_of(case.view, case.policy), time(case.policy.arbiter.best_hour.shop)
    today = case.moment.astimezone(zone).date()
    found = [at_local(day, hour, zone) for day in (today, today + DAY)]
    if any(at <= case.moment < at + HOUR for at in found):
        return None
    return next((at for at in found if at > case.moment and _is_good(case, way, at)), None)


def _is_good(case: Case, way: Way, at: datetime) -> bool:
    quiet = case.policy.arbiter.quiet
    if not case.in_time(at):
        return False
    return way.open[0] not in quiet.channels or quiet_until(at, quiet, zone_of(case.view, case.policy)) is None
