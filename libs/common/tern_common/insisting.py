"""Tries again what may succeed later, while the member stays in its group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, TypeVar

from tern_common.bus import Consumer
from tern_common.clock import Clock
from tern_common.errors import Transient
from tern_common.fetching import Fetching
from tern_common.logs import logger
from tern_common.meters import Meter

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
_ALIVE_EVERY_S = 1.0

R = TypeVar("R")


class Insisting:
    """Of one loop. While it waits the consumer is paused, and polled all the same."""

    def __init__(self, consumer: Consumer, fetching: Fetching[Any], clock: Clock, meter: Meter) -> None:
        self._consumer = consumer
        self._fetching = fetching
        self._clock = clock
        self._meter = meter

    async def on(self, step: Callable[[], Awaitable[R]], tries: int | None = None) -> R:
        """Tries until no `Transient` is raised, with growing pauses.

        Raises the last `Transient` after `tries`, where they are limited.
        """
        pause_s = FIRST_PAUSE_S
        for attempt in count(1):
            try:
                return await step()
            except Transient as wrong:
                self._meter.retried()
                if attempt == tries:
                    raise
                logger.warning("tried again soon", why=str(wrong), pause_s=pause_s)
            await self.wait(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        raise AssertionError("counting has no end")

    async def stay_alive(self) -> None:
        """To be called now and then by whoever does much without reading."""
        await self._fetching.stay_alive()
        self._consumer.resume()

    async def wait(self, seconds: float) -> None:
        """So long, as a member."""
        self._consumer.pause()
        left = seconds
        while left > 0:
            step = min(left, _ALIVE_EVERY_S)
            await self._clock.sleep(step)
            await self._fetching.stay_alive()
            left -= step
        self._consumer.resume()
