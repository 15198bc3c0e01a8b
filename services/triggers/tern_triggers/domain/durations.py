"""Durations as people write them in rules and policies: `2s`, `5m`, `1h30m`, `90d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,8})s)?")


def parse_duration(written: object) -> timedelta:
    """The duration that a text states. Raises ValueError with what to write instead."""
    if isinstance(written, timedelta):
        return written
    match = _WRITTEN.fullmatch(written.strip()) if isinstance(written, str) and written.strip() else None
    if match is None:
        raise ValueError("write a duration such as 30s, 5m, 1h30m or 90d")
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    return timedelta(seconds=sum(int(count) * unit for count, unit in parts if count))


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back, to the second."""
    left = int(duration.total_seconds())
    text = ""
    for unit, seconds in _UNITS.items():
        count, left = divmod(left, seconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]
