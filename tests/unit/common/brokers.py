"""Two brokers that are played, and the client that reaches them: they keep Kafka's rule of sequence numbers, and
answer, keep silent or refuse as they are told to.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    InvalidMessageError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    RequestTimedOutError,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatch

from tern_common.bus import Message, Place
from tern_common.clock import ManualClock
from tern_common.kafka.connection import Connection, KafkaSecurity
from tern_common.kafka.gathering import GATHER_S
from tern_common.kafka.producer import KafkaProducer
from tern_common.partitioning import partition_of

TOPIC, PARTITIONS = "t", 3
BROKER = 1


class Fate(Enum):
    """What becomes of a batch."""

    TAKEN = auto()
    UNHEARD = auto()
    """It is written, and the answer is lost."""
    LOST = auto()
    """It does not arrive."""
    MOVED = auto()
    """Somebody else leads the partition by now."""
    REFUSED = auto()
    """For good."""
    TOO_LARGE = auto()
    """The batch is more than the topic takes."""


class Shore:
    """The partitions. `fates` are what becomes of requests, one after the other, and then all are taken."""

    def __init__(self, fates: Iterable[Mapping[int, Fate]] = ()) -> None:
        self.fates = deque(fates)
        self.written: dict[Place, list[bytes]] = {}
        self.requests: list[list[Place]] = []
        self.out_of_sequence = False
        self._expected: dict[tuple[int, Place], int] = {}
        self._lasts: dict[tuple[int, Place], int] = {}

    def take(self, place: Place, content: bytes) -> int:
        """Writes a batch as Kafka would: in sequence, and one that it has already only once. An error code or 0."""
        batch = DefaultRecordBatch(bytearray(content))
        ours, first = (batch.producer_id, place), batch.base_sequence
        records = [record.value or b"" for record in batch]
        if first == self._lasts.get(ours):
            return 0
        if first != self._expected.get(ours, 0):
            self.out_of_sequence = True
            return int(OutOfOrderSequenceNumber.errno)
        self._lasts[ours], self._expected[ours] = first, first + len(records)
        self.written.setdefault(place, []).extend(records)
        return 0


class Client:
    """Of aiokafka's clients what the producer uses."""

    def __init__(self, shore: Shore, leaders: dict[int, int], clock: ManualClock) -> None:
        self._clock = clock
        self.shore = shore
        self.leaders = leaders
        self.cluster = self
        self.unauthorized_topics: set[str] = set()
        self.identities = 0
        self.without: deque[int] = deque()
        """Error codes with which an identity is refused first; 0: no broker is known yet."""
        self.looked = 0
        self.closed = False
        self.nodes: list[int] = []
        self.hung: int | None = None
        """The broker that does not answer until `gate` opens; None: all of them."""
        self._told: list[Callable[[object], None]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(PARTITIONS)) if topic == TOPIC and self.looked else None

    def leader_for_partition(self, at: TopicPartition) -> int | None:
        return self.leaders.get(at.partition)

    def add_listener(self, listener: Callable[[object], None]) -> None:
        self._told.append(listener)

    def moves(self, *partitions: int, to: int) -> None:
        """Another broker leads them, and the client has learned of it."""
        self.leaders.update(dict.fromkeys(partitions, to))
        for listener in self._told:
            listener(self)

    async def bootstrap(self) -> None:
        return

    async def add_topic(self, _topic: str) -> None:
        self.looked += 1

    def force_metadata_update(self) -> asyncio.Future[bool]:
        self.looked += 1
        updated = asyncio.get_running_loop().create_future()
        updated.set_result(True)
        return updated

    def get_random_node(self) -> int | None:
        if self.without and not self.without[0]:
            self.without.popleft()
            return None
        return BROKER

    async def send(self, node: int, request: Any) -> Any:
        await self._clock.sleep(0)
        if not isinstance(request, ProduceRequest):
            self.identities += 1
            code = self.without.popleft() if self.without else 0
            return SimpleNamespace(error_code=code, producer_id=self.identities, producer_epoch=0)
        self.nodes.append(node)
        if self.hung in (None, node):
            await self.gate.wait()
        return self._produced(request)

    def _produced(self, request: Any) -> Any:
        fates = self.shore.fates.popleft() if self.shore.fates else {}
        answers, heard = [], True
        ((topic, batches),) = request._topics
        self.shore.requests.append([Place(topic, partition) for partition, _ in batches])
        for partition, content in batches:
            fate = fates.get(partition, Fate.TAKEN)
            code = self._met(fate, Place(topic, partition), content)
            answers.append((partition, code, -1, -1, 0))
            heard = heard and fate not in (Fate.UNHEARD, Fate.LOST)
        if not heard:
            raise KafkaConnectionError
        return SimpleNamespace(topics=[(topic, answers)])

    def _met(self, fate: Fate, place: Place, content: bytes) -> int:
        if fate in (Fate.TAKEN, Fate.UNHEARD):
            return self.shore.take(place, content)
        if fate is Fate.LOST:
            return int(RequestTimedOutError.errno)
        if fate is Fate.MOVED:
            return int(NotLeaderForPartitionError.errno)
        return int(MessageSizeTooLargeError.errno if fate is Fate.TOO_LARGE else InvalidMessageError.errno)

    async def close(self) -> None:
        self.closed = True


class Coast:
    """A producer, its client and the brokers. Time passes by itself where somebody waits for it."""

    def __init__(
        self, group: asyncio.TaskGroup, fates: Iterable[Mapping[int, Fate]] = (), gather_s: float = GATHER_S
    ) -> None:
        self.shore = Shore(fates)
        clock = ManualClock()
        self.client = Client(self.shore, {0: BROKER, 1: 2, 2: BROKER}, clock)
        self.tasks: list[asyncio.Task[None]] = []
        connection = Connection("nowhere:1", "me", KafkaSecurity(), clock)
        self.producer = KafkaProducer(
            connection, lambda work: self.tasks.append(group.create_task(work)), lambda **_: self.client, gather_s
        )

    def values(self) -> dict[int, list[bytes]]:
        """What is written, by partition."""
        return {place.partition: values for place, values in self.shore.written.items()}

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.producer.close()


def keys_of(partition: int, many: int) -> list[bytes]:
    """Keys of the partition."""
    numbers = (str(number).encode() for number in range(1_000))
    return [key for key in numbers if partition_of(key, PARTITIONS) == partition][:many]


def message(partition: int, value: bytes) -> Message:
    """For a partition."""
    return Message(TOPIC, keys_of(partition, 1)[0], value)
