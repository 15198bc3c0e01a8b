"""Waiting for a condition, with a limit. Never for a time."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

from tern_common.clock import SystemClock

T = TypeVar("T")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.1
"""What has come at once is seen at once; what takes long is not asked for so often that it takes longer."""


@overload
async def eventually(condition: Callable[[], Awaitable[T]], timeout_s: float, what: str) -> T: ...
@overload
async def eventually(condition: Callable[[], T], timeout_s: float, what: str) -> T: ...
async def eventually(condition: Callable[[], T | Awaitable[T]], timeout_s: float, what: str) -> T:
    """The condition's first value that is true. Fails with `what` after `timeout_s`.

    The condition is asked at least once; what it raises is not caught.
    """
    clock = SystemClock()
    deadline = clock.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while True:
        answer = condition()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if clock.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout_s} s: {what} (last answer: {value!r})")
        await clock.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
