"""Consumer groups of the memory bus: who reads which partition, from where. Commits only what it is told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tern_common.bus import Dealt, Place, Poll, Span
from tern_common.memory.broker import MemoryBroker


class Group:
    """Members in order of joining; every join and leave deals the partitions anew."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.committed: dict[Place, int] = {}
        self._broker = broker
        self._members: list[MemoryConsumer] = []

    def join(self, member: MemoryConsumer) -> None:
        """Adds a member and deals anew."""
        self._members.append(member)
        self.deal()

    def leave(self, member: MemoryConsumer) -> None:
        """Takes a member out, with its partitions, and deals anew."""
        if member in self._members:
            self._members.remove(member)
            member.assign({})
            self.deal()

    def deal(self) -> None:
        """Deals the partitions of all topics anew."""
        hands: list[dict[Place, int]] = [{} for _ in self._members]
        for topic in sorted({topic for member in self._members for topic in member.topics}):
            takers = [n for n, member in enumerate(self._members) if topic in member.topics]
            for index, place in enumerate(self._broker.places(topic)):
                start = self._broker.partition(place).start
                hands[takers[index % len(takers)]][place] = self.committed.get(place, start)
        for member, hand in zip(self._members, hands, strict=True):
            member.assign(hand)
        self._broker.tell()


class MemoryConsumer:
    """A member of a group (`bus.Consumer`)."""

    def __init__(self, broker: MemoryBroker, group: Group, topics: Sequence[str]) -> None:
        self.topics = frozenset(topics)
        self._broker = broker
        self._group = group
        self._positions: dict[Place, int] = {}
        self._deal = 0
        self._paused = False
        self._turn = 0

    def assign(self, positions: dict[Place, int]) -> None:
        """Takes what the group dealt: where to go on in each partition."""
        self._positions = positions
        self._deal += 1

    async def poll(self, limit: int, wait_s: float) -> Poll:
        self._broker.check()
        poll = self._take(limit)
        if poll.spans or wait_s <= 0:
            return poll
        await self._broker.news(wait_s)
        self._broker.check()
        return self._take(limit)

    def _take(self, limit: int) -> Poll:
        poll = Poll([], {}, self._deal)
        if self._paused:
            return poll
        self._turn += 1
        places = list(self._positions)
        turn = self._turn % len(places) if places else 0
        for place in places[turn:] + places[:turn]:
            self._take_from(place, limit, poll)
        return poll

    def _take_from(self, place: Place, limit: int, poll: Poll) -> None:
        partition, start = self._broker.partition(place), self._positions[place]
        room = limit - len(poll.records)
        found = partition.since(start, room)
        end = found[-1].offset + 1 if found else start
        if len(found) < room:
            end = max(end, partition.end)
        if end > start:
            poll.records.extend(found)
            poll.spans[place] = Span(start, end)
            self._positions[place] = end

    def holds(self, read: Dealt) -> bool:
        return read.deal == self._deal

    async def commit(self, ends: Mapping[Place, int]) -> None:
        self._broker.check()
        self._group.committed.update({place: end for place, end in ends.items() if place in self._positions})

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def assigned(self) -> frozenset[Place]:
        return frozenset(self._positions)

    def leave(self) -> None:
        """Leaves the group; nothing is committed by it."""
        self._group.leave(self)
