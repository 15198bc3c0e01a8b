"""Writing to Kafka: acks=all, idempotent, bounded memory, and batches that form by themselves.

No message lingers for others that might come. One request is on its way to a broker at a time; what arrives meanwhile,
for all partitions that the broker leads, is the next request (`gathering.py` says when it leaves). A `send` waits on
one future, however many messages it has, and what was sent in one turn of the loop is dealt out to its partitions
together. A partition has one batch on its way: it goes until the broker has said what became of it, always the same
bytes, and nothing of that partition overtakes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient

from tern_common.bus import SEND_TIMEOUT_S, Message, Place
from tern_common.errors import TernError, Transient, Unusable
from tern_common.kafka.batches import Batch, Flight, Identity
from tern_common.kafka.connection import Connection
from tern_common.kafka.gathering import GATHER_S, Gathering
from tern_common.kafka.lanes import Delivery, Lane, Part, size_of
from tern_common.kafka.patience import Patience
from tern_common.kafka.wire import RETRY_S, Spawn, Wire
from tern_common.partitioning import Hashes
from tern_common.topics import TABLE

MEMORY_BYTES = 64 * 1024 * 1024
LANE_BYTES = MEMORY_BYTES // 2  # so that a partition without a leader leaves room for the others
_MESSAGE_BYTES = 1_000_000
_SATURATED = "kafka: the producer is saturated"
_CLOSED = "kafka: the producer was closed"
_TOO_MANY = "kafka: messages that the broker refuses together"  # which of them is too large, it does not say
_LIMITS = {t.name: int(t.config["max.message.bytes"]) for t in TABLE if "max.message.bytes" in t.config}
_LEAST_LIMIT = min(_MESSAGE_BYTES, *_LIMITS.values())


class KafkaProducer:
    """`bus.Producer`. `spawn` starts a task that the bus owns."""

    def __init__(
        self,
        connection: Connection,
        spawn: Spawn,
        connect: Callable[..., Any] = AIOKafkaClient,
        gather_s: float = GATHER_S,
    ) -> None:
        self._spawn = spawn
        self._clock = connection.clock
        self._gather_s = gather_s
        self._wire = Wire(connection, spawn, self._deal_anew, connect)
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._counts: dict[str, int] = {}
        self._hashes = Hashes()
        self._patience = Patience(_expired)
        self._arrived: list[Delivery] = []
        self._flights: dict[Lane, Flight] = {}
        self._ready: dict[int, dict[Lane, None]] = {}
        self._sailing: dict[int, Gathering] = {}
        self._held = 0
        self._closed = False

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        if not messages:
            return
        sizes = _checked_sizes(messages)
        size = sum(sizes)
        if self._held and self._held + size > MEMORY_BYTES:
            raise Transient(_SATURATED)
        self._held += size
        delivery = Delivery(messages, sizes)
        waiting = self._patience.begin(delivery, timeout_s)
        try:
            if unknown := {message[0] for message in messages}.difference(self._counts):
                await self._learn(unknown, timeout_s)
            if self._closed:
                raise Transient(_CLOSED)
            self._arrived.append(delivery)
            if len(self._arrived) == 1:
                asyncio.get_running_loop().call_soon(self._deal_out)
            await delivery.done
        finally:
            self._held -= size
            waiting.discard(delivery)
            delivery.end()

    async def _learn(self, topics: Iterable[str], timeout_s: float) -> None:
        """How many partitions topics have that are new. Raises `Transient`."""
        try:
            async with asyncio.timeout(timeout_s):
                for topic in topics:
                    self._counts[topic] = await self._wire.look_up(topic)
        except TimeoutError:
            raise Transient("kafka does not answer") from None

    def _deal_out(self) -> None:
        """Gives the partitions what has arrived, in its order; hashes all keys at once, at a quarter of the cost."""
        arrived, self._arrived = self._arrived, []
        hashes = iter(self._hashes.of([message[1] for delivery in arrived for message in delivery.messages]))
        for delivery in arrived:
            parts = self._parts(delivery, hashes)
            if delivery.done.done():  # it came to its end before its turn
                continue
            if any(part.lane.held and part.lane.held + part.size > LANE_BYTES for part in parts):
                delivery.failed(Transient(_SATURATED))  # all parts or none; an empty lane takes anything
                continue
            for part in parts:
                part.lane.add(part)
                self._make_ready(part.lane)
        for gathering in self._sailing.values():
            gathering.sent(len(arrived))

    def _parts(self, delivery: Delivery, hashes: Iterator[int]) -> Iterable[Part]:
        """The messages of each partition, in the order given. Takes as many hashes as there are messages."""
        parts: dict[Lane, Part] = {}
        for message, size in zip(delivery.messages, delivery.sizes, strict=True):
            topic = message[0]
            place = (topic, next(hashes) % self._counts[topic])
            lane = self._lanes.get(place) or self._new_lane(place)
            part = parts.get(lane)
            if part is None:
                part = parts[lane] = Part(lane, delivery)
            part.add(message, size)
        return parts.values()

    def _new_lane(self, place: tuple[str, int]) -> Lane:
        lane = self._lanes[place] = Lane(Place(*place))
        return lane

    def _make_ready(self, lane: Lane) -> None:
        """The lane goes with the next convoy to its leader, unless a batch of it is on its way."""
        if lane.pending and not lane.aboard and not lane.queued:
            self._enqueue(lane)

    def _enqueue(self, lane: Lane) -> None:
        lane.queued = True
        leader = self._wire.leader(lane.place)
        self._ready.setdefault(leader, {})[lane] = None
        if leader not in self._sailing:
            gathering = self._sailing[leader] = Gathering(self._gather_s)
            self._spawn(self._sail(leader, gathering))

    def _deal_anew(self) -> None:
        """What waits for a convoy goes with that of whoever leads by now: the one before may be hung."""
        for leader, lanes in tuple(self._ready.items()):
            for lane in [lane for lane in lanes if self._wire.leader(lane.place) != leader]:
                del lanes[lane]
                self._enqueue(lane)

    async def _sail(self, leader: int, gathering: Gathering) -> None:
        """One convoy after another: the next leaves when the last has landed. Ends when nothing waits."""
        try:
            while not self._closed and (lanes := self._ready.pop(leader, None)):
                self._look_again()
                answered = await self._convoy(leader, lanes)
                if waiting := self._ready.get(leader):
                    await gathering.again(answered, sum(len(lane.pending) for lane in waiting))
        finally:
            del self._sailing[leader]

    def _look_again(self) -> None:
        """A topic may have grown."""
        for topic in self._counts:
            self._counts[topic] = self._wire.partitions(topic) or self._counts[topic]

    async def _convoy(self, leader: int, lanes: Iterable[Lane]) -> int:
        """A batch of each lane in one request; how many sends are done by it.

        What the broker did not answer for goes again, ahead of all else.
        """
        identity = await self._wire.identity()
        flights = {lane: flight for lane in lanes if (flight := self._boarded(lane, identity))}
        verdicts = await self._wire.write(leader, flights.values()) if flights else {}
        if unanswered := [lane for lane in flights if lane.place not in verdicts]:
            self._spawn(self._again(unanswered))
        return sum(self._landed(lane, verdicts[lane.place]) for lane in flights if lane.place in verdicts)

    def _boarded(self, lane: Lane, identity: Identity) -> Flight | None:
        """What the broker did not answer for, or else what waits."""
        lane.queued = False
        if flight := self._flights.get(lane):
            return flight
        batch = Batch(lane.held)
        if not lane.take(batch):
            return None
        flight = self._flights[lane] = batch.sealed(lane.place, identity)
        return flight

    def _landed(self, lane: Lane, error: TernError | None) -> int:
        flight = self._flights.pop(lane)
        if isinstance(error, Unusable) and sum(len(part.messages) for part in lane.aboard) > 1:
            error = Transient(_TOO_MANY)
        done = lane.settle(error)
        if error is not None:
            self._wire.spent(flight.identity)
        self._make_ready(lane)
        return done

    async def _again(self, lanes: Iterable[Lane]) -> None:
        await self._clock.sleep(RETRY_S)
        for lane in lanes:
            self._enqueue(lane)

    async def close(self) -> None:
        """Waits for nothing that is not acknowledged yet: who sent it is told. Whoever sends later is refused, and no
        convoy leaves any more, since nobody would end it."""
        self._closed = True
        closed = Transient(_CLOSED)
        for delivery in self._arrived:
            delivery.failed(closed)
        for lane in self._lanes.values():
            lane.fail(closed)
        await self._wire.close()


def _expired(delivery: Delivery) -> None:
    delivery.failed(Transient("kafka did not acknowledge in time"))


def _checked_sizes(messages: Sequence[Message]) -> list[int]:
    """Bytes. Raises `Unusable` before anything is written: a batch that the broker refuses costs all that is in it."""
    sizes = list(map(size_of, messages))
    if max(sizes) > _LEAST_LIMIT:
        for message, size in zip(messages, sizes, strict=True):
            limit = _LIMITS.get(message.topic, _MESSAGE_BYTES)
            if size > limit:
                raise Unusable("message-too-large", f"more than {limit} bytes for {message.topic}")
    return sizes
