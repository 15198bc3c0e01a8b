"""What a consume loop has in hand for its next turn: records, read and decoded while the batch before is applied.

Decoding fills the time in which a process would wait for its database. Where little comes, more is waited for a moment:
a turn costs the same for one record as for a hundred. A stream rests between turns, for longer the more it brings, and
not at all where it brings many. It applies nothing and commits nothing; what was read before partitions were dealt anew
is forgotten, since it is read again from the committed offsets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from tern_common.bus import Consumer, Place, Poll, Record, Span
from tern_common.clock import Clock
from tern_common.errors import Poison, Transient
from tern_common.logs import logger

_DECODED_AT_ONCE = 128
"""Then others have a turn: the answer of a database that is waited for is more urgent."""

MANY = 1_000
"""From so many records on a turn is worth its cost: they are applied without waiting for more, and the next ones are
read meanwhile."""
LINGER_S = 0.01
"""So long few wait for company where no stream was known of, or nothing came while it rested."""
STREAM_LINGER_S = 0.025
"""So long at least a stream rests: a turn after each few would cost as much as a turn after many."""
EACH_LINGERS_S = 0.0003
"""So much longer for each record of the turn before."""
LONGEST_LINGER_S = 0.3
"""No rest is longer."""
FRESH_S = 0.005
"""So long a client is waited for to bring what the broker has: what it has in hand, it asked for at the poll before."""
OUR_ERROR = "error-in-tern"
"""The reason of a record that met an error of ours, read or applied: its bytes are kept until that is mended."""

T = TypeVar("T")


Decoded = tuple[Record, T]
"""A record and what it says. Without names: there is one for each record, and a plain tuple takes a quarter as long."""


class Fetched(NamedTuple, Generic[T]):
    """What polls gave: all that can be read, the rest with its reason, and what of each partition they covered."""

    decoded: list[Decoded[T]]
    poisoned: list[tuple[str, Record]]
    spans: dict[Place, Span]
    deal: int = 0
    """As of `Poll`."""

    @property
    def size(self) -> int:
        """Of how many records it is."""
        return len(self.decoded) + len(self.poisoned)

    def followed_by(self, more: Fetched[T]) -> Fetched[T]:
        """Both, of which the second was read later in the same deal."""
        spans = dict(self.spans)
        for place, span in more.spans.items():
            spans[place] = Span(spans.get(place, span).start, span.end)
        return Fetched(self.decoded + more.decoded, self.poisoned + more.poisoned, spans, self.deal)


class Pacing(NamedTuple):
    """How a loop goes: at most `limit` records in a turn; after one of fewer than `many` it rests, `linger_s` or more.

    One that `stands` waits where nothing passes, instead of ending the process: for what is beside the live stream.
    """

    limit: int
    linger_s: float = STREAM_LINGER_S
    stands: bool = False
    many: int = MANY


class Fetching(Generic[T]):
    """Reads for one loop. Two of its calls never poll at the same time."""

    def __init__(self, consumer: Consumer, decode: Callable[[Record], T], clock: Clock, pace: Pacing) -> None:
        self._consumer = consumer
        self._decode = decode
        self._clock = clock
        self._limit, self._linger_s = pace.limit, pace.linger_s
        self._many = min(pace.many, pace.limit)
        self._polling = asyncio.Lock()
        self._ahead: Fetched[T] | None = None
        self._brought = 0

    def many(self, fetched: Fetched[T]) -> bool:
        """Whether more is likely to have come by the time that these are applied."""
        return fetched.size >= self._many

    async def next(self, wait_s: float) -> Fetched[T]:
        """What was read ahead and what came since; else what came in a rest, or first within `wait_s` after it.

        Raises `Transient`.
        """
        fresh_s = 0.0
        if self._held() is None:
            fresh_s = await self._first(wait_s)
        found = await self._with_more(fresh_s) if self._ahead is not None else Fetched([], [], {})
        self._brought = found.size
        return found

    async def _first(self, wait_s: float) -> float:
        """Reads what is there, or else waits for it. Returns how long to wait for what came since.

        A stream rests before it is read. Where there is no time to wait, a batch that is applied waits for this one.
        """
        rests = bool(wait_s and self._brought)
        if rests:
            await self._clock.sleep(min(self._linger_s + self._brought * EACH_LINGERS_S, LONGEST_LINGER_S))
        await self._read(0)
        if self._ahead is None and wait_s:
            rests = False
            await self._read(wait_s)
        if self._ahead is None or self.many(self._ahead):
            return 0.0
        if rests:
            return FRESH_S
        await self._clock.sleep(LINGER_S)
        return 0.0

    async def _with_more(self, fresh_s: float) -> Fetched[T]:
        ahead = self._held()
        room = self._limit - (ahead.size if ahead else 0)
        poll = await self._poll(room, fresh_s) if room else None
        ahead, self._ahead = self._held(), None
        more = await self._decoded(poll) if poll else Fetched([], [], {})
        return ahead.followed_by(more) if ahead else more

    async def ahead(self) -> None:
        """Reads what has come already, for the next turn. A broker that is away is that turn's matter."""
        try:
            await self._read(0)
        except Transient as wrong:
            logger.debug("broker away while reading ahead", why=str(wrong))

    async def _read(self, wait_s: float) -> None:
        poll = await self._poll(self._limit, wait_s)
        if poll.spans:
            self._ahead = await self._decoded(poll)

    async def stay_alive(self) -> None:
        """A poll that reads nothing: the member stays in its group."""
        try:
            async with self._polling:
                self._consumer.pause()
                await self._consumer.poll(1, 0)
        except Transient as wrong:
            logger.debug("broker away while waiting", why=str(wrong))

    async def read_again(self, fetched: Fetched[T]) -> None:
        """Reads anew what could not be read, in its place: of a fetch of which nothing could be."""
        records = [record for _, record in fetched.poisoned]
        fetched.poisoned.clear()
        await self._fill(fetched, records)

    def holds(self, fetched: Fetched[T]) -> bool:
        """As of `Consumer`: whether partitions have not been dealt since."""
        return self._consumer.holds(fetched)

    def _held(self) -> Fetched[T] | None:
        if self._ahead is not None and not self.holds(self._ahead):
            self._ahead = None
        return self._ahead

    async def _poll(self, limit: int, wait_s: float) -> Poll:
        async with self._polling:
            return await self._consumer.poll(limit, wait_s)

    async def _decoded(self, poll: Poll) -> Fetched[T]:
        fetched: Fetched[T] = Fetched([], [], poll.spans, poll.deal)
        await self._fill(fetched, poll.records)
        return fetched

    async def _fill(self, fetched: Fetched[T], records: list[Record]) -> None:
        for start in range(0, len(records), _DECODED_AT_ONCE):
            if start:
                await self._clock.sleep(0)
            self._decode_into(fetched, records[start : start + _DECODED_AT_ONCE])

    def _decode_into(self, fetched: Fetched[T], records: list[Record]) -> None:
        decode, decoded = self._decode, fetched.decoded
        for record in records:
            try:
                decoded.append((record, decode(record)))
            except Poison as wrong:
                fetched.poisoned.append((wrong.reason, record))
            except Exception:  # noqa: BLE001 - whoever sends one such record must not stop all that comes behind it
                if all(reason != OUR_ERROR for reason, _ in fetched.poisoned):  # one trace a poll: there may be many
                    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
                    logger.error("a record met an error of ours, and cannot be read", exc_info=True, **place)
                fetched.poisoned.append((OUR_ERROR, record))
