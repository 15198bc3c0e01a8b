"""The only place that asks the time, waits, or starts a timer.

`now` is domain time, UTC, and may be virtual outside production; `monotonic` and `sleep` are always real.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from. Everything that needs it takes one of these."""

    def now(self) -> datetime:
        """Domain time: timezone-aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start: for timeouts, leases and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits real seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualClock(SystemClock):
    """Real time plus an offset in seconds kept in a file, which all processes of a local stack share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = -1
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._read()

    def move_to(self, moment: datetime) -> None:
        """Moves every process that shares the file to `moment`. Time never goes back: an earlier moment is ignored."""
        ahead = moment - self.now()
        if ahead <= timedelta():
            return
        partial = self._path.with_suffix(".partial")
        partial.write_text(repr((self._read() + ahead).total_seconds()))
        partial.replace(self._path)

    def _read(self) -> timedelta:
        """The offset; read again whenever the file was replaced, since a jump must be seen at once by all."""
        try:
            stamp = os.stat(self._path).st_mtime_ns
        except FileNotFoundError:
            return self._offset
        if stamp != self._stamp:
            self._offset = timedelta(seconds=float(self._path.read_text()))
            self._stamp = stamp
        return self._offset


class ManualClock:
    """A clock that stands still until a test moves it; `sleep` moves it and yields once."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    def advance(self, by: timedelta) -> None:
        """Moves both domain and monotonic time."""
        self._now += by
        self._monotonic += by.total_seconds()


def clock_for(virtual_file: Path | None) -> SystemClock:
    """The machine's clock, or the virtual one when a file is named (never in production)."""
    return VirtualClock(virtual_file) if virtual_file else SystemClock()
