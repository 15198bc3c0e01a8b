"""An event loop whose time passes only when there is nothing left to do: minutes of a shop take a blink of the eye."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Stuck(AssertionError):
    """Nobody waits for a moment any more: all wait for each other."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs callbacks in the order in which they become due, and never waits for real."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._seconds

    def skip(self, seconds: float) -> None:
        """Lets so much time pass."""
        self._seconds += seconds


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nobody writes to these sockets: what would be waited for has come when so much time has passed."""
        if timeout is None:
            raise Stuck("everybody waits, and nobody for a moment")
        self._loop.skip(max(0.0, timeout))
        return []


class VirtualTime:
    """`clock.Clock` of a process in a simulation."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251 - the loop's time is virtual


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` to its end in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
