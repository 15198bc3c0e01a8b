"""The one loop that every consumer runs: fetch → decode → apply (one transaction) → publish → commit.

Nothing is committed before it is applied and everything that follows from it is acknowledged (architecture §4).
While a batch is in its transaction the next one is read and decoded, and what follows from the last one is published:
each stage has one batch at a time, in the order of the fetches. Where little comes a batch is published while the next
one gathers.
A record that cannot be applied is rejected singly and the partition moves on. What may succeed later is tried until it
does, with the same records, while the member stays in its group. The loop refuses to know what a record means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count, groupby
from typing import Generic, NamedTuple, Protocol, TypeVar

from tern_common.bus import Consumer, Place, Record, Span
from tern_common.clock import Clock
from tern_common.errors import Transient, Unusable
from tern_common.fetching import Decoded, Fetched, Fetching
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

Rest = Callable[[], Awaitable[None]]
"""What is left to do for a batch after its transaction: to publish all that follows from it and await the acks."""


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

    async def apply(self, batch: Batch[T]) -> Rest | None:
        """One transaction. Returns the rest, or None when all is done. Both must bear being repeated.

        The rest is called after that of the batch before, while the next batch may be in its transaction.
        Either raises `Transient` (the batch is tried again) or `Unusable` (the batch is bisected; a single record that
        still fails is rejected). `items` may be empty.
        """
        ...


class _Open(NamedTuple, Generic[T]):
    """A batch that is applied, and neither published nor committed. `begun`: when its turn did."""

    fetched: Fetched[T]
    rest: Rest | None
    begun: float


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
    loop = _Loop(consumer, handler, rejecting, Fetching(consumer, handler.decode, clock, limit), clock, meter)
    consumer.resume()
    while True:
        await loop.turn()


class _Loop(Generic[T]):
    def __init__(
        self,
        consumer: Consumer,
        handler: Handler[T],
        rejecting: Rejecting,
        fetching: Fetching[T],
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._consumer = consumer
        self._handler = handler
        self._rejecting = rejecting
        self._fetching = fetching
        self._clock = clock
        self._meter = meter
        self._open: _Open[T] | None = None

    async def turn(self) -> None:
        """One fetch is applied while the one before is published and committed."""
        fetched = await self._fetch()
        begun = self._clock.monotonic()
        if not fetched.spans:
            await self._settle(await _outcome(self._close()))
            return
        await self._reject_all(fetched.poisoned)
        many = self._fetching.many(fetched)
        closed, applied, read = await asyncio.gather(
            _outcome(self._close()),
            _outcome(self._attempt(fetched)),
            _outcome(self._fetching.ahead() if many else _nothing()),
        )
        await self._settle(closed)
        if isinstance(read, Exception):
            raise read
        self._open = _Open(fetched, await self._rest_of(fetched, applied), begun)

    async def _fetch(self) -> Fetched[T]:
        """What to apply next. A batch of few is not left open until more come."""
        if self._open is None or self._fetching.many(self._open.fetched):
            return await self._insist(lambda: self._fetching.next(0 if self._open else WAIT_S))
        closed, fetched = await asyncio.gather(
            _outcome(self._close()), _outcome(self._insist(lambda: self._fetching.next(WAIT_S)))
        )
        await self._settle(closed)
        if isinstance(fetched, Exception):
            raise fetched
        return fetched

    async def _attempt(self, fetched: Fetched[T]) -> Rest | None:
        """The transaction of a whole batch, tried once. After a failure nothing more is read ahead."""
        try:
            return await self._handler.apply(_batch(fetched.decoded, fetched.spans))
        except (Transient, Unusable):
            self._consumer.pause()
            raise

    async def _rest_of(self, fetched: Fetched[T], applied: Rest | Exception | None) -> Rest | None:
        """What the attempt left to do. What it could not do is done now, step by step."""
        if not isinstance(applied, Exception):
            return applied
        if isinstance(applied, Transient):
            self._meter.retried()
            await self._stay_alive(FIRST_PAUSE_S)
        await self._again(fetched, applied)
        return None

    async def _close(self) -> None:
        """Publishes and commits what is open. Raises what its rest does when it is not to be tried any more."""
        if self._open is None:
            return
        fetched, rest, begun = self._open
        if rest is not None:
            await self._insist(rest, TRIES_OF_MANY if len(fetched.decoded) > 1 else None)
        await self._commit(fetched, begun)

    async def _settle(self, closed: Exception | None) -> None:
        """After a batch could not be published as a whole it is applied again, until it is in."""
        if closed is not None and self._open is not None:
            await self._again(self._open.fetched, closed)
            await self._commit(self._open.fetched, self._open.begun)

    async def _commit(self, fetched: Fetched[T], begun: float) -> None:
        ends = {place: span.end for place, span in fetched.spans.items()}
        await self._insist(lambda: self._consumer.commit(ends))
        self._meter.applied(len(fetched.decoded), self._clock.monotonic() - begun)
        self._open = None

    async def _again(self, fetched: Fetched[T], wrong: Exception) -> None:
        """Step by step, each brought to its acks: with the same records as a whole, in halves, or one by one."""
        self._consumer.resume()
        if isinstance(wrong, Transient):
            await self._apply(fetched.decoded, fetched.spans)
        elif isinstance(wrong, Unusable):
            await self._apart(fetched.decoded, fetched.spans, wrong)
        else:
            raise wrong

    async def _apply(self, decoded: list[Decoded[T]], spans: dict[Place, Span]) -> None:
        try:
            await self._try(decoded, spans)
        except Unusable as wrong:
            await self._apart(decoded, spans, wrong)

    async def _apart(self, decoded: list[Decoded[T]], spans: dict[Place, Span], wrong: Unusable) -> None:
        if not decoded:
            raise wrong
        await self._bisect(decoded, wrong)
        await self._try([], spans)

    async def _bisect(self, decoded: list[Decoded[T]], wrong: Unusable) -> None:
        """Applies what can be applied, in order, and rejects the records that fail alone."""
        if len(decoded) == 1:
            await self._reject([decoded[0][0]], wrong.reason)
            return
        middle = len(decoded) // 2
        for half in (decoded[:middle], decoded[middle:]):
            try:
                await self._try(half, {})
            except Unusable as still_wrong:
                await self._bisect(half, still_wrong)

    async def _try(self, decoded: list[Decoded[T]], spans: dict[Place, Span]) -> None:
        batch = _batch(decoded, spans)
        try:
            await self._insist(lambda: self._through(batch), TRIES_OF_MANY if len(decoded) > 1 else None)
        except Transient:
            await self._in_halves(decoded, spans)

    async def _through(self, batch: Batch[T]) -> None:
        rest = await self._handler.apply(batch)
        if rest is not None:
            await rest()

    async def _in_halves(self, decoded: list[Decoded[T]], spans: dict[Place, Span]) -> None:
        """What is too much for one transaction (a time limit, locks) may pass in parts. Nothing is rejected for it."""
        middle = len(decoded) // 2
        for half in (decoded[:middle], decoded[middle:]):
            await self._try(half, {})
        if spans:
            await self._try([], spans)

    async def _reject_all(self, poisoned: list[tuple[str, Record]]) -> None:
        for reason, pairs in groupby(sorted(poisoned, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            await self._reject([record for _, record in pairs], reason)

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
            await self._fetching.stay_alive()
            left -= step
        self._consumer.resume()


def _batch(decoded: list[Decoded[T]], spans: dict[Place, Span]) -> Batch[T]:
    return Batch([item for _, item in decoded], spans)


async def _nothing() -> None:
    """In place of work that is not worth its while."""


async def _outcome(work: Awaitable[R]) -> R | Exception:
    """The result or the error: what runs beside it is always brought to its end."""
    try:
        return await work
    except Exception as wrong:  # noqa: BLE001 - whoever looks at the outcome raises it
        return wrong
