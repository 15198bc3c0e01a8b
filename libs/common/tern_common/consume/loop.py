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
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from tern_common.blaming import Blaming
from tern_common.bus import Consumer
from tern_common.clock import Clock
from tern_common.consume.apart import TRIES_OF_MANY, TakingApart, outcome
from tern_common.consume.handling import Handler, Rest, batch_of
from tern_common.consume.standing import Standing, Step, nothing
from tern_common.errors import Transient
from tern_common.fetching import OUR_ERROR, Fetched, Fetching, Pacing
from tern_common.insisting import FIRST_PAUSE_S, Insisting
from tern_common.meters import UNMETERED, Meter
from tern_common.rejecting import Rejecting

WAIT_S = 0.25
"""At most so long for the first record of a fetch."""

T = TypeVar("T")


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

    Ends only by cancellation or, unless it `stands`, a bug that nothing passes; what was fetched and not committed is
    then fetched again by the next owner.
    """
    loop = _Loop(consumer, handler, rejecting, clock, pace, meter)
    consumer.resume()
    while True:
        await loop.turn()


class _Loop(Generic[T]):
    def __init__(
        self,
        consumer: Consumer,
        handler: Handler[T],
        rejecting: Rejecting,
        clock: Clock,
        pace: Pacing,
        meter: Meter,
    ) -> None:
        self._consumer = consumer
        self._handler = handler
        self._fetching = Fetching(consumer, handler.decode, clock, pace)
        self._clock = clock
        self._meter = meter
        self._insisting = Insisting(consumer, self._fetching, clock, meter)
        self._standing = Standing(self._fetching, self._insisting, clock, meter, stands=pace.stands)
        self._blaming = Blaming()
        self._apart = TakingApart(handler, rejecting, self._insisting, self._blaming, meter)
        self._open: _Open[T] | None = None
        self._given_up: int | None = None

    async def turn(self) -> None:
        """One fetch is applied while the one before is published and committed."""
        fetched = await self._fetch()
        begun = self._clock.monotonic()
        if not fetched.spans:
            await self._settle(await outcome(self._close()))
            return
        if not await self._legible(fetched):
            return
        many = self._fetching.many(fetched)
        closed, applied, read = await asyncio.gather(
            outcome(self._close()),
            outcome(self._attempt(fetched)),
            outcome(self._fetching.ahead() if many else nothing()),
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
            outcome(self._close()), outcome(self._insisting.on(lambda: self._fetching.next(WAIT_S)))
        )
        await self._settle(closed)
        if isinstance(fetched, Exception):
            raise fetched
        return fetched

    async def _legible(self, fetched: Fetched[T]) -> bool:
        """What cannot be read is rejected. Whether there is more to do for the fetch: it may have been given up."""
        if not fetched.poisoned:
            return True
        if any(reason == OUR_ERROR for reason, _ in fetched.poisoned):
            await self._settle(await outcome(self._close()))  # or what is applied would stand with it
        return await self._brought(
            fetched, partial(self._apart.reject_unread, fetched), partial(self._fetching.read_again, fetched)
        )

    async def _attempt(self, fetched: Fetched[T]) -> Rest | None:
        """The transaction of a whole batch, tried once. After a failure nothing more is read ahead."""
        try:
            rest = await self._handler.apply(batch_of(fetched.decoded, fetched.spans))
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

    async def _again(self, fetched: Fetched[T], wrong: Exception) -> None:
        self._consumer.resume()
        await self._brought(fetched, partial(self._apart.again, fetched, wrong))

    async def _brought(self, fetched: Fetched[T], step: Step, between: Step = nothing) -> bool:
        """Whether a step of a fetch is done; else the fetch is given up, to be read again by whoever has it now."""
        done = await self._standing.on(fetched, step, between)
        if not done:
            self._given_up = fetched.deal
        return done

    async def _commit(self, fetched: Fetched[T], begun: float) -> None:
        """Unless it was given up, or is behind one that was and would be skipped."""
        if fetched.deal != self._given_up:
            ends = {place: span.end for place, span in fetched.spans.items()}
            await self._insisting.on(lambda: self._consumer.commit(ends))
            self._meter.applied(len(fetched.decoded), self._clock.monotonic() - begun)
        self._open = None
