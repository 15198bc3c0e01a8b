"""A consumer that gives way: the backfill lane reads little while the live lane is late, and nothing while it is behind
(triggers.md §2.4).

It polls on, so that its member stays in the group. What it has handed out is worked on to the end: the live lane is
never made to wait for a batch that is merely held. It never waits for anything that the backfill lane has to do, so
the two cannot wait for each other: on a virtual clock a jump makes the live lane old at once, the live lane catches up
by itself, and then this one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from tern_common.bus import Consumer, Dealt, Place, Poll
from tern_common.clock import Clock
from tern_common.lanes import BackfillPolicy
from tern_common.meters import gives_way

_PAUSE_S = 1.0
"""Between two batches while the live lane is late."""


class GivingWay:
    """`bus.Consumer` around another one. `live` tells up to when everything is safe in the live lane; None: unknown.

    How old that may be, in domain time, says `policy`. `loop` names it in the metrics.
    """

    def __init__(
        self, consumer: Consumer, live: Callable[[], datetime | None], clock: Clock, policy: BackfillPolicy, loop: str
    ) -> None:
        self._consumer = consumer
        self._live = live
        self._clock = clock
        self._policy = policy
        self._loop = loop
        self._paused = False
        self._rests_until = clock.monotonic()

    async def poll(self, limit: int, wait_s: float) -> Poll:
        waits = self._must_wait()
        gives_way(self._loop, waits)
        if not waits:
            found = await self._consumer.poll(limit, wait_s)
            if found.records:
                self._rests_until = self._clock.monotonic() + _PAUSE_S
            return found
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
        if live is None:
            return True
        age = self._clock.now() - live
        rests = self._clock.monotonic() < self._rests_until
        return age > self._policy.give_way_after or (age > self._policy.slow_after and rests)

    def holds(self, read: Dealt) -> bool:
        return self._consumer.holds(read)

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
