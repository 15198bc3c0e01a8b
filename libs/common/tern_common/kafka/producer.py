"""Writing to Kafka: acks=all, idempotent, bounded memory, and batches that form by themselves.

There is no timer. A partition has one write on its way at a time; what arrives meanwhile is the next batch. A `send`
waits on one future, however many messages it has. One aiokafka producer serves until a batch fails for good: its
sequence numbers are then spent, and a fresh one takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tern_common.bus import SEND_TIMEOUT_S, Message, Place
from tern_common.errors import TernError, Transient, Unusable
from tern_common.kafka.connection import CLOSE_TIMEOUT_S, Connection, translated
from tern_common.kafka.lanes import Delivery, Lane, size_of
from tern_common.logs import logger
from tern_common.partitioning import partition_of
from tern_common.topics import REJECTED_MAX_BYTES, TABLE

MEMORY_BYTES = 64 * 1024 * 1024
LANE_BYTES = MEMORY_BYTES // 2  # so that a partition without a leader leaves room for the others
_BATCH_BYTES = 512 * 1024
_MESSAGE_BYTES = 1_000_000
_RECONNECT_S = 0.25
_SATURATED = "kafka: the producer is saturated"
_LIMITS = {t.name: int(t.config["max.message.bytes"]) for t in TABLE if "max.message.bytes" in t.config}

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class KafkaProducer:
    """`bus.Producer`. `spawn` starts a task that the bus owns."""

    def __init__(self, connection: Connection, spawn: Spawn) -> None:
        self._connection = connection
        self._spawn = spawn
        self._client: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        self._lanes: dict[Place, Lane] = {}
        self._held = 0
        spawn(self._connect())

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        if not messages:
            return
        size = sum(map(_checked_size, messages))
        if self._held and self._held + size > MEMORY_BYTES:
            raise Transient(_SATURATED)
        self._held += size
        delivery = Delivery()
        try:
            async with asyncio.timeout(timeout_s):
                self._enqueue(await self._by_place(messages), delivery)
                await delivery.done
        except TimeoutError:
            raise Transient("kafka did not acknowledge in time") from None
        finally:
            self._held -= size
            delivery.abandon()

    async def _by_place(self, messages: Sequence[Message]) -> dict[Place, list[Message]]:
        """The messages of each partition, in the order given."""
        counts: dict[str, int] = {}
        parts: dict[Place, list[Message]] = {}
        for message in messages:
            topic = message.topic
            if topic not in counts:
                counts[topic] = await self._partitions(topic)
            parts.setdefault(Place(topic, partition_of(message.key, counts[topic])), []).append(message)
        return parts

    async def _partitions(self, topic: str) -> int:
        client = await self._current()
        with translated("look up a topic"):
            return len(await client.partitions_for(topic))

    def _enqueue(self, parts: dict[Place, list[Message]], delivery: Delivery) -> None:
        """All parts or none. Raises `Transient` when a lane has no room; an empty lane takes anything."""
        sizes = {place: sum(map(size_of, part)) for place, part in parts.items()}
        lanes = {place: self._lanes.get(place) or self._lanes.setdefault(place, Lane(place)) for place in parts}
        if any(lane.held and lane.held + sizes[place] > LANE_BYTES for place, lane in lanes.items()):
            raise Transient(_SATURATED)
        for place, part in parts.items():
            lanes[place].add(part, sizes[place], delivery)
            if not lanes[place].writing:
                lanes[place].writing = True
                self._spawn(self._write(lanes[place]))

    async def _write(self, lane: Lane) -> None:
        """Runs while the lane has anything to write, and only once a lane."""
        try:
            while lane.pending:
                await self._write_batch(lane)
        finally:
            lane.writing = False
            lane.fail(Transient("kafka: the producer was closed"))

    async def _write_batch(self, lane: Lane) -> None:
        client = await self._current()
        batch = client.create_batch()
        parts = lane.take(batch)
        if not parts:
            return
        error: TernError | None = Transient("kafka: the producer was closed")
        try:
            with translated("write"):
                await (await client.send_batch(batch, lane.place.topic, partition=lane.place.partition))
            error = None
        except TernError as wrong:
            error = wrong
            self._replace(client)
        finally:
            lane.settle(parts, error)

    async def _current(self) -> AIOKafkaProducer:
        while self._client is None:
            await self._connected.wait()
        return self._client

    async def _connect(self) -> None:
        """Goes on until a producer has started; the first failure of a row is logged."""
        told = False
        while self._client is None:
            try:
                self._client = await _started(self._connection)
            except (KafkaError, OSError) as wrong:
                if not told:
                    logger.warning("kafka is away", error=type(wrong).__name__)
                told = True
                await self._connection.clock.sleep(_RECONNECT_S)
        self._connected.set()

    def _replace(self, client: AIOKafkaProducer) -> None:
        """After a batch that failed for good the broker takes no more of this producer's sequence numbers."""
        if self._client is client:
            logger.warning("kafka producer is replaced")
            self._client = None
            self._connected.clear()
            self._spawn(self._connect())
            self._spawn(_stop(client))

    async def close(self) -> None:
        """Waits for nothing that is not acknowledged yet: who sent it was told, or is gone."""
        if self._client is not None:
            await _stop(self._client)


async def _started(connection: Connection) -> AIOKafkaProducer:
    """A connected producer. Raises `KafkaError` and leaves nothing open."""
    client = AIOKafkaProducer(
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=_BATCH_BYTES,
        max_request_size=REJECTED_MAX_BYTES * 2,
        **connection.options(),
    )
    try:
        await client.start()
    except BaseException:
        await _stop(client)
        raise
    return client


async def _stop(client: AIOKafkaProducer) -> None:
    """Bounded: aiokafka would wait for a broker that is away."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.stop()
    except (TimeoutError, KafkaError) as wrong:
        logger.info("kafka producer did not close cleanly", error=type(wrong).__name__)


def _checked_size(message: Message) -> int:
    """Bytes. Raises `Unusable` before anything is written: a batch that the broker refuses costs all that is in it."""
    size, limit = size_of(message), _LIMITS.get(message.topic, _MESSAGE_BYTES)
    if size > limit:
        raise Unusable("message-too-large", f"more than {limit} bytes for {message.topic}")
    return size
