"""What Tern asks of a message bus. `kafka.py` and `memory.py` keep the same promises; one test suite proves it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from tern_common.topics import Topic

Headers = tuple[tuple[str, bytes], ...]

SEND_TIMEOUT_S = 15.0
ALL: Mapping[int, int] = MappingProxyType({})
"""For a tail: no partition begins at an offset of its own."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Span(NamedTuple):
    """What a poll covered of one partition: [start, end) in offsets. Gaps (compaction, retention) count as covered."""

    start: int
    end: int


class Message(NamedTuple):
    """A record to be sent. The key decides the partition (murmur2, as Kafka's own clients) and is never empty."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


class Record(NamedTuple):
    """A record as read."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers = ()

    def header(self, name: str) -> str | None:
        """The header's text, or None."""
        return next((v.decode("utf-8", "replace") for k, v in self.headers if k == name), None)


class Poll(NamedTuple):
    """One fetch: records in offset order per partition, and the span covered of each partition that moved.

    A partition may move without a record: compaction and retention leave nothing to read. Spans of one assignment
    follow each other without a hole; after a rebalance they start anew at the committed offset.
    """

    records: list[Record]
    spans: dict[Place, Span]
    deal: int = 0
    """Of its consumer's: how often partitions had been dealt."""


class Dealt(Protocol):
    """What was read in one deal: a `Poll`, or what became of it."""

    @property
    def deal(self) -> int:
        """As of `Poll`."""
        ...


class Producer(Protocol):
    """Sends with `acks=all`, idempotently, with bounded memory."""

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Returns when every message is acknowledged; messages of one key keep their order.

        Raises `Transient` after at most `timeout_s` seconds, at once when the memory bound is reached: then any of them
        may have been written. Raises `Unusable` when a message is larger than its topic takes.
        """
        ...


class Consumer(Protocol):
    """A member of a consumer group. Nothing is committed but by `commit`; a new group starts at the log's start."""

    async def poll(self, limit: int, wait_s: float) -> Poll:
        """At most `limit` records, waiting at most `wait_s` for the first. Raises `Transient`."""
        ...

    def holds(self, read: Dealt) -> bool:
        """Whether partitions have not been dealt since it was polled. If they have, all that is not committed of it is
        read again, by whoever has the partition: it may be forgotten."""
        ...

    async def commit(self, ends: Mapping[Place, int]) -> None:
        """Commits the next offset to read. A partition that moved to another member is left out silently."""
        ...

    def pause(self) -> None:
        """Polls go on (the member stays alive) and return nothing."""
        ...

    def resume(self) -> None:
        """Ends a pause: the next poll goes on where the last one ended."""
        ...

    def assigned(self) -> frozenset[Place]:
        """The partitions that this member reads at the moment."""
        ...


class Log(Protocol):
    """Reads about topics, not out of them."""

    async def starts(self, topic: str) -> dict[int, int]:
        """First offset still kept, of every partition, from metadata fetched afresh."""
        ...

    async def ends(self, topic: str) -> dict[int, int]:
        """High-water mark of every partition, from metadata fetched afresh. Raises `Transient`."""
        ...

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's committed offsets; a partition without one is absent. Raises `Transient`."""
        ...

    async def shapes(self) -> dict[str, Topic]:
        """Every topic that exists, with its partitions and the settings that `topics.py` knows."""
        ...

    async def create(self, topics: Sequence[Topic]) -> None:
        """Creates those that are missing; never changes one that exists."""
        ...

    async def grow(self, topic: str, partitions: int) -> None:
        """Adds partitions until there are so many, each with a leader. Raises `Transient`."""
        ...


class Bus(Protocol):
    """Everything that a process opens once and closes once (`async with`)."""

    @property
    def producer(self) -> Producer: ...

    @property
    def log(self) -> Log: ...

    async def subscribe(self, group: str, topics: Sequence[str], *, unhurried: bool = False) -> Consumer:
        """Joins the group. The bus leaves it on close. Raises `Transient`.

        One that is `unhurried` asks a broker seldom while there is nothing to read, and takes a second to begin.
        """
        ...

    def tail(
        self, topic: str, from_start: bool = True, starts: Mapping[int, int] = ALL
    ) -> AsyncGenerator[Record, None]:
        """Every record of the topic, without a group and without an end; outages are waited out.

        `starts`: offsets to begin at in some partitions. One that is not kept any more is the first that is.
        """
        ...
