"""Identity alone, from preloaded topics: one instance and two, few partitions, one hot person, a large database.

Each drain counts from the moment at which every instance has applied a batch to the last commit. Before each, the
tables are emptied and the group begins anew; after each, every event must have been resolved.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import NamedTuple, cast

from load import cpu, pipeline_bench, scraped, stored, traffic
from load.audit import resolved_since
from load.drain_bench import floor_rate, preload
from load.rig import LOOK_S, Rig, Twin, Usage, seek
from tern_common.clock import SystemClock
from tern_common.events import Event
from tern_common.kafka import kafka_bus
from tern_common.topics import EVENTS, RESOLVED
from tern_local.folder import Folder
from tern_local.platform import open_platform
from tern_local.supervisor import Say

SERVICE = "identity"
EVENTS_COUNT = 200_000
PERSONS = 50_000
ROUNDS = 3
STORED = 1_000_000
FLOOR_AIM = 0.25
HOT = "customer-0"
_START_LIMIT_S = 60.0
_APPLIED = "tern_consumed_records_total"
_REFOLDS = "tern_identity_refolds_total"
_KNOWN = "tern_identity_known_events_total"


class Drained(NamedTuple):
    """Events per second, over how many, what that took, what identity's own processes took of it per event; its
    counters over all that was written, if it has any, and what it left behind."""

    rate: float
    events: int
    used: Usage
    own_us: float
    refolds: float | None
    known: float | None
    fragments: stored.Fragments

    def row(self, what: str) -> dict[str, object]:
        """Without floor and ratio."""
        figure = f"{self.rate:,.0f} events/s ({self.events:,} events), identity's own {self.own_us:.0f} µs"
        return {"what": f"identity, {what}", "figure": figure, **self.used.row(self.events)}

    @property
    def done(self) -> str:
        """Re-folds and known events per million, homes per customer."""
        refolds, known = (
            "–" if count is None else f"{count / EVENTS_COUNT * 1e6:,.0f}" for count in (self.refolds, self.known)
        )
        median, p99 = self.fragments
        return f"per million events {refolds} re-folds, {known} known; homes per customer: median {median}, p99 {p99}"


class Held(NamedTuple):
    """A drain, and the floor beside it, in rows per second."""

    drained: Drained
    floor: float

    @property
    def ratio(self) -> float:
        return self.drained.rate / self.floor


@dataclass(frozen=True)
class Written:
    """Events that stand in the topic from these offsets to its end."""

    events: Sequence[Event]
    starts: Mapping[int, int]


async def measure(say: Say) -> list[dict[str, object]]:
    """The identity table, on a platform of its own."""
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as data:
        async with (
            Folder(Path(data)) as folder,
            open_platform(folder, say) as platform,
            kafka_bus(platform.kafka, "bench") as bus,
        ):
            rig = Rig(platform, bus, SystemClock())
            twin = Twin(platform.servers[SERVICE], folder.ports([f"{SERVICE}-2"])[f"{SERVICE}-2"])
            return await _Bench(rig, twin, say).rows()


class _Bench:
    """The drains, one after another."""

    def __init__(self, rig: Rig, twin: Twin, say: Say) -> None:
        self._rig = rig
        self._twin = twin
        self._say = say

    async def rows(self) -> list[dict[str, object]]:
        """What is compared with each other is measured one right after the other."""
        self._say("the whole pipeline, to compare with")
        whole = cast(float, (await pipeline_bench.burst(self._rig))["rate"])
        await self._rig.only()
        even = await self._write(self._traffic())
        alone, both = await self._against_the_floor(even)
        one = alone.drained
        filled = await self._drain(even, f"{STORED:,} persons stored", persons=STORED)
        narrow = await self._drain(await self._write(self._traffic(), key=HOT), "one partition")
        hot = await self._drain(await self._write(self._traffic(hot=0.5)), "one hot person", ordered=HOT)
        return [
            {**one.row("one instance"), **_against(one.rate, alone.floor, FLOOR_AIM, "rows/s")},
            {**both.drained.row("two instances"), **_against(both.drained.rate, both.floor, FLOOR_AIM, "rows/s")},
            {**one.row("one instance, and the whole pipeline"), **_against(one.rate, whole, 1.6)},
            {**filled.row(f"{STORED:,} persons stored, and none"), **_against(filled.rate, one.rate, 0.8)},
            {**narrow.row("one partition, and eight"), **_against(narrow.rate, one.rate, 0.9)},
            {**hot.row("half of all events of one person, and even"), **_against(hot.rate, one.rate, 0.8)},
            {"what": "identity, what it did", "figure": one.done},
        ]

    async def _against_the_floor(self, written: Written) -> tuple[Held, Held]:
        """One instance and two, in rounds that alternate; of each the middle one counts."""
        alone, both = [], []
        before = await self._floor(written)
        for _ in range(ROUNDS):
            one = await self._drain(written, "one instance")
            between = await self._floor(written)
            two = await self._drain(written, "two instances", twice=True)
            after = await self._floor(written)
            alone.append(Held(one, mean((before, between))))
            both.append(Held(two, mean((between, after))))
            before = after
        return _middle(alone), _middle(both)

    async def _floor(self, written: Written) -> float:
        """Taken on both sides of what is held against it: a machine's pace changes within a minute."""
        return await floor_rate(self._rig, written.events)

    def _traffic(self, hot: float = 0.0) -> list[Event]:
        end = self._rig.clock.now()
        return list(traffic.events(seed=4, count=EVENTS_COUNT, end=end, persons=PERSONS, hot=hot))

    async def _write(self, events: Sequence[Event], key: str | None = None) -> Written:
        starts = await self._rig.bus.log.ends(EVENTS)
        await preload(self._rig, events, key)
        return Written(events, starts)

    async def _drain(
        self, written: Written, say: str, *, twice: bool = False, persons: int = 0, ordered: str = ""
    ) -> Drained:
        """Into tables with so many persons of others; `ordered`: whose events must stand in their order."""
        self._say(f"identity, {say}")
        await stored.fill(self._rig, persons)
        await seek(self._rig, SERVICE, EVENTS, written.starts)
        since = await self._rig.bus.log.ends(RESOLVED)
        await self._start(twice)
        drained = await self._timed(twice)
        await self._rig.only()
        await self._rig.platform.supervisor.rest(self._twin.name)
        found = await resolved_since(self._rig, since)
        found.verify(written.events, copies=twice)
        if ordered:
            found.verify_order(written.events, ordered)
        return drained

    async def _start(self, twice: bool) -> None:
        """Returns when each instance has applied a batch."""
        supervisor, first = self._rig.platform.supervisor, self._rig.platform.servers[SERVICE]
        await asyncio.gather(supervisor.wake(first), *([supervisor.wake(self._twin)] if twice else []))
        async with asyncio.timeout(_START_LIMIT_S):
            for address in self._addresses(twice):
                while not await scraped.counter(address, _APPLIED):
                    await self._rig.clock.sleep(LOOK_S)

    async def _timed(self, twice: bool) -> Drained:
        records, begun, own = await self._rig.behind(SERVICE), self._rig.usage(), self._own_s()
        await self._rig.drained([SERVICE])
        used, own = self._rig.usage().since(begun), self._own_s() - own
        refolds, known = [
            [await scraped.counter(address, name) for address in self._addresses(twice)] for name in (_REFOLDS, _KNOWN)
        ]
        return Drained(
            records / used.at,
            records,
            used,
            own / records * 1e6,
            _total(refolds),
            _total(known),
            await stored.fragments(self._rig),
        )

    def _addresses(self, twice: bool) -> list[str]:
        return [self._rig.platform.services[SERVICE], *([self._twin.address] if twice else [])]

    def _own_s(self) -> float:
        """CPU seconds of identity's processes."""
        pids = self._rig.platform.supervisor.pids()
        return cpu.seconds(pids[name] for name in (SERVICE, self._twin.name) if name in pids)


def _middle(rounds: Sequence[Held]) -> Held:
    """That with the median of the ratios, of an odd number."""
    return sorted(rounds, key=lambda held: held.ratio)[len(rounds) // 2]


def _total(found: Sequence[float | None]) -> float | None:
    counts = [one for one in found if one is not None]
    return sum(counts) if counts else None


def _against(rate: float, floor: float, aim: float, unit: str = "events/s") -> dict[str, object]:
    return {"floor": f"{floor:,.0f} {unit}", "ratio": round(rate / floor, 3), "aim": aim}
