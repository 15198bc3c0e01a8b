"""The way to the brokers: who leads what, by which identity they know this producer, one request for many partitions.

aiokafka's client keeps connections and metadata; its producer is not used (ADR 28). Knows no message and no sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    DuplicateSequenceNumber,
    GroupLoadInProgressError,
    KafkaError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NoError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from tern_common.bus import Place
from tern_common.errors import TernError
from tern_common.kafka.batches import Flight, Identity
from tern_common.kafka.connection import REQUEST_TIMEOUT_MS, Connection, closed, translated
from tern_common.logs import logger

RETRY_S = 0.1
NO_LEADER = -1
_ALL_REPLICAS = -1
_FOR_EVER_MS = 2**31 - 1
_RECONNECT_S = 0.25

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Wire:
    """One client and one identity at a time. `spawn` starts a task that the bus owns; `moved` is called when somebody
    else may lead partitions."""

    def __init__(
        self,
        connection: Connection,
        spawn: Spawn,
        moved: Callable[[], None],
        connect: Callable[..., Any] = AIOKafkaClient,
    ) -> None:
        self._clock = connection.clock
        self._spawn = spawn
        self._client = connect(**connection.options())
        self._client.cluster.add_listener(lambda _: moved())
        self._identity: Identity | None = None
        self._identified = asyncio.Event()
        spawn(self._connect())

    async def identity(self) -> Identity:
        """By which the brokers know this producer, as soon as there is one."""
        while self._identity is None:
            await self._identified.wait()
        return self._identity

    def spent(self, identity: Identity) -> None:
        """After a batch that failed for good nobody knows which sequence number comes next: another one begins anew."""
        if self._identity is identity:
            logger.warning("kafka producer is replaced")
            self._identity = None
            self._identified.clear()
            self._spawn(self._identify())

    def partitions(self, topic: str) -> int:
        """How many partitions the topic is known to have; 0 when that must be looked up."""
        return len(self._client.cluster.partitions_for_topic(topic) or ())

    async def look_up(self, topic: str) -> int:
        """How many partitions the topic has, as soon as it has any. Raises `Misconfigured`."""
        await self.identity()
        await self._client.add_topic(topic)
        while not (known := self.partitions(topic)):
            with translated("look up a topic"):
                if topic in self._client.cluster.unauthorized_topics:
                    raise TopicAuthorizationFailedError
            await self._clock.sleep(RETRY_S)
            await self._client.force_metadata_update()
        return known

    def leader(self, place: Place) -> int:
        """The broker that leads a partition, or -1 when that is not known now."""
        leader: int | None = self._client.cluster.leader_for_partition(TopicPartition(*place))
        return NO_LEADER if leader is None else leader

    async def write(self, leader: int, flights: Iterable[Flight]) -> Mapping[Place, TernError | None]:
        """What became of each: None is written, an error is lost for good. Of those that are left out nobody knows:
        they have to go again, to whoever leads then, with the same bytes, so that a broker that has them takes no more.
        """
        try:
            found = await self._answers(leader, flights)
        except (KafkaError, OSError) as wrong:
            found = {flight.place: wrong for flight in flights}
        if any(getattr(wrong, "invalid_metadata", False) for wrong in found.values()):
            self._client.force_metadata_update()
        return {place: _verdict(wrong) for place, wrong in found.items() if not getattr(wrong, "retriable", False)}

    async def _answers(self, leader: int, flights: Iterable[Flight]) -> dict[Place, Exception | None]:
        if leader == NO_LEADER:
            raise LeaderNotAvailableError
        topics: dict[str, list[tuple[int, bytes]]] = {}
        for flight in flights:
            topic, partition = flight.place
            topics.setdefault(topic, []).append((partition, flight.content))
        request = ProduceRequest(None, _ALL_REPLICAS, REQUEST_TIMEOUT_MS, list(topics.items()))
        answer = await self._client.send(leader, request)
        return {Place(topic, found[0]): _error(found[1]) for topic, partitions in answer.topics for found in partitions}

    async def _connect(self) -> None:
        await self._until_done(self._client.bootstrap)
        await self._identify()

    async def _identify(self) -> None:
        await self._until_done(self._ask_for_identity)
        self._identified.set()

    async def _ask_for_identity(self) -> None:
        broker = self._client.get_random_node()
        if broker is None:
            await self._client.force_metadata_update()
            raise NodeNotReadyError
        answer = await self._client.send(broker, InitProducerIdRequest(None, _FOR_EVER_MS))
        if wrong := _error(answer.error_code):
            raise wrong
        self._identity = Identity(answer.producer_id, answer.producer_epoch)

    async def _until_done(self, attempt: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Goes on until it has succeeded. The first failure is logged, unless a broker says that it just begins."""
        told = False
        while True:
            try:
                return await attempt()
            except (KafkaError, OSError) as wrong:
                if not told and not isinstance(wrong, GroupLoadInProgressError):
                    logger.warning("kafka is away", error=type(wrong).__name__)
                    told = True
                await self._clock.sleep(_RECONNECT_S)

    async def close(self) -> None:
        """Within a bound."""
        await closed("producer", self._client.close())


def _error(code: int) -> KafkaError | None:
    """A broker that has the bytes already says so where it does not remember which offset they got."""
    error = for_code(code)
    return None if error in (NoError, DuplicateSequenceNumber) else error()


def _verdict(wrong: Exception | None) -> TernError | None:
    if wrong is None:
        return None
    try:
        with translated("write"):
            raise wrong
    except TernError as lost:
        return lost
