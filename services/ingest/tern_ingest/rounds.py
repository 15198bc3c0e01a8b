"""Natural batching across requests: what arrives while a write is under way is the next write, all of it together.

There is no timer. One write at a time costs the broker and this process one request for all partitions, however many
callers wait for it, and they wait on one event. Knows neither HTTP nor what the messages are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tern_common.bus import SEND_TIMEOUT_S, Message, Producer
from tern_common.clock import Clock
from tern_common.errors import Transient

_SHORTEST_S = 0.1


class _Round:
    """Messages that are written together, and who waits for them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.deadline = 0.0

    def end(self, failure: Transient | None) -> None:
        """Tells everyone who waits."""
        for waiter in self.waiting:
            if waiter.done():
                continue
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(failure)


class Rounds:
    """A `bus.Producer` in front of another. `run` must be running."""

    def __init__(self, producer: Producer, clock: Clock) -> None:
        self._producer = producer
        self._clock = clock
        self._next = _Round()
        self._asked = asyncio.Event()

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Returns when all are acknowledged. Raises `Transient`: then any of them may have been written, or may yet be.

        The first caller of a round sets its time: the others came later, so they wait less.
        """
        if not messages:
            return
        mine = self._next
        if not mine.messages:
            mine.deadline = self._clock.monotonic() + timeout_s
            self._asked.set()
        mine.messages.extend(messages)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine.waiting.append(waiter)
        await waiter

    async def run(self) -> None:
        """Writes round after round, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            now, self._next = self._next, _Round()
            await self._write(now)

    async def _write(self, now: _Round) -> None:
        failure: Transient | None = Transient("ingest is stopping")
        try:
            await self._producer.send(now.messages, max(_SHORTEST_S, now.deadline - self._clock.monotonic()))
            failure = None
        except Transient as wrong:
            failure = wrong
        finally:
            now.end(failure)
