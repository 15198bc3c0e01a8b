"""Reading from Kafka as a member of a group. Commits only what it is told to, and knows exactly what a poll covered.

The span of a poll starts where the last one ended, or at the position after a rebalance, never at a record's offset:
compaction and retention leave gaps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError

from tern_common.bus import Dealt, Place, Poll, Record, Span
from tern_common.kafka.connection import Connection, closed, translated
from tern_common.kafka.reader import Reader
from tern_common.kafka.unpacking import unpack_into_records
from tern_common.logs import logger

unpack_into_records()

_JOIN_TIMEOUT_S = 30.0
_COMMIT_TIMEOUT_S = 10.0
_SLACK_S = 0.5  # aiokafka ends a wait by itself; only during a rebalance it does not
_NOWHERE = TopicPartition("", 0)
_GROUP_OPTIONS = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "session_timeout_ms": 6_000,  # a member that died is replaced after this
    "heartbeat_interval_ms": 1_000,  # a rebalance takes about this long to be noticed
    "max_poll_interval_ms": 300_000,
    "fetch_max_wait_ms": 100,  # aiokafka asks a broker for new partitions only when this wait is over
}
UNHURRIED = {"fetch_max_wait_ms": 1_000}


class KafkaConsumer:
    """`bus.Consumer`. `connect` makes an aiokafka consumer from its options; `options` go before the usual ones."""

    def __init__(
        self,
        connection: Connection,
        group: str,
        topics: Sequence[str],
        connect: Callable[..., AIOKafkaConsumer] = Reader,
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._options = {**_GROUP_OPTIONS, **options}
        self._connection = connection
        self._connect = connect
        self._group = group
        self._topics = tuple(topics)
        self._client: AIOKafkaConsumer | None = None
        self._dealt = _Dealt()
        self._nexts: dict[TopicPartition, int] = {}
        self._deal = 0
        self._paused = False

    async def join(self) -> AIOKafkaConsumer:
        """Joins the group unless it is joined. Raises `Transient`."""
        if self._client is not None:
            return self._client
        client = self._connect(group_id=self._group, **self._options, **self._connection.options())
        self._dealt = _Dealt(self._dealt.count)
        client.subscribe(list(self._topics), listener=self._dealt)
        try:
            with translated("join a group"):
                async with asyncio.timeout(_JOIN_TIMEOUT_S):
                    await client.start()
        except BaseException:
            await closed("consumer", client.stop())
            raise
        self._client = client
        return client

    async def poll(self, limit: int, wait_s: float) -> Poll:
        paused = self._paused  # what comes meanwhile is for the next poll: who paused drops what this one finds
        client = await self.join()
        try:
            async with asyncio.timeout(wait_s + _SLACK_S):
                await self._deal_over(client)
                return await self._fetch(client, 0 if paused else limit, wait_s)
        except (TimeoutError, IllegalStateError, ConsumerStoppedError):  # a rebalance is under way, or a commit left
            return Poll([], {})
        except KafkaError:
            await self.leave()
            with translated("poll"):
                raise

    async def _deal_over(self, client: AIOKafkaConsumer) -> None:
        """Asks for nothing meanwhile: the group's errors come out there and nowhere else, and while nobody takes them,
        or nobody has polled for long, aiokafka does not go on joining."""
        if not self._dealt.settled.is_set():
            await client.getmany(_NOWHERE, timeout_ms=0, max_records=1)
            await self._dealt.settled.wait()

    async def _fetch(self, client: AIOKafkaConsumer, limit: int, wait_s: float) -> Poll:
        await self._locate(client)
        deal = self._deal
        wanted = [] if limit else [_NOWHERE]  # paused; asking for nothing still counts as polling
        fetched = await client.getmany(*wanted, timeout_ms=int(wait_s * 1000), max_records=limit or 1)
        if not limit:
            return Poll([], {})
        if deal != self._dealt.count:
            await self._forget(client, fetched)
            return Poll([], {})
        return await self._covered(client, fetched, deal)

    async def _locate(self, client: AIOKafkaConsumer) -> None:
        """Learns where reading starts in the partitions that the last rebalance dealt."""
        if self._deal != self._dealt.count:
            self._nexts.clear()
            self._deal = self._dealt.count
        for at in client.assignment() - self._nexts.keys():
            self._nexts[at] = await client.position(at)

    async def _forget(self, client: AIOKafkaConsumer, fetched: Iterable[TopicPartition]) -> None:
        """Goes back to where the new deal started: a rebalance came during the look at the positions or the fetch."""
        try:
            for at in fetched:
                start = await client.committed(at)
                if start is None:
                    start = (await client.beginning_offsets([at]))[at]
                client.seek(at, start)
        except BaseException:
            await self.leave()  # or the records in hand would be skipped
            raise

    async def _covered(
        self, client: AIOKafkaConsumer, fetched: Mapping[TopicPartition, list[Record]], deal: int
    ) -> Poll:
        poll = Poll([], {}, deal)
        for at in fetched or self._nexts:
            start, end = self._nexts[at], await client.position(at)
            records = fetched.get(at, ())
            if records:
                start = min(start, records[0].offset)
                poll.records.extend(records)
            if end > start:
                poll.spans[Place(at.topic, at.partition)] = Span(start, end)
            self._nexts[at] = end
        return poll

    def holds(self, read: Dealt) -> bool:
        return self._client is not None and read.deal == self._dealt.count

    async def commit(self, ends: Mapping[Place, int]) -> None:
        client = self._client
        if client is None:
            return
        mine = client.assignment()
        offsets = {TopicPartition(*place): end for place, end in ends.items() if TopicPartition(*place) in mine}
        if not offsets:
            return
        with translated("commit"):
            try:
                async with asyncio.timeout(_COMMIT_TIMEOUT_S):
                    await client.commit(offsets)
            except (CommitFailedError, IllegalStateError):
                logger.info("commit left to the next owner", group=self._group)
            except TimeoutError:
                if client is self._client:  # a poll may have left and joined anew meanwhile
                    await self.leave()  # whatever it waits for, a new member does not
                raise

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def assigned(self) -> frozenset[Place]:
        if self._client is None or not self._dealt.settled.is_set():
            return frozenset()
        return frozenset(Place(at.topic, at.partition) for at in self._client.assignment())

    async def leave(self) -> None:
        """Leaves the group; the next poll joins anew, from the committed offsets."""
        client, self._client = self._client, None
        if client is not None:
            await closed("consumer", client.stop())


class _Dealt(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Counts how often partitions were dealt, and whether they are dealt now."""

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self.settled = asyncio.Event()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - aiokafka's signature
        self.count += 1
        self.settled.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - aiokafka's signature
        self.count += 1
        self.settled.set()
