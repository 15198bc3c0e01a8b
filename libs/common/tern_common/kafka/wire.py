"""The aiokafka producer in use: connected in the background, replaced when it is spent. Knows no message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from tern_common.bus import Place
from tern_common.kafka.connection import CLOSE_TIMEOUT_S, Connection, translated
from tern_common.kafka.lanes import NO_LEADER
from tern_common.logs import logger
from tern_common.topics import REJECTED_MAX_BYTES

BATCH_BYTES = 512 * 1024
_WORTH_COMPRESSING = 16 * 1024  # bytes; zstd begins by setting up tables, which takes longer than sending a few records
_PLAIN, _ZSTD = 0, 4  # Kafka's numbers
_RECONNECT_S = 0.25


def batch_for(size: int) -> BatchBuilder:
    """An empty batch for about so many bytes: compressed where that is worth its price, here and at the broker.

    zstd, which takes an eighth of lz4's CPU here, since aiokafka asks lz4 for its best; and is smaller.
    """
    return BatchBuilder(BATCH_BYTES, _ZSTD if size >= _WORTH_COMPRESSING else _PLAIN)


class Wire:
    """One producer at a time. `spawn` starts a task that the bus owns."""

    def __init__(self, connection: Connection, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._connection = connection
        self._spawn = spawn
        self._client: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        spawn(self._connect())

    async def current(self) -> AIOKafkaProducer:
        """The producer, as soon as there is one."""
        while self._client is None:
            await self._connected.wait()
        return self._client

    def partitions(self, topic: str) -> int:
        """How many partitions the topic is known to have; 0 when that must be looked up."""
        return len(self._client.client.cluster.partitions_for_topic(topic) or ()) if self._client else 0

    async def look_up(self, topic: str) -> int:
        """How many partitions the topic has. Raises `Transient`."""
        client = await self.current()
        with translated("look up a topic"):
            return len(await client.partitions_for(topic))

    def leader(self, place: Place) -> int:
        """The broker that leads a partition, or -1 when that is not known now."""
        if self._client is None:
            return NO_LEADER
        leader: int | None = self._client.client.cluster.leader_for_partition(TopicPartition(*place))
        return NO_LEADER if leader is None else leader

    def replace(self, spent: AIOKafkaProducer) -> None:
        """After a batch that failed for good the broker takes no more of a producer's sequence numbers."""
        if self._client is spent:
            logger.warning("kafka producer is replaced")
            self._client = None
            self._connected.clear()
            self._spawn(self._connect())
            self._spawn(_stop(spent))

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

    async def close(self) -> None:
        """Closes within a bound."""
        if self._client is not None:
            await _stop(self._client)


async def _started(connection: Connection) -> AIOKafkaProducer:
    """A connected producer. Raises `KafkaError` and leaves nothing open."""
    client = AIOKafkaProducer(
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
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
