"""The broker of the memory bus: partitions, committed offsets, faults. Knows no members and no connections."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tern_common.bus import Message, Place, Record
from tern_common.errors import Transient
from tern_common.partitioning import partition_of
from tern_common.topics import TABLE, Topic

if TYPE_CHECKING:
    from tern_common.memory.group import Group


@dataclass
class Partition:
    """Records by offset; compaction leaves gaps, so the list's index is not the offset."""

    records: list[Record] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def append(self, message: Message, partition: int) -> None:
        """Gives the message the next offset."""
        self.records.append(
            Record(message.topic, partition, self.end, message.key, message.value, tuple(message.headers))
        )
        self.end += 1

    def since(self, offset: int, limit: int) -> list[Record]:
        """Records from an offset on, at most `limit`."""
        if offset >= self.end:
            return []
        first = bisect_left(self.records, offset, key=lambda record: record.offset)
        return self.records[first : first + limit]


class MemoryBroker:
    """What outlives a process: topics with records, groups with offsets, and a switch that breaks all of it."""

    def __init__(self, topics: Iterable[Topic] = TABLE) -> None:
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self._partitions: dict[Place, Partition] = {}
        self._fault: Transient | None = None
        self._news = asyncio.Event()
        for topic in topics:
            self.create(topic)

    def create(self, topic: Topic) -> None:
        """Adds a topic; one that exists stays as it is."""
        if topic.name in self.topics:
            return
        self.topics[topic.name] = replace(topic, config=dict(topic.config))
        for place in self.places(topic.name):
            self._partitions[place] = Partition()

    def grow(self, topic: str, partitions: int) -> None:
        """Adds partitions. Groups learn of them at once, which a real one does when its metadata is old."""
        had = self.places(topic)
        self.topics[topic] = replace(self.topics[topic], partitions=partitions)
        for place in self.places(topic)[len(had) :]:
            self._partitions[place] = Partition()
        for group in self.groups.values():
            group.deal()

    def fail_with(self, error: Transient) -> None:
        """Every call raises `error` until `recover`; tails just wait."""
        self._fault = error

    def recover(self) -> None:
        """Ends `fail_with`."""
        self._fault = None
        self.tell()

    def check(self) -> None:
        """Raises the fault that was switched on."""
        if self._fault is not None:
            raise self._fault

    @property
    def broken(self) -> bool:
        """Whether `fail_with` is in force."""
        return self._fault is not None

    def places(self, topic: str) -> list[Place]:
        """Every partition of a topic. Raises `Transient` when there is no such topic, as a producer sees it."""
        if topic not in self.topics:
            raise Transient(f"topic {topic} does not exist")
        return [Place(topic, n) for n in range(self.topics[topic].partitions)]

    def partition(self, place: Place) -> Partition:
        """The records of one partition."""
        return self._partitions[place]

    def append(self, messages: Iterable[Message]) -> None:
        """Writes in the order given."""
        for message in messages:
            place = Place(message.topic, partition_of(message.key, len(self.places(message.topic))))
            self._partitions[place].append(message, place.partition)
        self.tell()

    def compact(self, topic: str) -> None:
        """Keeps the newest record of each key, as a cleaner would; offsets stay."""
        for place in self.places(topic):
            partition = self._partitions[place]
            newest = {record.key: record for record in partition.records}
            partition.records = sorted(newest.values(), key=lambda record: record.offset)

    def truncate(self, place: Place, before: int) -> None:
        """Drops records below an offset, as retention would."""
        partition = self._partitions[place]
        partition.start = max(partition.start, min(before, partition.end))
        partition.records = [record for record in partition.records if record.offset >= partition.start]

    def tell(self) -> None:
        """Wakes everyone who waits for news."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, wait_s: float | None) -> None:
        """Returns when something happened, after `wait_s` real seconds at the latest."""
        event = self._news
        try:
            async with asyncio.timeout(wait_s):
                await event.wait()
        except TimeoutError:
            return
