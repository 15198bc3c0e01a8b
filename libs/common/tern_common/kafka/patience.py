"""How long senders wait. One timer serves all whose time is over at about the same moment: a timer of each one's own
costs more than all else that is done for it. Knows nothing of what they wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_TICK_S = 0.02

T = TypeVar("T")


class Patience(Generic[T]):
    """`over` is called for whoever still waits when his time is over, up to 20 ms early."""

    def __init__(self, over: Callable[[T], None]) -> None:
        self._over = over
        self._groups: dict[int, set[T]] = {}

    def begin(self, who: T, timeout_s: float) -> set[T]:
        """He waits from now on, for so many real seconds at most; to wait no more, leave the set."""
        loop = asyncio.get_running_loop()
        tick = int((loop.time() + timeout_s) / _TICK_S)
        group = self._groups.get(tick)
        if group is None:
            group = self._groups[tick] = set()
            loop.call_at(tick * _TICK_S, self._end, tick)
        group.add(who)
        return group

    def _end(self, tick: int) -> None:
        for who in tuple(self._groups.pop(tick)):
            self._over(who)
