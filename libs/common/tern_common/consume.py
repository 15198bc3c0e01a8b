"""The one loop that every consumer runs: fetch → decode → apply (one transaction, then publish) → commit.

Nothing is committed before it is applied and everything that follows from it is acknowledged (architecture §4).
A record that cannot be applied is rejected singly and the partition moves on. What may succeed later is tried until it
does, with the same records, while the member stays in its group. The loop refuses to know what a record means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count, groupby
from typing import Generic, NamedTuple, Protocol, TypeVar

from tern_common.bus import Consumer, Place, Poll, Record, Span
from tern_common.clock import Clock
from tern_common.errors import Poison, Transient, Unusable
from tern_common.logs import logger
from tern_common.meters import UNMETERED, Meter
from tern_common.rejecting import Rejecting

WAIT_S = 0.25
"""At most so long for the first record of a fetch."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
TRIES_OF_MANY = 6
"""How often a batch is tried as a whole before it is tried in halves: about three seconds."""
_ALIVE_EVERY_S = 1.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Batch(Generic[T]):
    """Decoded records, in offset order per partition, and what of each partition they cover.

    `spans` is complete only when all of a fetch is in: parts of a bisected batch carry none, and an empty batch with
    the spans follows them. So a position written with `spans` never runs ahead of the data.
    """

    items: list[T]
    spans: dict[Place, Span]


class Handler(Protocol[T]):
    """What a service does with records."""

    def decode(self, record: Record) -> T:
        """Pure. Raises `Poison`: the record is rejected and the rest goes on."""
        ...

    async def apply(self, batch: Batch[T]) -> None:
        """One transaction, then publish all that follows from it and await the acks. Must bear being repeated.

        Raises `Transient` (the whole batch is tried again) or `Unusable` (the batch is bisected; a single record that
        still fails is rejected). `items` may be empty.
        """
        ...


class _Decoded(NamedTuple, Generic[T]):
    record: Record
    item: T


async def consume(
    consumer: Consumer,
    handler: Handler[T],
    rejecting: Rejecting,
    clock: Clock,
    *,
    limit: int,
    meter: Meter = UNMETERED,
) -> None:
    """Endless. Fetches at most `limit` records at once.

    Ends only by cancellation or a bug; what was fetched and not committed is then fetched again by the next owner.
    """
    loop = _Loop(consumer, handler, rejecting, clock, meter)
    consumer.resume()
    while True:
        await loop.turn(limit)


class _Loop(Generic[T]):
    def __init__(
        self, consumer: Consumer, handler: Handler[T], rejecting: Rejecting, clock: Clock, meter: Meter
    ) -> None:
        self._consumer = consumer
        self._handler = handler
        self._rejecting = rejecting
        self._clock = clock
        self._meter = meter

    async def turn(self, limit: int) -> None:
        """One fetch, brought to its commit."""
        poll = await self._insist(lambda: self._consumer.poll(limit, WAIT_S))
        if not poll.spans:
            return
        begun = self._clock.monotonic()
        decoded = await self._decode(poll)
        await self._apply(decoded, poll.spans)
        await self._insist(lambda: self._consumer.commit({place: span.end for place, span in poll.spans.items()}))
        self._meter.applied(len(decoded), self._clock.monotonic() - begun)

    async def _decode(self, poll: Poll) -> list[_Decoded[T]]:
        """What can be read; the rest is in the rejected topic when this returns."""
        decoded: list[_Decoded[T]] = []
        poisoned: list[tuple[str, Record]] = []
        for record in poll.records:
            try:
                decoded.append(_Decoded(record, self._handler.decode(record)))
            except Poison as wrong:
                poisoned.append((wrong.reason, record))
        poisoned.sort(key=lambda pair: pair[0])
        for reason, pairs in groupby(poisoned, key=lambda pair: pair[0]):
            await self._reject([record for _, record in pairs], reason)
        return decoded

    async def _apply(self, decoded: list[_Decoded[T]], spans: dict[Place, Span]) -> None:
        try:
            await self._try(decoded, spans)
        except Unusable as wrong:
            if not decoded:
                raise
            await self._bisect(decoded, wrong)
            await self._try([], spans)

    async def _bisect(self, decoded: list[_Decoded[T]], wrong: Unusable) -> None:
        """Applies what can be applied, in order, and rejects the records that fail alone."""
        if len(decoded) == 1:
            await self._reject([decoded[0].record], wrong.reason)
            return
        middle = len(decoded) // 2
        for half in (decoded[:middle], decoded[middle:]):
            try:
                await self._try(half, {})
            except Unusable as still_wrong:
                await self._bisect(half, still_wrong)

    async def _try(self, decoded: list[_Decoded[T]], spans: dict[Place, Span]) -> None:
        batch = Batch([item for _, item in decoded], spans)
        try:
            await self._insist(lambda: self._handler.apply(batch), TRIES_OF_MANY if len(decoded) > 1 else None)
        except Transient:
            await self._in_halves(decoded, spans)

    async def _in_halves(self, decoded: list[_Decoded[T]], spans: dict[Place, Span]) -> None:
        """What is too much for one transaction (a time limit, locks) may pass in parts. Nothing is rejected for it."""
        middle = len(decoded) // 2
        for half in (decoded[:middle], decoded[middle:]):
            await self._try(half, {})
        if spans:
            await self._try([], spans)

    async def _reject(self, records: list[Record], reason: str) -> None:
        """Must succeed, or nothing of this fetch is ever committed."""
        first = records[0]
        logger.warning(
            "records rejected",
            reason=reason,
            records=len(records),
            topic=first.topic,
            partition=first.partition,
            offset=first.offset,
        )
        await self._insist(lambda: self._rejecting.reject(records, reason))
        self._meter.rejected(reason, len(records))

    async def _insist(self, step: Callable[[], Awaitable[R]], tries: int | None = None) -> R:
        """Tries until no `Transient` is raised, with growing pauses; the member polls on, so that it stays a member.

        Raises the last `Transient` after `tries`, where they are limited.
        """
        pause_s = FIRST_PAUSE_S
        for attempt in count(1):
            try:
                return await step()
            except Transient as wrong:
                self._meter.retried()
                if attempt == tries:
                    raise
                logger.warning("tried again soon", why=str(wrong), pause_s=pause_s)
            await self._stay_alive(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        raise AssertionError("counting has no end")

    async def _stay_alive(self, seconds: float) -> None:
        self._consumer.pause()
        left = seconds
        while left > 0:
            step = min(left, _ALIVE_EVERY_S)
            await self._clock.sleep(step)
            await self._poll_nothing()
            left -= step
        self._consumer.resume()

    async def _poll_nothing(self) -> None:
        try:
            await self._consumer.poll(1, 0)
        except Transient as wrong:
            logger.debug("broker away while waiting", why=str(wrong))
