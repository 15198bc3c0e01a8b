"""Identity alone, from preloaded topics: one instance of one process and of more, two instances, few partitions, one
hot person, a large database.

Each drain counts from the moment at which every process has applied a batch to the last commit. Before each, the
tables are emptied and the group begins anew; after each, every event must have been resolved. What drains are held
against is taken on both sides of them, and mostly in three rounds: a machine's pace changes within a minute.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import NamedTuple, cast

from load import pipeline_bench, stored, traffic
from load.audit import resolved_since
from load.drain_bench import floor_rate, preload
from load.fleet import Fleet, Fleets, fleets
from load.rig import Rig, Usage, seek
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
_REFOLDS = "tern_identity_refolds_total"
_KNOWN = "tern_identity_known_events_total"


class Drained(NamedTuple):
    """By whom; events per second, over how many, what that took, what identity's own processes took of it per event;
    its counters over all that was written, if it has any, and what it left behind."""

    words: str
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
    """A drain, and what it is held against, in `unit`s."""

    drained: Drained
    floor: float
    unit: str = "rows/s"

    @property
    def ratio(self) -> float:
        return self.drained.rate / self.floor

    def row(self, aim: float | None = None, what: str = "") -> dict[str, object]:
        aimed = {} if aim is None else {"aim": aim}
        held = {"floor": f"{self.floor:,.0f} {self.unit}", "ratio": round(self.ratio, 3), **aimed}
        return {**self.drained.row(what or self.drained.words), **held}


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
            port = folder.ports([f"{SERVICE}-2"])[f"{SERVICE}-2"]
            return await _Bench(rig, fleets(platform.servers[SERVICE], port), say).rows()


class _Bench:
    """The drains, one after another."""

    def __init__(self, rig: Rig, fleets: Fleets, say: Say) -> None:
        self._rig = rig
        self._fleets = fleets
        self._say = say

    async def rows(self) -> list[dict[str, object]]:
        """The whole pipeline before all else; then drains beside what they are held against, by one instance and two,
        the rest by one process."""
        self._say("the whole pipeline, to compare with")
        whole = cast(float, (await pipeline_bench.burst(self._rig))["rate"])
        await self._rig.only()
        even = await self._write(self._traffic())
        instance, instances = await self._against_the_floor(even)
        before = await self._floor(even)
        alone = await self._drain(even, self._fleets.process)
        process = Held(alone, mean((before, await self._floor(even))))
        filled, narrow, hot = await self._against_even()
        return [
            instance.row(FLOOR_AIM),
            instances.row(FLOOR_AIM),
            process.row(),
            Held(alone, whole, "events/s").row(1.6, "the same, and the whole pipeline"),
            filled.row(0.8, f"{STORED:,} persons stored, and none"),
            narrow.row(0.9, "one partition, and eight"),
            hot.row(0.8, "half of all events of one person, and even"),
            {"what": "identity, what it did", "figure": alone.done},
        ]

    async def _against_the_floor(self, written: Written) -> tuple[Held, Held]:
        """One instance and two, in rounds that alternate; of each the middle one counts."""
        alone, both = [], []
        before = await self._floor(written)
        for _ in range(ROUNDS):
            one = await self._drain(written, self._fleets.instance)
            between = await self._floor(written)
            two = await self._drain(written, self._fleets.instances)
            after = await self._floor(written)
            alone.append(Held(one, mean((before, between))))
            both.append(Held(two, mean((between, after))))
            before = after
        return _middle(alone), _middle(both)

    async def _against_even(self) -> list[Held]:
        """With many stored, from one partition, with one hot person: in rounds that alternate with even drains into
        empty tables; of each the middle one counts."""
        rounds = []
        before = await self._one()
        for _ in range(ROUNDS):
            found = [
                await self._one(persons=STORED),
                await self._one(key=HOT),
                await self._one(hot=0.5, ordered=HOT),
            ]
            after = await self._one()
            rounds.append([Held(one, mean((before.rate, after.rate)), "events/s") for one in found])
            before = after
        return [_middle(held) for held in zip(*rounds, strict=True)]

    async def _one(self, *, hot: float = 0.0, key: str | None = None, persons: int = 0, ordered: str = "") -> Drained:
        """By one process, of events of their own."""
        written = await self._write(self._traffic(hot), key)
        return await self._drain(written, self._fleets.process, persons=persons, ordered=ordered)

    async def _floor(self, written: Written) -> float:
        """Of the database, in rows per second."""
        return await floor_rate(self._rig, written.events)

    def _traffic(self, hot: float = 0.0) -> list[Event]:
        end = self._rig.clock.now()
        return list(traffic.events(seed=4, count=EVENTS_COUNT, end=end, persons=PERSONS, hot=hot))

    async def _write(self, events: Sequence[Event], key: str | None = None) -> Written:
        starts = await self._rig.bus.log.ends(EVENTS)
        await preload(self._rig, events, key)
        return Written(events, starts)

    async def _drain(self, written: Written, fleet: Fleet, *, persons: int = 0, ordered: str = "") -> Drained:
        """Into tables with so many persons of others; `ordered`: whose events must stand in their order."""
        self._say(f"identity, {fleet.words}")
        await stored.fill(self._rig, persons)
        await seek(self._rig, SERVICE, EVENTS, written.starts)
        since = await self._rig.bus.log.ends(RESOLVED)
        await fleet.start(self._rig)
        drained = await self._timed(fleet)
        await fleet.stop(self._rig)
        found = await resolved_since(self._rig, since)
        found.verify(written.events, copies=fleet.members > 1)
        if ordered:
            found.verify_order(written.events, ordered)
        return drained

    async def _timed(self, fleet: Fleet) -> Drained:
        records, begun, own = await self._rig.behind(SERVICE), self._rig.usage(), fleet.own_s(self._rig)
        await self._rig.drained([SERVICE])
        used, own = self._rig.usage().since(begun), fleet.own_s(self._rig) - own
        return Drained(
            fleet.words,
            records / used.at,
            records,
            used,
            own / records * 1e6,
            await fleet.counted(_REFOLDS),
            await fleet.counted(_KNOWN),
            await stored.fragments(self._rig),
        )


def _middle(rounds: Sequence[Held]) -> Held:
    """That with the median of the ratios, of an odd number."""
    return sorted(rounds, key=lambda held: held.ratio)[len(rounds) // 2]
