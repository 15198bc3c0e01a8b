"""An event loop whose time passes only when there is nothing left to do: minutes of a shop take a blink of the eye."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar, cast

T = TypeVar("T")

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Stuck(AssertionError):
    """Nobody waits for a moment any more: all wait for each other."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs callbacks in the order in which they become due, and never waits for real."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        """As asyncio's, without a timer: nearly all of a world's turns are made of this."""
        awake = self.create_future()
        heappush(self._sleepers, (self._seconds + seconds, next(self._numbers), awake))
        await awake

    def skip(self, seconds: float | None) -> None:
        """Lets time pass until somebody wakes up, `seconds` of it at most. Raises `Stuck`."""
        until = None if seconds is None else self._seconds + seconds
        while self._sleepers and self._sleepers[0][2].done():  # cancelled
            heappop(self._sleepers)
        if self._sleepers and (until is None or self._sleepers[0][0] <= until):
            self._seconds, _, awake = heappop(self._sleepers)
            awake.set_result(None)
        elif until is None:
            raise Stuck("everybody waits, and nobody for a moment")
        else:
            self._seconds = until


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nobody writes to these sockets: what would be waited for has come when so much time has passed."""
        if timeout is None or timeout > 0:
            self._loop.skip(timeout)
        return []


class VirtualTime:
    """`clock.Clock` of a process in a simulation; made where its loop runs."""

    def __init__(self) -> None:
        self._loop = cast(VirtualLoop, asyncio.get_running_loop())

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._loop.sleep(seconds)
        else:
            await asyncio.sleep(0)  # noqa: TID251 - nobody's time passes


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` to its end in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
