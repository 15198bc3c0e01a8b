"""The platform under measurement: what is running, where, and how much CPU it used."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from load import cpu
from tern_common.bus import Bus
from tern_common.clock import SystemClock
from tern_local.platform import Platform

CONSUMERS = ("identity", "profile", "triggers")
LOOK_S = 0.05
DRAIN_LIMIT_S = 600.0


@dataclass(frozen=True)
class Rig:
    """A platform whose consumers can be held back, and the bus to look at it from outside."""

    platform: Platform
    bus: Bus
    clock: SystemClock

    async def only(self, *names: str) -> None:
        """Stops every consumer that is not named; starts those that are."""
        await self.platform.supervisor.rest(*(name for name in CONSUMERS if name not in names))
        for name in names:
            if not await self.platform.servers[name].is_ready():
                await self.platform.supervisor.wake(self.platform.servers[name])

    def cpu_seconds(self) -> float:
        """Of all services, the broker and the database so far."""
        return cpu.seconds(self.platform.supervisor.pids().values())

    async def ends(self, topic: str) -> int:
        """Records ever written to the topic."""
        return sum((await self.bus.log.ends(topic)).values())

    async def behind(self, group: str, topics: Iterable[str]) -> int:
        """Records that the group has not committed."""
        left = 0
        for topic in topics:
            ends, committed = await self.bus.log.ends(topic), await self.bus.log.committed(group, topic)
            left += sum(end - committed.get(partition, 0) for partition, end in ends.items())
        return left

    async def drained(self, group: str, topics: Sequence[str]) -> float:
        """Real seconds until the group has committed all there is."""
        begun = self.clock.monotonic()
        while await self.behind(group, topics):
            if self.clock.monotonic() - begun > DRAIN_LIMIT_S:
                raise TimeoutError(f"{group} did not drain within {DRAIN_LIMIT_S:.0f} s")
            await self.clock.sleep(LOOK_S)
        return self.clock.monotonic() - begun


async def run_module(module: str, *arguments: object, given: bytes = b"") -> Mapping[str, float]:
    """Runs `python -m module` to its end; returns the JSON object that it prints."""
    words = [sys.executable, "-m", module, *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    printed, _ = await process.communicate(given)
    if process.returncode:
        raise RuntimeError(f"{module} ended with {process.returncode}")
    found: Mapping[str, float] = json.loads(printed)
    return found
