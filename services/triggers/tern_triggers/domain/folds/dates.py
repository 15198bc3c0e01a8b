"""Rules of kind `date`: a date of the profile comes round, once or every year, at a time of the customer's own day.

Each time is a reason of its own, known by its period: the year, or the date itself where it comes but once. So a date
that is edited speaks no second time in a year (triggers.md §4.2, §12).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tern_common.events import FIRST_YEAR, LAST_YEAR
from tern_triggers.domain.facts import Said
from tern_triggers.domain.moments import at_local
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Date
from tern_triggers.domain.story import Moment, ReasonShown, Story
from tern_triggers.domain.view import Verdicts, View
from tern_triggers.domain.zones import zone_of

YEAR = timedelta(days=366)
WITHOUT_YEAR = "--"
"""Begins a date of which nobody knows the year: `--02-28`."""


def date_stories(rule: Date, view: View, policy: Policy, now: datetime) -> list[Story]:
    """The times that are not over for good, up to the first that is still to come. `now`: what is over goes by it."""
    said = None if view.profile is None else said_at(view.profile, rule.date)
    if said is None or not view.homes:
        return []
    zone, last = zone_of(view, policy), rule.steps[-1]
    found = []
    for period, day in _times(rule, said, zone, now - last.after - last.expires_after):
        at = at_local(day - timedelta(days=rule.days_before), rule.at, zone)
        if at + last.after + last.expires_after >= now:
            found.append(_story(period, day, at, min(view.homes)))
        if at > now:
            break
    return found


def said_at(profile: Verdicts, path: str) -> Said | None:
    """What a profile says at `traits.<name>` or `computed.<name>`."""
    where, _, name = path.partition(".")
    if where == "traits":
        return profile.traits.get(name)
    computed = profile.computed.get(name)
    return None if computed is None else computed.value


def _times(rule: Date, said: Said, zone: ZoneInfo, oldest: datetime) -> Iterator[tuple[str, date]]:
    """(period, day), ascending, from about `oldest` on. A date that comes once and is out of all calendars is none: so
    programs write that there is none (0001-01-01) and that it never comes (9999-12-31)."""
    read = _read(said, zone)
    if read is None:
        return iter(())
    year, month, day = read
    if not rule.yearly:
        if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
            return iter(())
        once = date(year, month, day)
        return iter([(once.isoformat(), once)])
    first = (oldest - YEAR - timedelta(days=1)).year
    years = range(first if year is None else max(first, year + 1), date.max.year)
    return ((str(one), _in_year(one, month, day)) for one in years)


def _in_year(year: int, month: int, day: int) -> date:
    """Who was born on 29 February has a birthday on the 28th in other years."""
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, month, day - 1)


def _read(said: Said, zone: ZoneInfo) -> tuple[int | None, int, int] | None:
    """(year, month, day): of a date, of a moment as the customer's clocks show it, or without a year."""
    if not isinstance(said, str):
        return None
    try:
        if said.startswith(WITHOUT_YEAR):
            leap = date.fromisoformat(f"2000-{said.removeprefix(WITHOUT_YEAR)}")
            return None, leap.month, leap.day
        moment = datetime.fromisoformat(said)
        found = moment.astimezone(zone) if moment.tzinfo is not None else moment
    except (ValueError, OverflowError):
        return None
    return found.year, found.month, found.day


def _story(period: str, day: date, at: datetime, home: str) -> Story:
    ref = f"{home}|{period}"
    return Story(
        key="",
        activity=(Moment(at, ref, home),),
        exits=(),
        speaks=True,
        about=period,
        ref=ref,
        shown=ReasonShown({"date": day.isoformat(), "period": period}),
    )
