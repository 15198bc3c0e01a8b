"""The platform under measurement: what is running, where, and how much CPU it used."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

from load import cpu
from tern_common.bus import Bus, Place
from tern_common.clock import SystemClock
from tern_common.kafka import kafka_bus
from tern_common.topics import EVENTS, EVENTS_BACKFILL, PROFILES, RESOLVED, RESOLVED_BACKFILL
from tern_local.platform import Platform

READS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "identity": (("identity", EVENTS), ("identity-backfill", EVENTS_BACKFILL)),
    "profile": (("profile", RESOLVED), ("profile-backfill", RESOLVED_BACKFILL)),
    "triggers": (("triggers", RESOLVED), ("triggers", PROFILES), ("triggers-backfill", RESOLVED_BACKFILL)),
}
"""service → its groups and what they read, in both lanes"""
CONSUMERS = tuple(READS)
VOID_ABOVE_CORES = 0.15
LOOK_S = 0.05
DRAIN_LIMIT_S = 120.0


class Usage(NamedTuple):
    """Seconds that passed, and CPU seconds: of the platform, of everything this run started, of the whole machine."""

    at: float
    platform: float
    own: float
    machine: float

    def since(self, earlier: Usage) -> Usage:
        """What was used between two moments."""
        return Usage(*(now - then for now, then in zip(self, earlier, strict=True)))

    def row(self, events: int) -> dict[str, object]:
        """What `events` cost the platform, broker and database included."""
        return {"cpu_us_per_event": round(self.platform / events * 1e6), **self.disturbance()}

    def disturbance(self) -> dict[str, object]:
        """Cores that the platform used, and processes that are not ours. A run that those disturbed is void."""
        foreign = max(0.0, self.machine - self.own) / self.at
        return {
            "cores": round(self.platform / self.at, 2),
            "foreign_cores": round(foreign, 2),
            "void": "disturbed" if foreign > VOID_ABOVE_CORES else "",
        }


@dataclass(frozen=True)
class Rig:
    """A platform whose consumers can be held back, and the bus to look at it from outside."""

    platform: Platform
    bus: Bus
    clock: SystemClock

    @property
    def ingest_port(self) -> int:
        return int(self.platform.services["ingest"].rpartition(":")[2])

    async def only(self, *names: str) -> None:
        """Stops every consumer that is not named; starts those that are."""
        await self.platform.supervisor.rest(*(name for name in CONSUMERS if name not in names))
        for name in names:
            if not await self.platform.servers[name].is_ready():
                await self.platform.supervisor.wake(self.platform.servers[name])

    def usage(self) -> Usage:
        """Up to now. Of processes that live: take both readings between two starts or stops."""
        return Usage(
            self.clock.monotonic(),
            cpu.seconds(self.platform.supervisor.pids().values()),
            cpu.seconds([os.getpid()]),
            cpu.system_busy(),
        )

    def by_process(self) -> Mapping[str, float]:
        """CPU seconds of each process of the platform, by its name."""
        return {name: cpu.seconds([pid]) for name, pid in self.platform.supervisor.pids().items()}

    async def ends(self, topic: str) -> int:
        """Records ever written to the topic."""
        return sum((await self.bus.log.ends(topic)).values())

    async def behind(self, *services: str) -> int:
        """Records that the services' groups have not committed."""
        return sum([await self.lag(*reading) for service in services for reading in READS[service]])

    async def lag(self, group: str, topic: str) -> int:
        """Records of the topic that the group has not committed."""
        ends, committed = await self.bus.log.ends(topic), await self.bus.log.committed(group, topic)
        return sum(end - committed.get(partition, 0) for partition, end in ends.items())

    async def drained(self, services: Sequence[str] = CONSUMERS, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Returns once the services have committed all there is, each one what the ones before it made of it."""
        deadline = self.clock.monotonic() + limit_s
        for service in services:
            while left := await self.behind(service):
                if self.clock.monotonic() > deadline:
                    raise TimeoutError(f"{service} is {left} records behind after {limit_s:.0f} s")
                await self.clock.sleep(LOOK_S)


def shares(since: Mapping[str, float], now: Mapping[str, float], events: int) -> str:
    """What each process took of an event between two readings, the dearest first."""
    used = {name: (seconds - since.get(name, 0.0)) / events * 1e6 for name, seconds in now.items()}
    return ", ".join(f"{name} {used[name]:.0f}" for name in sorted(used, key=used.__getitem__, reverse=True)) + " µs"


async def seek(rig: Rig, group: str, topic: str, starts: Mapping[int, int]) -> None:
    """Makes the group, which must have no members, begin at these offsets."""
    async with kafka_bus(rig.platform.kafka, "bench-seek") as bus:
        member = await bus.subscribe(group, [topic])
        while len(member.assigned()) < len(starts):
            await member.poll(1, LOOK_S)
        await member.commit({Place(topic, number): start for number, start in starts.items()})


class Loaded(TypedDict):
    """What `load.http_load` reports. `statuses`: how often each was answered, "0" for no answer. `answered`: when each
    request was, by the monotonic clock, if that was asked."""

    ok: int
    failed: int
    statuses: dict[str, int]
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    answered: list[float]


async def load(
    port: int, connections: int, seconds: float, rate: float, requests: Iterable[bytes] | bytes, *, when: bool = False
) -> Loaded:
    """What `try_load` does. Raises `AssertionError` when a request failed."""
    found = await try_load(port, connections, seconds, rate, requests, when=when)
    if found["failed"]:
        raise AssertionError(f"{found['failed']} requests failed: {found['statuses']}")
    return found


async def try_load(
    port: int, connections: int, seconds: float, rate: float, requests: Iterable[bytes] | bytes, *, when: bool = False
) -> Loaded:
    """Runs `load.http_load` in a process of its own; `when`: it notes when each request was answered."""
    words = [sys.executable, "-m", "load.http_load", *map(str, (port, connections, seconds, rate, int(when)))]
    with tempfile.TemporaryFile() as report:  # not a pipe, of which asyncio has lost the end
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, stdout=report, cwd=Path(__file__).parents[1]
        )
        await process.communicate(requests if isinstance(requests, bytes) else b"\0".join(requests))
        if process.returncode:
            raise RuntimeError(f"the load ended with {process.returncode}")
        report.seek(0)
        found: Loaded = json.load(report)
    return found
