"""A process of a service with its bus, what outlives it, and the loops by which it reads both lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from simulation.bus import Network, PlayedBus, PlayedConsumer
from simulation.flaws import Flaw
from simulation.identity import IdentityTables
from simulation.process import Loop, Pace, Process
from simulation.profile import ProfileTables
from simulation.triggers import TriggerTables
from tern_common.bus import Consumer
from tern_common.clock import Clock
from tern_common.consume import Handler, consume
from tern_common.fetching import Pacing
from tern_common.giving_way import GivingWay
from tern_common.lanes import LIVE, UPSTREAM, BackfillPolicy
from tern_common.progress import Claims, Hop, Passage
from tern_common.rejecting import Rejecting

BATCH = 200
GIVES_WAY = BackfillPolicy()


@dataclass
class Tables:
    """What outlives processes, and what is deliberately wrong with them."""

    identity: IdentityTables
    profile: ProfileTables
    triggers: TriggerTables
    flaw: Flaw | None = None


@dataclass
class Member:
    """One process of a service, with its bus."""

    service: str
    process: Process
    bus: PlayedBus


def member(service: str, number: int, random: Random, network: Network, pace: Pace) -> Member:
    """A new process of a service."""
    process = Process(f"{service}-{number}", Random(random.random()), pace)
    return Member(service, process, PlayedBus(process, network))


@dataclass
class Lanes:
    """The loops that read both lanes in one process: the backfill one gives way."""

    of: Member
    claims: Claims
    member: PlayedConsumer | None = None

    def live(self, group: str, read: Sequence[str], handler: Handler[Any]) -> Loop:
        """Reads what happens now."""

        async def events() -> None:
            self.member = await self.of.bus.subscribe(group, read)
            await self._consume(self.member, handler)

        return events

    def backfill(self, group: str, topic: str, handler: Handler[Any]) -> Loop:
        """Reads history, while the live lane is not behind."""

        async def events() -> None:
            joined = await self.of.bus.subscribe(group, [topic], unhurried=True)
            clock = self.of.process.clock
            giving = GivingWay(joined, lambda: self.claims.proved(UPSTREAM, LIVE), clock, GIVES_WAY, group)
            await self._consume(giving, handler)

        return events

    async def _consume(self, consumer: Consumer, handler: Handler[Any]) -> None:
        rejecting = Rejecting(self.of.bus.producer, self.of.service, self.of.process.clock)
        await consume(consumer, handler, rejecting, self.of.process.clock, pace=Pacing(BATCH))

    def hop(self, passage: Passage, clock: Clock) -> Hop:
        """Of one lane, to be claimed."""
        return Hop(passage, self.of.bus.log, self.of.bus.producer, clock, self.claims)
