"""A world from a seed: a shop, a deployment, and what goes wrong with it; run to its end, and handed to the checks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from simulation import loop
from simulation.bus import Network
from simulation.flaws import Flaw
from simulation.identity import IdentityTables
from simulation.member import Member, Tables, member
from simulation.platform import begin
from simulation.process import Pace
from simulation.profile import ProfileTables
from simulation.rules import RULES, policy_of
from simulation.shop import LENGTH_S, Acks, Client, Person
from simulation.triggers import TriggerTables
from tern_common.memory import MemoryBroker
from tern_common.topics import (
    EVENTS,
    EVENTS_BACKFILL,
    PROFILES,
    PROGRESS,
    RESOLVED,
    RESOLVED_BACKFILL,
    Topic,
    triggers_topic,
)
from tern_triggers.domain.policy import Policy

SESSION_TIMEOUT_S = 4.0
HISTORY = {EVENTS_BACKFILL: 3, RESOLVED_BACKFILL: 2}
CALM_AFTER_S = LENGTH_S + 15.0
END_S = CALM_AFTER_S + 60.0

USUAL = Pace()


@dataclass(frozen=True)
class Weather:
    """What may go wrong."""

    crashes: bool = True
    freezes: bool = True
    outages: bool = True
    lossy: float = 0.04
    absent: tuple[str, ...] = ("identity", "profile", "triggers")
    refused: tuple[str, ...] = (EVENTS, RESOLVED, RESOLVED_BACKFILL, PROFILES, "tern.triggers.cart.v1")
    longest_s: float = 12.0
    every_s: float = 6.0
    pace: Pace = USUAL


CALM = Weather(crashes=False, freezes=False, outages=False, lossy=0.0)


@dataclass
class Ended:
    """All there is to check."""

    seed: int
    tables: Tables
    network: Network
    acks: Acks
    calls: int
    policy: Policy


class World:
    """One run."""

    def __init__(self, seed: int, weather: Weather, flaw: Flaw | None = None) -> None:
        self.random = Random(seed)
        self.seed = seed
        self.weather = weather
        shapes = {EVENTS: 6, RESOLVED: 3, PROFILES: 2, PROGRESS: 1, **HISTORY, "tern.events.rejected.v1": 1}
        families = {triggers_topic(rule.family): 6 for rule in RULES}
        topics = [Topic(name, partitions) for name, partitions in (shapes | families).items()]
        self.network = Network(MemoryBroker(topics), lossy=weather.lossy)
        self.policy = policy_of(Random(f"policy {seed}"))
        self.tables = Tables(IdentityTables(), ProfileTables(), TriggerTables(RULES, self.policy, flaw=flaw), flaw)
        self.acks = Acks()
        self.members: list[Member] = []
        self._born: list[Member] = []
        self.started = 0
        self._leaving: list[asyncio.Task[None]] = []

    async def run(self) -> Ended:
        """Until long after the last fault. Raises what ended a loop that nothing should end."""
        try:
            calls = await self._live()
            for one in self.members:
                if (wrong := one.process.failed()) is not None:
                    raise wrong
        finally:
            await self._end()
        return Ended(self.seed, self.tables, self.network, self.acks, calls, self.policy)

    async def _live(self) -> int:
        for service in ("identity", "profile", "triggers"):
            self._start(service)
            self._start(service)
        persons = [Person(number, Random(self.random.random())) for number in range(self.random.randrange(3, 8))]
        calls = [call for person in persons for call in person.calls()]
        history = [call for person in persons for call in person.history()]
        shop = member("shop", 0, self.random, self.network, USUAL)
        sending = [*(calls[part::3] for part in range(3)), history]
        clients = [Client(shop.process, shop.bus.producer, self.acks).send_all(part) for part in sending]
        await asyncio.gather(*clients, self._trouble())
        await shop.process.clock.sleep(END_S - shop.process.clock.monotonic())
        return len(calls) + len(history)

    async def _end(self) -> None:
        """Nothing of a world may outlive it."""
        for task in self._leaving:
            task.cancel()
        for one in self._born:
            one.process.kill()
        for one in self._born:
            await one.process.ended()

    def _start(self, service: str) -> None:
        self.started += 1
        one = member(service, self.started, self.random, self.network, self.weather.pace)
        self.members.append(one)
        self._born.append(one)
        begin(one, self.tables)

    async def _trouble(self) -> None:
        """One thing after the other, until it is calm for good."""
        clock, weather = loop.VirtualTime(), self.weather
        kinds = [
            *([self._crash, self._crash, self._absence, self._absence] if weather.crashes else []),
            *([self._freeze] * 2 if weather.freezes else []),
            *([self._outage, self._refusal] if weather.outages else []),
        ]
        while kinds and clock.monotonic() < CALM_AFTER_S:
            await clock.sleep(self.random.expovariate(1 / weather.every_s))
            if clock.monotonic() < CALM_AFTER_S:
                await self.random.choice(kinds)()

    async def _crash(self) -> None:
        victim = self.random.choice(self.members)
        victim.process.kill()
        self.members.remove(victim)
        self._leaving.append(asyncio.ensure_future(self._expelled_later(victim, SESSION_TIMEOUT_S)))
        await loop.VirtualTime().sleep(self.random.uniform(0.5, 8))
        self._start(victim.service)

    async def _absence(self) -> None:
        """All of a service is away, while the shop goes on."""
        service = self.random.choice(self.weather.absent)
        victims = [one for one in self.members if one.service == service]
        for victim in victims:
            victim.process.kill()
            victim.bus.expel()
            self.members.remove(victim)
        await loop.VirtualTime().sleep(self.random.uniform(3, self.weather.longest_s))
        for _ in victims:
            self._start(service)

    async def _freeze(self) -> None:
        """A long one makes a zombie: the group goes on without it, and it does not know."""
        victim = self.random.choice(self.members)
        seconds = self.random.choice([1.0, 3.0, 9.0])
        victim.process.freeze(seconds)
        if seconds > SESSION_TIMEOUT_S:
            self._leaving.append(asyncio.ensure_future(self._replaced_later(victim)))

    async def _replaced_later(self, zombie: Member) -> None:
        await loop.VirtualTime().sleep(SESSION_TIMEOUT_S)
        zombie.bus.expel()
        if zombie in self.members:
            await loop.VirtualTime().sleep(10.0)
            zombie.process.kill()
            self.members.remove(zombie)
            self._start(zombie.service)

    async def _expelled_later(self, gone: Member, seconds: float) -> None:
        await loop.VirtualTime().sleep(seconds)
        gone.bus.expel()

    async def _outage(self) -> None:
        self.network.down = True
        await loop.VirtualTime().sleep(self.random.uniform(1, self.weather.longest_s))
        self.network.down = False

    async def _refusal(self) -> None:
        self.network.refused = {self.random.choice(self.weather.refused)}
        await loop.VirtualTime().sleep(self.random.uniform(1, self.weather.longest_s))
        self.network.refused = set()


def play(seed: int, weather: Weather | None = None, flaw: Flaw | None = None) -> Ended:
    """The world of a seed, from its beginning to its end."""
    return loop.run(World(seed, weather or Weather(), flaw).run())
