"""Loops and their supervisor. (Sockets, signals and the whole process: tests/integration/common.)"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import StringIO
from itertools import pairwise

import pytest

from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured, Transient
from tern_common.lifecycle import LoopEnded, _last_words, _supervise


class Flaky:
    """A loop that meets `failures` transient errors and then ends as told."""

    def __init__(self, failures: int, end: BaseException | None = None) -> None:
        self.begun = 0
        self._failures = failures
        self._end = end

    async def __call__(self) -> None:
        self.begun += 1
        if self.begun <= self._failures:
            raise Transient("the broker is away")
        if self._end:
            raise self._end


async def test_a_loop_that_meets_a_transient_error_begins_again_with_growing_pauses() -> None:
    clock, loop = ManualClock(), Flaky(10, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await _supervise("work", loop, clock)
    assert loop.begun == 11
    assert clock.monotonic() == pytest.approx(0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 + 4 * 5.0)


async def test_after_a_calm_time_the_pause_is_short_again() -> None:
    clock = ManualClock()
    pauses: list[float] = []

    async def loop() -> None:
        pauses.append(clock.monotonic())
        if len(pauses) == 4:
            raise ZeroDivisionError
        if len(pauses) == 3:
            await clock.sleep(60)
        raise Transient("away")

    with pytest.raises(ZeroDivisionError):
        await _supervise("work", loop, clock)
    assert [round(b - a, 3) for a, b in pairwise(pauses)] == [0.1, 0.2, 60.4]


async def test_a_loop_that_ends_is_a_bug() -> None:
    with pytest.raises(LoopEnded, match="work"):
        await _supervise("work", Flaky(0), ManualClock())


async def test_a_loop_that_is_cancelled_by_nobody_is_a_bug() -> None:
    """A library may let the cancellation of a task of its own out: the loop would be gone, and the process stay."""
    with pytest.raises(LoopEnded, match="work"):
        await _supervise("work", Flaky(0, asyncio.CancelledError()), ManualClock())


async def test_a_loop_can_be_cancelled(never: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(_supervise("work", never, ManualClock()))
    await asyncio.tasks.wait([task], timeout=0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_last_words_show_tern_errors_and_hide_what_libraries_quote(logged: StringIO) -> None:
    for error in (Misconfigured("TERN_HASH_KEY: is not set"), ValueError("ann@example.com"), KeyboardInterrupt()):
        _last_words(type(error), error, None)
    said = logged.getvalue()
    assert "TERN_HASH_KEY: is not set" in said
    assert "ValueError" in said
    assert "example.com" not in said
    assert "KeyboardInterrupt" not in said
