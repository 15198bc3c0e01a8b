"""A source, a group that applies it, and claims about it, with something happening between the questions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from support.running import running
from support.waiting import eventually
from tern_common.bus import Message, Place
from tern_common.clock import ManualClock
from tern_common.events import PAUSE_KEY, Claim, decode_claim
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.memory.bus import MemoryLog
from tern_common.meters import UNMETERED, Meter
from tern_common.partitioning import partition_of
from tern_common.progress import Claims, Hop, Passage, claim_relay, claim_source
from tern_common.topics import PROGRESS, Topic

SOURCE, OUTPUT, GROUP = "source", "output", "identity"
PARTITIONS = 3
START = ManualClock().now()
KEYS = {partition_of(f"k{n}".encode(), PARTITIONS): f"k{n}".encode() for n in range(20)}


class Log(MemoryLog):
    """A log on which something happens before each question is answered, or after it."""

    def __init__(
        self,
        broker: MemoryBroker,
        before: Callable[[str], None] = lambda _: None,
        after: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(broker)
        self.before = before
        self.after = after

    async def ends(self, topic: str) -> dict[int, int]:
        self.before(f"ends {topic}")
        answer = await super().ends(topic)
        self.after(f"ends {topic}")
        return answer

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        self.before("committed")
        answer = await super().committed(group, topic)
        self.after("committed")
        return answer

    async def starts(self, topic: str) -> dict[int, int]:
        self.before("starts")
        answer = await super().starts(topic)
        self.after("starts")
        return answer


class World:
    """A source topic, a group that applies it to an output topic in the order that C1 asks for, and claims about it."""

    def __init__(self) -> None:
        self.bus = MemoryBus(MemoryBroker([Topic(SOURCE, PARTITIONS), Topic(OUTPUT, 2), Topic(PROGRESS, 1)]))
        self.clock = ManualClock()
        self.heard = Claims(self.bus, self.clock, self.clock)
        self.acks: list[tuple[datetime, Place, int]] = []
        self.outputs: dict[tuple[Place, int], tuple[int, int]] = {}

    @property
    def group(self) -> dict[Place, int]:
        """The group's committed offsets."""
        return self.bus.broker.groups[GROUP].committed

    async def join(self) -> None:
        """Makes the group known; it has committed nothing."""
        await self.bus.subscribe(GROUP, [SOURCE])

    def ack(self, partition: int) -> None:
        """A client is told that its event is in; then time goes on."""
        place = Place(SOURCE, partition)
        offset = self.bus.broker.partition(place).end
        self.bus.broker.append([Message(SOURCE, KEYS[partition], b"event")])
        self.acks.append((self.clock.now(), place, offset))
        self.clock.advance(timedelta(milliseconds=1))

    def apply(self, partition: int) -> None:
        """All outputs of the next record are acknowledged, then its offset is committed."""
        place = Place(SOURCE, partition)
        offset = self.group.get(place, 0)
        if offset < self.bus.broker.partition(place).end:
            key = f"out {partition} {offset}".encode()
            output = partition_of(key, 2)
            self.outputs[place, offset] = (output, self.bus.broker.partition(Place(OUTPUT, output)).end)
            self.bus.broker.append([Message(OUTPUT, key, b"output")])
            self.group[place] = offset + 1

    def apply_all(self) -> None:
        """The group catches up."""
        for partition in range(PARTITIONS):
            while self.group.get(Place(SOURCE, partition), 0) < self.bus.broker.partition(Place(SOURCE, partition)).end:
                self.apply(partition)

    @property
    def claims(self) -> list[Claim]:
        """What was claimed, in order."""
        return [decode_claim(record.value) for record in self.bus.sent(PROGRESS) if record.key != PAUSE_KEY]

    def is_true(self, claim: Claim) -> bool:
        """Whether the outputs of all that was acknowledged before T exist below the claimed ends."""
        return all(
            (place, offset) in self.outputs
            and self.outputs[place, offset][1] < claim.ends[OUTPUT][str(self.outputs[place, offset][0])]
            for at, place, offset in self.acks
            if at < claim.at
        )

    def hop(self, service: str, log: MemoryLog, meter: Meter = UNMETERED, lane: str = "live") -> Hop:
        """From the group's commits on the source to claims about the output."""
        passage = Passage(service, lane, {SOURCE: GROUP}, (OUTPUT,))
        return Hop(passage, log, self.bus.producer, self.clock, self.heard, meter)

    async def source_loop(self, log: MemoryLog, holdoff_s: float = 0, lane: str = "live") -> None:
        async with running(self.heard.follow()):
            await claim_source(self.hop("identity", log, lane=lane), interval_s=0.5, holdoff_s=holdoff_s)

    async def unheard_loop(self, log: MemoryLog) -> None:
        """A loop that hears nothing of what stands on the topic of claims."""
        await claim_source(self.hop("identity", log), interval_s=0.5, holdoff_s=0)

    async def relay_loop(self) -> None:
        async with running(self.heard.follow()):
            await claim_relay(self.hop("profile", self.bus.log), upstream="identity", poll_s=0.1)


async def claimed(world: World, number: int = 1) -> None:
    await eventually(lambda: len(world.claims) >= number, 5, f"{number} claims")
