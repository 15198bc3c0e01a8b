"""Durations as people write them in rules, policies and commands: `30s`, `5m`, `1h30m`, `90d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

LONGEST = timedelta(days=366 * 100)
"""So that a moment and a duration make a moment."""

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile("".join(rf"(?:(\d{{1,10}}){unit})?" for unit in _UNITS), re.ASCII)


def parse_duration(written: object) -> timedelta:
    """The duration that a text states, from nothing (`0s`) to a hundred years. Raises ValueError with what to write."""
    if isinstance(written, timedelta):
        return written
    match = _WRITTEN.fullmatch(written) if isinstance(written, str) and written else None
    if match is None:
        raise ValueError("write a duration such as 30s, 5m, 1h30m or 90d")
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    seconds = sum(int(count) * unit for count, unit in parts if count)
    if seconds > LONGEST.total_seconds():
        raise ValueError("a duration is at most a hundred years, 36600d")
    return timedelta(seconds=seconds)


def parse_span(written: str) -> timedelta:
    """The same, but more than nothing."""
    span = parse_duration(written)
    if not span:
        raise ValueError("a duration of nothing does nothing: write one such as 30s, 5m, 1h30m or 90d")
    return span


def format_duration(duration: timedelta) -> str:
    """A short text that `parse_duration` reads back, to the second; in days at the most, since 90d is not 12w6d."""
    left = int(duration.total_seconds())
    text = ""
    for unit in "dhms":
        count, left = divmod(left, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"


_SCHEMA = {"type": "string", "pattern": r"^(?=.)(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?$", "examples": ["1h30m"]}

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_SCHEMA),
]
