"""Triggers alone, from preloaded topics: all shipped rules and those of carts, each by one instance of one process and
of more, and by two instances.

What triggers read is made once, by identity and profile. Each drain counts from the moment at which every process has
applied a batch to the last commit. Before each, the tables are emptied and the group begins anew; after each, every
home and every fact about a cart must be there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from load import traffic
from load.drain_bench import PERSONS, floor_rate, preload
from load.fleet import Fleet, Fleets, fleets
from load.rig import READS, Rig, Usage, seek
from load.stored_agenda import Counted, counted, empty
from tern_common import commerce
from tern_common.clock import SystemClock
from tern_common.events import Event
from tern_common.kafka import kafka_bus
from tern_local.folder import Folder
from tern_local.platform import open_platform
from tern_local.supervisor import Say

SERVICE = "triggers"
EVENTS_COUNT = 100_000
AIM = 0.25
CARTS = "cart"
_OF_CARTS = (commerce.CartSaid, commerce.CheckoutSaid, commerce.OrderSaid)


class Drained(NamedTuple):
    """By whom; events per second, over how many, what that took, what triggers' own processes took of it per event, and
    what is stored then."""

    fleet: Fleet
    rate: float
    events: int
    used: Usage
    own_us: float
    left: Counted

    def row(self, rules: str, floor: float, aim: float | None) -> dict[str, object]:
        return {
            "what": f"triggers, {rules}, {self.fleet.words}",
            "figure": f"{self.rate:,.0f} events/s ({self.events:,} events), triggers' own {self.own_us:.0f} µs; "
            f"{self.left.facts:,} facts, {self.left.decisions:,} decisions",
            "floor": f"{floor:,.0f} rows/s",
            "ratio": round(self.rate / floor, 3),
            **({} if aim is None else {"aim": aim}),
            **self.used.row(self.events),
        }


async def measure(say: Say) -> list[dict[str, object]]:
    """The drains, on a platform of their own."""
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as data:
        async with (
            Folder(Path(data)) as folder,
            open_platform(folder, say) as platform,
            kafka_bus(platform.kafka, "bench") as bus,
        ):
            rig = Rig(platform, bus, SystemClock())
            port = folder.ports([f"{SERVICE}-2"])[f"{SERVICE}-2"]
            return await _Drains(rig, fleets(platform.servers[SERVICE], port), say).rows()


class _Drains:
    """One after another, over the same topics."""

    def __init__(self, rig: Rig, fleets: Fleets, say: Say) -> None:
        self._rig = rig
        self._fleets = fleets
        self._say = say
        self._expected = 0

    async def rows(self) -> list[dict[str, object]]:
        """All rules first: those of other families are then retired, for good."""
        rig = self._rig
        await rig.only()
        end = rig.clock.now()
        events = list(traffic.events(seed=6, count=EVENTS_COUNT, end=end, persons=PERSONS))
        self._expected = sum(isinstance(commerce.read(event), _OF_CARTS) for event in events)
        await self._make(events)
        rows = await self._drains("all shipped rules", events)
        await rig.only(SERVICE)
        await _retire(rig)
        await rig.only()
        return [*rows, *await self._drains("the cart rules alone", events)]

    async def _drains(self, rules: str, events: Sequence[Event]) -> list[dict[str, object]]:
        """By these rules. What one process does is told, and held against no aim."""
        floor = await floor_rate(self._rig, events)
        fleets = self._fleets
        return [
            (await self._drain(rules, fleet)).row(rules, floor, aim)
            for fleet, aim in ((fleets.instance, AIM), (fleets.instances, AIM), (fleets.process, None))
        ]

    async def _make(self, events: Sequence[Event]) -> None:
        """What triggers read, by those who make it."""
        self._say(f"{len(events):,} events, resolved and in profiles")
        await preload(self._rig, events)
        for service in ("identity", "profile"):
            await self._rig.only(service)
            await self._rig.drained([service])
        await self._rig.only()

    async def _drain(self, rules: str, fleet: Fleet) -> Drained:
        self._say(f"triggers, {rules}, {fleet.words}")
        await empty(self._rig)
        for group, topic in READS[SERVICE]:
            await seek(self._rig, group, topic, await self._rig.bus.log.starts(topic))
        await fleet.start(self._rig)
        drained = await self._timed(fleet)
        await fleet.stop(self._rig)
        if drained.left.of_carts != self._expected:
            raise AssertionError(f"{self._expected} events about carts, {drained.left.of_carts} facts")
        return drained

    async def _timed(self, fleet: Fleet) -> Drained:
        rig = self._rig
        whole = sum([await rig.ends(topic) for _, topic in READS[SERVICE]])
        records, begun, own = await rig.behind(SERVICE), rig.usage(), fleet.own_s(rig)
        await rig.drained([SERVICE])
        used, own = rig.usage().since(begun), fleet.own_s(rig) - own
        events = round(EVENTS_COUNT * records / whole)
        return Drained(fleet, events / used.at, events, used, own / events * 1e6, await counted(rig))


async def _retire(rig: Rig) -> None:
    """All rules but those of carts: by the door that people use, so that the files do not bring them back."""
    address, token = rig.platform.services[SERVICE], rig.platform.api_token
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=10, trust_env=False) as http:
        for rule in (await http.get("/v1/rules")).raise_for_status().json()["rules"]:
            if rule["family"] != CARTS:
                params = {"reason": "the bench measures without it"}
                (await http.delete(f"/v1/rules/{rule['rule']}", params=params)).raise_for_status()
