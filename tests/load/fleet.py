"""Instances of one service, of one process each or of several workers, that share what it has to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from load import cpu, scraped
from load.rig import LOOK_S, READS, Rig
from support.groups import Hand, coordinators
from tern_common.bus import Place
from tern_local.children import Program
from tern_local.folder import HOST
from tern_local.supervisor import Kept

WORKERS = min(2, os.cpu_count() or 1)
"""Of one instance that takes all it can use here."""
_START_LIMIT_S = 60.0
_PORT = "TERN_HTTP_PORT"


class Instance:
    """A service with so many workers: instead of the platform's own or, at a port of its own, beside it. Nobody starts
    it again when it dies."""

    def __init__(self, service: Kept, workers: int = 1, port: int = 0) -> None:
        self.name = f"{service.name}-2" if port else service.name
        self.workers = workers
        self._service = service
        self._own = {f"TERN_{service.name.upper()}_WORKERS": str(workers), **({_PORT: str(port)} if port else {})}

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.program().environment[_PORT]}"

    def program(self) -> Program:
        """The platform's, with these settings."""
        first = self._service.program()
        return replace(first, name=self.name, environment={**first.environment, **self._own})

    async def is_ready(self) -> bool:
        return await scraped.is_ready(self.address)


@dataclass(frozen=True)
class Fleet:
    """Instances of a service, and in words what they are."""

    service: str
    words: str
    instances: Sequence[Instance]

    @property
    def members(self) -> int:
        """Processes that consume."""
        return sum(instance.workers for instance in self.instances)

    async def start(self, rig: Rig) -> None:
        """Returns when every process has partitions, and has applied a batch of them."""
        await asyncio.gather(*(rig.platform.supervisor.wake(instance) for instance in self.instances))
        async with asyncio.timeout(_START_LIMIT_S), coordinators(rig.platform.kafka) as hands:
            group = READS[self.service][0][0]
            begun: dict[Hand, Mapping[Place, int]] = {}
            while not _all_advance(self.members, await hands(group), await _committed(rig, group), begun):
                await rig.clock.sleep(LOOK_S)

    async def stop(self, rig: Rig) -> None:
        await rig.platform.supervisor.rest(*(instance.name for instance in self.instances))

    def own_s(self, rig: Rig) -> float:
        """CPU seconds of its processes, which must live."""
        pids = rig.platform.supervisor.pids()
        return cpu.seconds(pids[instance.name] for instance in self.instances)

    async def counted(self, name: str) -> float | None:
        """A counter, over all instances. What a worker counted in its last second is known to itself alone."""
        found = [await scraped.counter(instance.address, name) for instance in self.instances]
        return sum(one or 0.0 for one in found) if any(one is not None for one in found) else None


@dataclass(frozen=True)
class Fleets:
    """What is measured of a service that shares its topics."""

    process: Fleet
    instance: Fleet
    instances: Fleet


def fleets(service: Kept, port: int) -> Fleets:
    """`port`: of a second instance."""
    one = Instance(service)
    processes = "one process" if WORKERS == 1 else f"{WORKERS} processes"
    return Fleets(
        process=Fleet(service.name, "one instance of one process", [one]),
        instance=Fleet(service.name, f"one instance of {processes}", [Instance(service, WORKERS)]),
        instances=Fleet(service.name, "two instances of one process", [one, Instance(service, port=port)]),
    )


async def _committed(rig: Rig, group: str) -> dict[Place, int]:
    topics = [topic for of_service in READS.values() for reads, topic in of_service if reads == group]
    found = {topic: await rig.bus.log.committed(group, topic) for topic in topics}
    return {Place(topic, number): offset for topic, offsets in found.items() for number, offset in offsets.items()}


def _all_advance(
    members: int, hands: Sequence[Hand], committed: Mapping[Place, int], begun: dict[Hand, Mapping[Place, int]]
) -> bool:
    """Whether so many members have each committed something of their hand since it was dealt. `begun`: what each hand's
    places stood at when it was first seen."""
    for hand in hands:
        begun.setdefault(hand, committed)
    return len(hands) == members and all(
        any(committed.get(place, 0) > begun[hand].get(place, 0) for place in hand) for hand in hands
    )
