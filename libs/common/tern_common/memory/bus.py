"""The memory bus: the doors of `bus.py`, one `MemoryBus` for each process that is played."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Self

from tern_common.bus import ALL, SEND_TIMEOUT_S, Message, Place, Record
from tern_common.errors import Transient
from tern_common.memory.broker import MemoryBroker
from tern_common.memory.group import Group, MemoryConsumer
from tern_common.topics import Topic

_MANY = 10_000


class MemoryProducer:
    """`bus.Producer`; `MemoryBus.sent` reads what was written."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:  # noqa: ARG002 - never waits
        self._broker.check()
        await self._broker.news(0)  # a real broker always gives others a turn
        self._broker.check()
        self._broker.append(messages)


class MemoryLog:
    """`bus.Log`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def starts(self, topic: str) -> dict[int, int]:
        self._broker.check()
        return {place.partition: self._broker.partition(place).start for place in self._broker.places(topic)}

    async def ends(self, topic: str) -> dict[int, int]:
        self._broker.check()
        return {place.partition: self._broker.partition(place).end for place in self._broker.places(topic)}

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        self._broker.check()
        known = self._broker.groups.get(group)
        return {p.partition: end for p, end in known.committed.items() if p.topic == topic} if known else {}

    async def shapes(self) -> dict[str, Topic]:
        self._broker.check()
        return {t.name: Topic(t.name, t.partitions, config=dict(t.config)) for t in self._broker.topics.values()}

    async def create(self, topics: Sequence[Topic]) -> None:
        self._broker.check()
        for topic in topics:
            self._broker.create(topic)

    async def grow(self, topic: str, partitions: int) -> None:
        self._broker.check()
        self._broker.grow(topic, partitions)


class MemoryBus:
    """`bus.Bus` on a `MemoryBroker`: its own, with every topic of the table, unless one is given."""

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self.broker = broker or MemoryBroker()
        self._consumers: list[MemoryConsumer] = []

    @property
    def producer(self) -> MemoryProducer:
        return MemoryProducer(self.broker)

    @property
    def log(self) -> MemoryLog:
        return MemoryLog(self.broker)

    async def subscribe(self, group: str, topics: Sequence[str], *, unhurried: bool = False) -> MemoryConsumer:  # noqa: ARG002
        self.broker.check()
        members = self.broker.groups.setdefault(group, Group(self.broker))
        consumer = MemoryConsumer(self.broker, members, topics)
        members.join(consumer)
        self._consumers.append(consumer)
        return consumer

    async def tail(
        self, topic: str, from_start: bool = True, starts: Mapping[int, int] = ALL
    ) -> AsyncGenerator[Record, None]:
        places = self.broker.places(topic)
        usual = {p: 0 if from_start else self.broker.partition(p).end for p in places}
        nexts = {place: starts.get(place.partition, start) for place, start in usual.items()}
        while True:
            found = [] if self.broker.broken else _after(self.broker, nexts)
            for record in found:
                yield record
            if not found:
                await self.broker.news(None)

    def fail_with(self, error: Transient) -> None:
        """Breaks the broker for everyone on it, until `recover`."""
        self.broker.fail_with(error)

    def recover(self) -> None:
        """Ends `fail_with`."""
        self.broker.recover()

    def sent(self, topic: str) -> list[Record]:
        """What the topic holds now, partition after partition."""
        return [record for place in self.broker.places(topic) for record in self.broker.partition(place).records]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for consumer in self._consumers:
            consumer.leave()
        self._consumers.clear()


def _after(broker: MemoryBroker, nexts: dict[Place, int]) -> list[Record]:
    """What came since the offsets given, which move along."""
    found = []
    for place, start in nexts.items():
        records = broker.partition(place).since(start, _MANY)
        nexts[place] = records[-1].offset + 1 if records else start
        found += records
    return found
