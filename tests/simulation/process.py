"""Processes that can be killed, frozen and started again, each with a network of its own moods."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import NamedTuple

from simulation.loop import VirtualTime
from tern_common.errors import Transient

Loop = Callable[[], Awaitable[None]]
RESTARTED_AFTER_S = 0.5


class Pace(NamedTuple):
    """How long things take, at most and as a rule, in seconds."""

    transaction_s: float = 0.04
    acknowledgement_s: float = 0.004


class Process:
    """Runs loops until it is killed. Between two calls of `io` nothing can happen to it: a transaction is atomic."""

    def __init__(self, name: str, random: Random, pace: Pace) -> None:
        self.name = name
        self.clock = VirtualTime()
        self.pace = pace
        self.random = random
        self.dead = False
        self._frozen_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, loops: dict[str, Loop]) -> None:
        """Starts the loops, each of which is tried again after what may pass."""
        self._tasks = [asyncio.get_running_loop().create_task(self._keep(loop)) for loop in loops.values()]

    def later(self, step: Loop) -> None:
        """Does something besides its loops, if it lives that long."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._once(step)))

    async def _once(self, step: Loop) -> None:
        await self.io(0.5)
        with suppress(Transient):
            await step()

    def kill(self) -> None:
        """As kill -9 does: it stops where it stands."""
        self.dead = True
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """Waits for the last of its tasks, however they end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def failed(self) -> BaseException | None:
        """What ended one of its loops, that nothing should end."""
        ended = (task for task in self._tasks if task.done() and not task.cancelled())
        return next((task.exception() for task in ended), None)

    def freeze(self, seconds: float) -> None:
        """Nothing of it goes on for so long; it does not know."""
        self._frozen_until = self.clock.monotonic() + seconds

    async def io(self, usual_s: float = 0.004) -> None:
        """A call to somewhere else: it takes its time, and sometimes very much of it."""
        slow = self.random.random() < 0.02
        longest = max(usual_s, min(50 * usual_s, 2.0)) if slow else usual_s
        await self.wait(self.random.random() * longest)

    async def wait(self, seconds: float) -> None:
        """So long, and until it is not frozen any more."""
        await self.clock.sleep(seconds)
        while self.clock.monotonic() < self._frozen_until:
            await self.clock.sleep(self._frozen_until - self.clock.monotonic())

    async def transaction(self) -> None:
        """Until one begins: it is one moment."""
        await self.io(self.pace.transaction_s)

    async def _keep(self, loop: Loop) -> None:
        while True:
            try:
                await loop()
            except Transient:
                await self.clock.sleep(RESTARTED_AFTER_S)
