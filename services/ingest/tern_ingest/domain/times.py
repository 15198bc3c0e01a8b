"""When it happened: reading the times that clients write, and correcting their clocks (architecture §5)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from tern_common.errors import Unusable
from tern_common.events import FIRST_YEAR

CLOCK_IS_WRONG_ABOVE = timedelta(minutes=2)
OLDEST = timedelta(days=-30)
NEWEST = timedelta(minutes=5)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_USUAL = 24
_LONGEST = 64
_FIRST_MILLISECONDS = 1e11
_ALL_DIGITS = re.compile(r"-?[0-9]{9,20}(\.[0-9]+)?", re.ASCII)
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}", re.ASCII)
_ORDINAL = re.compile(r"([0-9]{4})-?([0-9]{3})(?![0-9-])(.*)", re.ASCII)
_MIDNIGHT = re.compile(r"([T ])24(:?00(?::?00(?:[.,]0+)?)?)?(?=Z|[+-]|$)", re.ASCII)
_LEAP_SECOND = re.compile(r"([T ][0-9]{2}:?[0-9]{2}:?)60", re.ASCII)


def event_time(happened: datetime | None, sent: datetime | None, received: datetime) -> datetime:
    """`timestamp`, else `sent_at`, else `received_at`; moved by the client's skew if it exceeds two minutes; clamped.

    A skew below that stays: a retry sets a new `sentAt`, so correcting it would give copies of one event two times.
    """
    if sent is None and happened is not None and OLDEST <= happened - received <= NEWEST:
        return happened
    base = received
    if sent is not None and abs(received - sent) > CLOCK_IS_WRONG_ABOVE:
        base = sent
    ago = (happened or sent or received) - base
    return received + min(max(ago, OLDEST), NEWEST)


def history_time(happened: datetime | None, sent: datetime | None, received: datetime) -> datetime:
    """Of an event of the past: as it says itself, however long ago, and the same whenever it is brought in again.

    When a file was written says nothing of a clock, so nothing is corrected. Raises `Unusable` for an event that says
    no time, which would happen now and once more with each import, and for one of the future.
    """
    moment = happened or sent
    if moment is None:
        raise Unusable("timestamp-missing")
    if moment - received > NEWEST:
        raise Unusable("timestamp-in-the-future")
    if moment.year < FIRST_YEAR:
        raise Unusable("timestamp-too-old")
    return moment


def read_time(said: object) -> datetime | None:
    """A moment in UTC from an ISO 8601 text or a Unix time (s, ms, µs or ns, told apart by size); else None.

    A text without a zone is taken to be UTC. Callers decide about null and "" before.
    """
    if isinstance(said, str):
        if len(said) == _USUAL and said[-1] == "Z" and (moment := _usual(said)):
            return moment
        text = said.strip()
        if len(text) > _LONGEST:
            return None
        return _from_unix(float(text)) if _ALL_DIGITS.fullmatch(text) else _from_iso(text)
    if isinstance(said, int | float) and not isinstance(said, bool):
        return _from_unix(said)
    return None


def _usual(text: str) -> datetime | None:
    """`2026-11-22T10:00:00.000Z`, which JavaScript and most SDKs write, at a fifth of the price."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _from_unix(number: float) -> datetime | None:
    """Seconds until 5138, and what is larger counts in thousandths of the unit before."""
    try:
        for _ in range(3):
            if abs(number) >= _FIRST_MILLISECONDS:
                number /= 1000
        return _EPOCH + timedelta(seconds=number)
    except (OverflowError, ValueError):
        return None


def _from_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _from_rare_iso(text.upper())
    return _in_utc(moment)


def _from_rare_iso(text: str) -> datetime | None:
    """What ISO 8601 allows and the standard library does not read; and `UTC` or `GMT` written out."""
    text = re.sub(r"\s*(?:UTC|GMT)$", "Z", text)
    if _MONTH.fullmatch(text):
        text += "-01"
    extra = timedelta()
    try:
        if ordinal := _ORDINAL.fullmatch(text):
            year, day, rest = ordinal.groups()
            text = f"{_day_of_year(int(year), int(day))}{rest}"
        if _MIDNIGHT.search(text):
            text, extra = _MIDNIGHT.sub(r"\g<1>00\g<2>", text), _DAY
        if _LEAP_SECOND.search(text):
            text, extra = _LEAP_SECOND.sub(r"\g<1>59", text), timedelta(seconds=1)
        return _in_utc(datetime.fromisoformat(text) + extra)
    except (ValueError, OverflowError):
        return None


def _day_of_year(year: int, day: int) -> date:
    found = date(year, 1, 1) + timedelta(days=day - 1)
    if found.year != year:
        raise ValueError(day)
    return found


def _in_utc(moment: datetime) -> datetime | None:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
