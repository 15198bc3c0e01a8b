"""The one loop that every consumer runs: fetch → decode → apply (one transaction) → publish → commit.

Nothing is committed before it is applied and everything that follows from it is acknowledged (architecture §4).
While a batch is in its transaction the next one is read and decoded, and what follows from the last one is published:
each stage has one batch at a time, in the order of the fetches. Where little comes a batch is published while the next
one gathers.
A record that cannot be applied, or that alone meets an error of ours, is rejected singly and the partition moves on.
What may succeed later is tried until it does, with the same records, while the member stays in its group. The loop
refuses to know what a record means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, NamedTuple, Protocol, TypeVar

from tern_common.blaming import Blaming, Found
from tern_common.bus import Consumer, Place, Record, Span
from tern_common.clock import Clock
from tern_common.errors import Misconfigured, TernError, Transient, Unusable
from tern_common.fetching import OUR_ERROR, Decoded, Fetched, Fetching, Pacing
from tern_common.insisting import FIRST_PAUSE_S, Insisting
from tern_common.logs import logger
from tern_common.meters import UNMETERED, Meter
from tern_common.rejecting import Rejecting

WAIT_S = 0.25
"""At most so long for the first record of a fetch."""
TRIES_OF_MANY = 6
"""How often a batch is tried as a whole before it is tried in halves: about three seconds."""

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
        still fails is rejected). What else they raise is a bug, and done with like the latter, unless nothing passes
        (`blaming`). `items` may be empty.
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
    pace: Pacing,
    meter: Meter = UNMETERED,
) -> None:
    """Endless: turns at this `pace`.

    Ends only by cancellation or a bug that nothing passes; what was fetched and not committed is then fetched again by
    the next owner.
    """
    fetching = Fetching(consumer, handler.decode, clock, pace)
    loop = _Loop(consumer, handler, rejecting, fetching, clock, meter)
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
        self._insisting = Insisting(consumer, fetching, clock, meter)
        self._blaming = Blaming()
        self._open: _Open[T] | None = None

    async def turn(self) -> None:
        """One fetch is applied while the one before is published and committed."""
        fetched = await self._fetch()
        begun = self._clock.monotonic()
        if not fetched.spans:
            await self._settle(await _outcome(self._close()))
            return
        await self._reject_unread(fetched)
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
            return await self._insisting.on(lambda: self._fetching.next(0 if self._open else WAIT_S))
        closed, fetched = await asyncio.gather(
            _outcome(self._close()), _outcome(self._insisting.on(lambda: self._fetching.next(WAIT_S)))
        )
        await self._settle(closed)
        if isinstance(fetched, Exception):
            raise fetched
        return fetched

    async def _attempt(self, fetched: Fetched[T]) -> Rest | None:
        """The transaction of a whole batch, tried once. After a failure nothing more is read ahead."""
        try:
            rest = await self._handler.apply(_batch(fetched.decoded, fetched.spans))
        except Exception:
            self._consumer.pause()
            raise
        if rest is None:
            self._blaming.passed(len(fetched.decoded))
        return rest

    async def _rest_of(self, fetched: Fetched[T], applied: Rest | Exception | None) -> Rest | None:
        """What the attempt left to do. What it could not do is done now, step by step."""
        if not isinstance(applied, Exception):
            return applied
        if isinstance(applied, Transient):
            self._meter.retried()
            await self._insisting.wait(FIRST_PAUSE_S)
        await self._again(fetched, applied)
        return None

    async def _close(self) -> None:
        """Publishes and commits what is open. Raises what its rest does when it is not to be tried any more."""
        if self._open is None:
            return
        fetched, rest, begun = self._open
        if rest is not None:
            await self._insisting.on(rest, TRIES_OF_MANY if len(fetched.decoded) > 1 else None)
            self._blaming.passed(len(fetched.decoded))
        await self._commit(fetched, begun)

    async def _settle(self, closed: Exception | None) -> None:
        """After a batch could not be published as a whole it is applied again, until it is in."""
        if closed is not None and self._open is not None:
            await self._again(self._open.fetched, closed)
            await self._commit(self._open.fetched, self._open.begun)

    async def _commit(self, fetched: Fetched[T], begun: float) -> None:
        ends = {place: span.end for place, span in fetched.spans.items()}
        await self._insisting.on(lambda: self._consumer.commit(ends))
        self._meter.applied(len(fetched.decoded), self._clock.monotonic() - begun)
        self._open = None

    async def _again(self, fetched: Fetched[T], wrong: Exception) -> None:
        """Step by step, each brought to its acks: with the same records as a whole, in halves, or one by one."""
        self._consumer.resume()
        if isinstance(wrong, Unusable):
            await self._apart(fetched.decoded, fetched.spans, wrong)
            return
        if not isinstance(wrong, TernError):  # it may be a moment's and everybody's, as while a table is changed
            logger.warning("a batch met an error of ours, and is tried again", why=type(wrong).__name__)
            await self._insisting.wait(FIRST_PAUSE_S)
        still_wrong = await _outcome(self._try(fetched.decoded, fetched.spans))
        if isinstance(still_wrong, Exception):
            await self._apart(fetched.decoded, fetched.spans, still_wrong)

    async def _apart(self, decoded: list[Decoded[T]], spans: dict[Place, Span], wrong: Exception) -> None:
        """Whoever meets errors of ours is rejected at the end, when it is known whether others pass."""
        if not decoded:
            raise wrong
        found = Found()
        await self._bisect(decoded, wrong, found)
        await self._reject_found(found)
        await self._try([], spans)

    async def _bisect(self, decoded: list[Decoded[T]], wrong: Exception, found: Found) -> None:
        """Applies what can be applied, in order, and rejects the records that fail alone."""
        if isinstance(wrong, Misconfigured):
            raise wrong
        if len(decoded) == 1:
            await self._set_aside(decoded[0][0], wrong, found)
            return
        middle = len(decoded) // 2
        for half in (decoded[:middle], decoded[middle:]):
            still_wrong = await _outcome(self._try(half, {}))
            if isinstance(still_wrong, Exception):
                await self._bisect(half, still_wrong, found)
            else:
                found.others_passed = True

    async def _set_aside(self, record: Record, wrong: Exception, found: Found) -> None:
        if isinstance(wrong, Unusable):
            await self._reject([record], wrong.reason)
        else:
            found.add(record, wrong)
            await self._insisting.stay_alive()

    async def _try(self, decoded: list[Decoded[T]], spans: dict[Place, Span]) -> None:
        batch = _batch(decoded, spans)
        try:
            await self._insisting.on(lambda: self._through(batch), TRIES_OF_MANY if len(decoded) > 1 else None)
        except Transient:
            await self._in_halves(decoded, spans)

    async def _through(self, batch: Batch[T]) -> None:
        rest = await self._handler.apply(batch)
        if rest is not None:
            await rest()
        self._blaming.passed(len(batch.items))

    async def _in_halves(self, decoded: list[Decoded[T]], spans: dict[Place, Span]) -> None:
        """What is too much for one transaction (a time limit, locks) may pass in parts. Nothing is rejected for it."""
        middle = len(decoded) // 2
        for half in (decoded[:middle], decoded[middle:]):
            await self._try(half, {})
        if spans:
            await self._try([], spans)

    async def _reject_unread(self, fetched: Fetched[T]) -> None:
        """What could not be read. That some could be is known from those that were, if only as poison."""
        poisoned = fetched.poisoned
        ours = sum(reason == OUR_ERROR for reason, _ in poisoned)
        if ours:
            self._blaming.blame(ours, others_passed=len(fetched.decoded) + len(poisoned) > ours)
        for reason, pairs in groupby(sorted(poisoned, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            await self._reject([record for _, record in pairs], reason)

    async def _reject_found(self, found: Found) -> None:
        if not found.records:
            return
        self._blaming.blame(len(found.records), others_passed=found.others_passed, wrong=found.first)
        logger.error("a record met an error of ours, and is rejected", exc_info=found.first, **_place(found.records[0]))
        await self._reject(found.records, OUR_ERROR)

    async def _reject(self, records: list[Record], reason: str) -> None:
        """Must succeed, or nothing of this fetch is ever committed."""
        logger.warning("records rejected", reason=reason, records=len(records), **_place(records[0]))
        await self._insisting.on(lambda: self._rejecting.reject(records, reason))
        self._meter.rejected(reason, len(records))


def _batch(decoded: list[Decoded[T]], spans: dict[Place, Span]) -> Batch[T]:
    return Batch([item for _, item in decoded], spans)


def _place(record: Record) -> dict[str, str | int]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


async def _nothing() -> None:
    """In place of work that is not worth its while."""


async def _outcome(work: Awaitable[R]) -> R | Exception:
    """The result or the error: what runs beside it is always brought to its end."""
    try:
        return await work
    except Exception as wrong:  # noqa: BLE001 - whoever looks at the outcome raises it
        return wrong
