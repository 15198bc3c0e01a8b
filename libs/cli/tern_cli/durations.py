"""Spans of time as people write them: `90d`, `1h30m`, `5400s`."""

from __future__ import annotations

import re
from datetime import timedelta

_PART = re.compile(r"(\d{1,9})([wdhms])", re.ASCII)
_WHOLE = re.compile(r"(?:\d{1,9}[wdhms])+", re.ASCII)
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_LONGEST = timedelta(days=366 * 100)


def duration(text: str) -> timedelta:
    """The span, more than nothing and at most a hundred years. Raises `ValueError` that shows how to write one."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no span of time: write it like 90d, 1h30m or 5400s")
    try:
        span = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        span = timedelta.max
    if not timedelta() < span <= _LONGEST:
        raise ValueError(f"{text!r} must be more than nothing and at most a hundred years")
    return span
