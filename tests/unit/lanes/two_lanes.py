"""Both lanes from end to end: the product's own claims, and everything else in miniature.

Events are acknowledged in either lane; identity files each on the topic of its lane, and may tell of memberships on
the live one; profile says on one topic what it makes of both; triggers apply what comes. All of that happens one record
at a time, in any order and each at a speed of its own, between any two questions that the claiming loops ask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import NamedTuple

from support.running import running
from support.waiting import eventually
from tern_common.bus import Message, Place
from tern_common.clock import ManualClock
from tern_common.lanes import BACKFILL, LANES, LIVE, UPSTREAM, Lane
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.memory.group import Group
from tern_common.progress import Claims, Hop, Passage, claim_relay, claim_source, covered
from tern_common.topics import EVENTS, EVENTS_BACKFILL, PROFILES, PROGRESS, RESOLVED, RESOLVED_BACKFILL, Topic
from unit.common.claiming import Log

PARTITIONS = 2
EVENTS_IN_ALL = 40
SOURCE: dict[Lane, str] = {LIVE: EVENTS, BACKFILL: EVENTS_BACKFILL}
FILED = {EVENTS: RESOLVED, EVENTS_BACKFILL: RESOLVED_BACKFILL}
GROUPS = {
    EVENTS: "identity",
    EVENTS_BACKFILL: "identity-backfill",
    RESOLVED: "profile",
    RESOLVED_BACKFILL: "profile-backfill",
}
READ_BY_TRIGGERS = (RESOLVED, RESOLVED_BACKFILL, PROFILES)
READERS = Counter([*GROUPS, *READ_BY_TRIGGERS])


class Acked(NamedTuple):
    """A client was told at `at` that its event is in."""

    name: str
    lane: Lane
    at: datetime


class TwoLanes:
    """A record's value is the name of the event that led to it. `passages` are what is claimed."""

    def __init__(self, passages: Sequence[Passage], seed: int) -> None:
        self.falsely_believed = list[str]()
        self._passages = passages
        self._chance = Random(seed)
        self._clock = ManualClock()
        topics = (*SOURCE.values(), *READ_BY_TRIGGERS)
        self._broker = MemoryBroker([*(Topic(name, PARTITIONS) for name in topics), Topic(PROGRESS, 1)])
        self._broker.groups.update({group: Group(self._broker) for group in GROUPS.values()})
        self._bus = MemoryBus(self._broker)
        self._claims = Claims(self._bus, self._clock, self._clock)
        self._positions = {place: 0 for topic in READ_BY_TRIGGERS for place in self._broker.places(topic)}
        self._acked = list[Acked]()
        self._unread = Counter[str]()
        self._acts: list[Callable[[], None]] = [
            self._acknowledge,
            *(partial(self._identity, topic) for topic in FILED),
            *(partial(self._profile, topic) for topic in (RESOLVED, RESOLVED_BACKFILL)),
            *(partial(self._triggers, topic) for topic in READ_BY_TRIGGERS),
        ]
        self._speeds = [self._chance.choice((1, 5, 25)) for _ in self._acts]

    async def play(self, patience_s: float) -> None:
        """Until everything is in and believed to be."""
        log = Log(self._broker, self._happen, self._happen)
        hops = [Hop(one, log, self._bus.producer, self._clock, self._claims) for one in self._passages]
        loops = [
            claim_source(hop, interval_s=0.5, holdoff_s=0)
            if hop.passage.service == "identity"
            else claim_relay(hop, upstream="identity", poll_s=0.1)
            for hop in hops
        ]
        async with running(self._claims.follow(), *loops):
            await eventually(self._all_is_believed, patience_s, "safe time passes the last event in both lanes")

    def _all_is_believed(self) -> bool:
        if len(self._acked) < EVENTS_IN_ALL:
            return False
        return all((self._safe(lane) or self._acked[0].at) > self._acked[-1].at for lane in LANES)

    def _safe(self, lane: Lane) -> datetime | None:
        """What triggers may believe of the lane now."""
        claims = [self._claims.newest(service, lane) for service in UPSTREAM]
        if any(claim is None or not covered(self._positions, claim) for claim in claims):
            return None
        return self._claims.proved(UPSTREAM, lane)

    def _happen(self, _question: str) -> None:
        for act in self._chance.choices(self._acts, self._speeds, k=self._chance.randint(0, 3)):
            act()
        for lane in LANES:
            safe = self._safe(lane)
            for event in self._acked:
                if safe is not None and event.lane == lane and event.at < safe and self._unread[event.name]:
                    self.falsely_believed.append(f"{event.name}, {event.lane}")

    def _acknowledge(self) -> None:
        if len(self._acked) == EVENTS_IN_ALL:
            return
        event = Acked(f"event {len(self._acked)}", self._chance.choice(LANES), self._clock.now())
        self._write(SOURCE[event.lane], event.name)
        self._acked.append(event)
        self._clock.advance(timedelta(milliseconds=1))

    def _identity(self, topic: str) -> None:
        if name := self._read(topic):
            self._write(FILED[topic], name)
            if self._chance.random() < 0.5:  # two were found to be one: everybody must hear of it
                self._write(RESOLVED, name)
            self._commit(topic, name)

    def _profile(self, topic: str) -> None:
        if name := self._read(topic):
            if self._chance.random() < 0.5:
                self._write(PROFILES, name)
            self._commit(topic, name)

    def _triggers(self, topic: str) -> None:
        place = Place(topic, self._chance.randrange(PARTITIONS))
        for record in self._broker.partition(place).since(self._positions[place], 1):
            self._positions[place] = record.offset + 1
            self._unread[record.value.decode()] -= 1

    def _write(self, topic: str, name: str) -> None:
        key = str(self._chance.random()).encode()
        self._broker.append([Message(topic, key, name.encode())])
        self._unread[name] += READERS[topic]

    def _read(self, topic: str) -> str | None:
        """The next record of some partition, for the topic's group."""
        self._reading = Place(topic, self._chance.randrange(PARTITIONS))
        done = self._broker.groups[GROUPS[topic]].committed.get(self._reading, 0)
        found = self._broker.partition(self._reading).since(done, 1)
        return found[0].value.decode() if found else None

    def _commit(self, topic: str, name: str) -> None:
        """All that follows is written: only now (C1)."""
        committed = self._broker.groups[GROUPS[topic]].committed
        committed[self._reading] = committed.get(self._reading, 0) + 1
        self._unread[name] -= 1
