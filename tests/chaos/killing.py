"""Kills with -9: whole processes and sessions of the database at random, and whoever reaches a failpoint."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from support.processes import descendants
from tern_common.clock import SystemClock
from tern_common.failpoints import POINTS
from tern_local.platform import Platform

DECK = ("ingest", "identity", "profile", "triggers", "identity", "profile", "triggers", "kafka", "postgres", "backend")
"""Each once before any comes again. A backend is one session of the database: its death makes all others end too."""
PAUSE_S = (1.5, 4.5)
ARMED_AT_MOST_S = 10.0
PATIENCE_S = 9.0
"""So long a blow waits for the platform to be on its feet again: a dead member keeps its partitions for six seconds."""
MERCY = 0.8
"""So often one waits at all."""
_POLL_S = 0.05
_ENDED = re.compile(r"(\w+) ended with (-?\d+);")


class Deaths:
    """What was told of the ends of processes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.killed: Counter[str] = Counter()
        self.at_points: Counter[str] = Counter()

    def say(self, line: str) -> None:
        """The supervisor's ear."""
        self.lines.append(line)

    def by_themselves(self) -> list[str]:
        """Processes that ended without being killed."""
        found = [match for line in self.lines if (match := _ENDED.match(line))]
        return [match[0] for match in found if int(match[2]) != -signal.SIGKILL]


class Trouble:
    """Of one platform, for some seconds."""

    def __init__(
        self, platform: Platform, failpoints: Path, seed: int, deaths: Deaths, stands: Callable[[], bool]
    ) -> None:
        self._platform = platform
        self._failpoints = failpoints
        self._random = Random(f"{seed}/trouble")
        self._points = Random(f"{seed}/points")
        self._clock = SystemClock()
        self._deaths = deaths
        self._stands = stands

    async def kill_at_random(self, seconds: float) -> None:
        """One after the other."""
        over = self._clock.monotonic() + seconds
        for victim in _shuffled(DECK, self._random):
            await self._clock.sleep(self._random.uniform(*PAUSE_S))
            if self._random.random() < MERCY:
                await self._recovery(over)
            if self._clock.monotonic() > over:
                return
            if self._kill(victim):
                self._deaths.killed[victim] += 1

    def _kill(self, victim: str) -> bool:
        pid = self._platform.supervisor.pids()["postgres" if victim == "backend" else victim]
        if victim == "backend":
            sessions = sorted(descendants(pid))
            if not sessions:
                return False
            pid = self._random.choice(sessions)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    async def kill_at_points(self, seconds: float) -> None:
        """One point after the other is armed, until somebody has died of it or it has been for too long."""
        over = self._clock.monotonic() + seconds
        for point in _shuffled(POINTS, self._points):
            if self._clock.monotonic() > over:
                return
            await self._arm(self._failpoints / point, self._points.choice([1, 1, 2, 3]), over)

    async def _recovery(self, over: float) -> None:
        """Until all of it is at work, for some seconds at most."""
        until = min(over, self._clock.monotonic() + PATIENCE_S)
        while not self._stands() and self._clock.monotonic() < until:
            await self._clock.sleep(_POLL_S)

    async def _arm(self, point: Path, times: int, over: float) -> None:
        _write(point, times)
        until = min(over, self._clock.monotonic() + ARMED_AT_MOST_S)
        while self._clock.monotonic() < until and _is_armed(point):
            await self._clock.sleep(_POLL_S)
        if _disarmed(point):
            return
        self._deaths.at_points[point.name] += 1
        await self._clock.sleep(self._points.uniform(0.2, 1.5))
        if self._points.random() < MERCY:
            await self._recovery(over)


def _write(point: Path, times: int) -> None:
    """As a whole: processes look at it all the time."""
    partial = point.with_suffix(".partial")
    partial.write_text(str(times))
    partial.replace(point)


def _is_armed(point: Path) -> bool:
    return point.exists()


def _disarmed(point: Path) -> bool:
    """Whether it was still armed: nobody has died of it."""
    try:
        point.unlink()
    except FileNotFoundError:
        return False
    return True


def _shuffled(names: Sequence[str], random: Random) -> Iterator[str]:
    """Endless: all of them in some order, again and again."""
    while True:
        yield from random.sample(names, len(names))
