"""A consumer that gives way: the backfill lane reads nothing while the live lane is behind (triggers.md §2.4).

It polls on, so that its member stays in the group. What it has handed out is worked on to the end: the live lane is
never made to wait for a batch that is merely held. It never waits for anything that the backfill lane has to do, so
the two cannot wait for each other: on a virtual clock a jump makes the live lane old at once, the live lane catches up
by itself, and then this one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from tern_common.bus import Consumer, Place, Poll
from tern_common.clock import Clock
from tern_common.meters import gives_way


class GivingWay:
    """`bus.Consumer` around another one. `live` tells up to when everything is safe in the live lane; None: unknown.

    It waits while that is older than `after`, in domain time. `loop` names it in the metrics.
    """

    def __init__(
        self, consumer: Consumer, live: Callable[[], datetime | None], clock: Clock, after: timedelta, loop: str
    ) -> None:
        self._consumer = consumer
        self._live = live
        self._clock = clock
        self._after = after
        self._loop = loop
        self._paused = False

    async def poll(self, limit: int, wait_s: float) -> Poll:
        waits = self._must_wait()
        gives_way(self._loop, waits)
        if not waits:
            return await self._consumer.poll(limit, wait_s)
        self._consumer.pause()
        try:
            nothing = await self._consumer.poll(1, 0)
        finally:
            if not self._paused:
                self._consumer.resume()
        await self._clock.sleep(wait_s)
        return nothing

    def _must_wait(self) -> bool:
        live = self._live()
        return live is None or self._clock.now() - live > self._after

    def holds(self, poll: Poll) -> bool:
        return self._consumer.holds(poll)

    async def commit(self, ends: Mapping[Place, int]) -> None:
        await self._consumer.commit(ends)

    def pause(self) -> None:
        self._paused = True
        self._consumer.pause()

    def resume(self) -> None:
        self._paused = False
        self._consumer.resume()

    def assigned(self) -> frozenset[Place]:
        return self._consumer.assigned()
