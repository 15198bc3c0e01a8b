"""An aiokafka consumer that is played, and a member of a group on it: rebalances and errors at bad moments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
)

from tern_common.bus import Place
from tern_common.clock import SystemClock
from tern_common.kafka.connection import Connection, KafkaSecurity
from tern_common.kafka.consumer import KafkaConsumer

AT, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)
PLACE = Place("t", 0)


class Found(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Player:
    """One partition with records 0 … 9 and a committed offset; `meddle` happens inside the next fetch."""

    committed_offset: int | None = 3
    log_start = 0
    meddle: Callable[[Player], None] | None = None
    refuse_commit: Exception | None = None
    refuse_stop: BaseException | None = None
    refuse_start: Exception | None = None

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.at: int | None = None
        self.dealt = True
        self.stopped = False
        self.listener: ConsumerRebalanceListener | None = None

    def subscribe(self, topics: list[str], listener: ConsumerRebalanceListener) -> None:
        assert topics == ["t"]
        self.listener = listener

    async def start(self) -> None:
        if self.refuse_start:
            raise self.refuse_start
        self.rebalance()

    def rebalance(self) -> None:
        assert self.listener
        self.listener.on_partitions_revoked([AT])
        self.at = self.committed_offset if self.committed_offset is not None else self.log_start
        self.listener.on_partitions_assigned([AT])

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset([AT] if self.dealt else [])

    async def position(self, at: TopicPartition) -> int:
        if not self.dealt or self.at is None:
            raise IllegalStateError(at)
        return self.at

    async def committed(self, at: TopicPartition) -> int | None:
        assert at == AT
        return self.committed_offset

    async def beginning_offsets(self, ats: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(ats, self.log_start)

    def seek(self, at: TopicPartition, offset: int) -> None:
        if not self.dealt:
            raise IllegalStateError(at)
        self.at = offset

    async def getmany(
        self, *wanted: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Found]]:
        assert timeout_ms >= 0
        if self.meddle:
            meddle, self.meddle = self.meddle, None
            meddle(self)
        if wanted or self.at is None or self.at >= 10:
            return {}
        first, self.at = self.at, min(10, self.at + max_records)
        return {
            AT: [Found("t", 0, n, None if n == 9 else b"k", None if n == 9 else b"v") for n in range(first, self.at)]
        }

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refuse_commit:
            raise self.refuse_commit
        self.committed_offset = offsets[AT]

    async def stop(self) -> None:
        self.stopped = True
        if self.refuse_stop:
            raise self.refuse_stop


class DealtMore(Player):
    """Is dealt another partition while it is first asked where reading starts."""

    more = False

    def assignment(self) -> frozenset[TopicPartition]:
        return super().assignment() | ({OTHER} if self.more else set())

    async def position(self, at: TopicPartition) -> int:
        if not self.more:
            self.more = True
            self.rebalance()
        return 1 if at == OTHER else await super().position(at)

    async def committed(self, at: TopicPartition) -> int | None:
        return 0 if at == OTHER else await super().committed(at)

    def seek(self, at: TopicPartition, offset: int) -> None:
        if at != OTHER:
            super().seek(at, offset)

    async def getmany(
        self, *wanted: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Found]]:
        found = await super().getmany(*wanted, timeout_ms=timeout_ms, max_records=max_records)
        return {**found, OTHER: [Found("t", 1, 0, b"k", b"v")]}


class Stage:
    """A consumer and the players it connected, the last one first on stage."""

    def __init__(self, player: type[Player] = Player) -> None:
        self.plays = player
        self.players: list[Player] = []
        connection = Connection("nowhere:1", "me", KafkaSecurity(), SystemClock())
        self.consumer = KafkaConsumer(connection, "g", ["t"], self.connect)
        self.prepare: Callable[[Player], None] = lambda _: None

    def connect(self, **options: Any) -> Player:
        self.players.append(self.plays(**options))
        self.prepare(self.players[-1])
        return self.players[-1]

    @property
    def player(self) -> Player:
        return self.players[-1]
