"""The bus as one process meets it: calls take time, may fail, and may fail after they were heard."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from simulation.process import Process
from tern_common.bus import ALL, SEND_TIMEOUT_S, Dealt, Message, Place, Poll, Record
from tern_common.errors import Transient
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.memory.group import MemoryConsumer
from tern_common.topics import Topic

BATCH = 1000


@dataclass
class Network:
    """The broker, and what is wrong with it. `refused`: topics that take no writes. `lossy`: share of sends whose
    acknowledgement gets lost, after none, some or all of it was written."""

    broker: MemoryBroker
    lossy: float = 0.0
    down: bool = False
    refused: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Raises `Transient` while the broker is away."""
        if self.down:
            raise Transient("the broker is away")


class PlayedProducer:
    """`bus.Producer`."""

    def __init__(self, process: Process, network: Network) -> None:
        self._process = process
        self._network = network

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:  # noqa: ARG002 - never waits for good
        """Raises `Transient`: then any of them may have been written."""
        network, random = self._network, self._process.random
        await self._process.io()
        network.check()
        if any(message.topic in network.refused for message in messages):
            raise Transient("too few replicas in sync")
        lost = random.random() < network.lossy
        network.broker.append(messages[: random.randrange(len(messages) + 1)] if lost else messages)
        await self._process.io(self._process.pace.acknowledgement_s)
        if lost:
            raise Transient("no acknowledgement came")


class PlayedLog:
    """`bus.Log`."""

    def __init__(self, process: Process, network: Network) -> None:
        self.process = process
        self.network = network
        self._log = MemoryBus(network.broker).log

    async def _call(self) -> None:
        await self.process.io()
        self.network.check()

    async def starts(self, topic: str) -> dict[int, int]:
        await self._call()
        return await self._log.starts(topic)

    async def ends(self, topic: str) -> dict[int, int]:
        await self._call()
        return await self._log.ends(topic)

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        await self._call()
        return await self._log.committed(group, topic)

    async def shapes(self) -> dict[str, Topic]:
        await self._call()
        return await self._log.shapes()

    async def create(self, topics: Sequence[Topic]) -> None:
        await self._call()
        await self._log.create(topics)

    async def grow(self, topic: str, partitions: int) -> None:
        await self._call()
        await self._log.grow(topic, partitions)


def _unnoticed_s(process: Process) -> float:
    """For how long nobody hears of what has come: to wake all at each record would cost most of a world's time."""
    return process.random.uniform(0.02, 0.3)


class PlayedConsumer:
    """`bus.Consumer`: a member that goes on believing it is one until it hears otherwise."""

    def __init__(self, process: Process, network: Network, member: MemoryConsumer) -> None:
        self._process = process
        self._network = network
        self.member = member

    async def poll(self, limit: int, wait_s: float) -> Poll:
        """One call, when it brings what is there or what came while it waited. An empty one takes no call."""
        self._network.check()
        most = max(1, self._process.random.randrange(limit) // 20)
        found = await self.member.poll(most, 0)
        if found.spans:
            await self._process.io()
            return found
        clock = self._process.clock
        until = clock.monotonic() + wait_s
        while not found.spans and (left := until - clock.monotonic()) > 0:
            await self._process.wait(min(left, _unnoticed_s(self._process)))
            self._network.check()
            found = await self.member.poll(most, 0)
        return found

    async def commit(self, ends: Mapping[Place, int]) -> None:
        await self._process.io()
        self._network.check()
        await self.member.commit(ends)

    def holds(self, read: Dealt) -> bool:
        return self.member.holds(read)

    def pause(self) -> None:
        self.member.pause()

    def resume(self) -> None:
        self.member.resume()

    def assigned(self) -> frozenset[Place]:
        return self.member.assigned()


class PlayedBus:
    """`bus.Bus` of one process."""

    def __init__(self, process: Process, network: Network) -> None:
        self._process = process
        self._network = network
        self._bus = MemoryBus(network.broker)
        self._members: list[MemoryConsumer] = []
        self.producer = PlayedProducer(process, network)
        self.log = PlayedLog(process, network)

    async def subscribe(self, group: str, topics: Sequence[str], *, unhurried: bool = False) -> PlayedConsumer:
        await self._process.io()
        self._network.check()
        member = await self._bus.subscribe(group, topics, unhurried=unhurried)
        self._members.append(member)
        return PlayedConsumer(self._process, self._network, member)

    async def tail(
        self, topic: str, from_start: bool = True, starts: Mapping[int, int] = ALL
    ) -> AsyncGenerator[Record, None]:
        broker = self._network.broker
        usual = {place: 0 if from_start else broker.partition(place).end for place in broker.places(topic)}
        nexts = {place: starts.get(place.partition, start) for place, start in usual.items()}
        while True:
            for place, start in list(nexts.items()):
                for record in broker.partition(place).since(start, BATCH):
                    nexts[place] = record.offset + 1
                    yield record
            await self._process.clock.sleep(_unnoticed_s(self._process))

    def expel(self) -> None:
        """The group's coordinator has not heard of the process for too long."""
        for member in self._members:
            member.leave()
