"""A batch that failed is taken apart: what can be applied is, in order, and what fails alone is rejected.

It is tried as a whole, in halves, and record by record, each brought to its acks. It commits nothing, and refuses to
know what a record means.
"""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import groupby
from typing import Generic, TypeVar

from tern_common.blaming import Blaming, Found, TooManyErrors
from tern_common.bus import Place, Record, Span
from tern_common.consume.handling import Batch, Handler, batch_of
from tern_common.errors import Misconfigured, TernError, Transient, Unusable
from tern_common.fetching import OUR_ERROR, Decoded, Fetched
from tern_common.insisting import FIRST_PAUSE_S, Insisting
from tern_common.logs import logger
from tern_common.meters import Meter
from tern_common.rejecting import Rejecting

TRIES_OF_MANY = 6
"""How often a batch is tried as a whole before it is tried in halves: about three seconds."""

T = TypeVar("T")
R = TypeVar("R")


class TakingApart(Generic[T]):
    """Of one loop."""

    def __init__(
        self, handler: Handler[T], rejecting: Rejecting, insisting: Insisting, blaming: Blaming, meter: Meter
    ) -> None:
        self._handler = handler
        self._rejecting = rejecting
        self._insisting = insisting
        self._blaming = blaming
        self._meter = meter

    async def again(self, fetched: Fetched[T], wrong: Exception) -> None:
        """All of a fetch that met `wrong`, with the same records. Raises `TooManyErrors` where nothing passes.

        May be called again then. A fetch of which all but the spans is done holds no record any more: only they are
        tried, or its records would be rejected each time.
        """
        if isinstance(wrong, Unusable) and fetched.decoded:
            await self._apart(fetched, wrong)
            return
        if not isinstance(wrong, TernError):  # it may be a moment's and everybody's, as while a table is changed
            logger.warning("a batch met an error of ours, and is tried again", why=type(wrong).__name__)
            await self._insisting.wait(FIRST_PAUSE_S)
        still_wrong = await outcome(self._try(fetched.decoded, fetched.spans))
        if isinstance(still_wrong, Exception):
            await self._apart(fetched, still_wrong)

    async def reject_unread(self, fetched: Fetched[T]) -> None:
        """What could not be read. That some could be is known from those that were, if only as poison."""
        poisoned = fetched.poisoned
        ours = sum(reason == OUR_ERROR for reason, _ in poisoned)
        if ours:
            self._blaming.blame(ours, others_passed=fetched.size > ours)
        await self._reject_all(poisoned)

    async def _apart(self, fetched: Fetched[T], wrong: Exception) -> None:
        """Whoever fails alone is rejected at the end, when it is known whether others pass."""
        if isinstance(wrong, Misconfigured):
            raise wrong
        if not fetched.decoded:
            raise TooManyErrors from wrong
        found = Found()
        await self._bisect(fetched.decoded, wrong, found)
        await self._reject_found(found)
        still_wrong = await outcome(self._try([], fetched.spans))
        if isinstance(still_wrong, Exception):
            fetched.decoded.clear()
            await self._apart(fetched, still_wrong)

    async def _bisect(self, decoded: list[Decoded[T]], wrong: Exception, found: Found) -> None:
        """Applies what can be applied, in order, and sets the records aside that fail alone."""
        if isinstance(wrong, Misconfigured):
            raise wrong
        if len(decoded) == 1:
            await self._set_aside(decoded[0][0], wrong, found)
            return
        middle = len(decoded) // 2
        for half in (decoded[:middle], decoded[middle:]):
            still_wrong = await outcome(self._try(half, {}))
            if isinstance(still_wrong, Exception):
                await self._bisect(half, still_wrong, found)
            else:
                found.others_passed = True

    async def _set_aside(self, record: Record, wrong: Exception, found: Found) -> None:
        if isinstance(wrong, Unusable):
            found.unusable.append((wrong.reason, record))
        else:
            found.add(record, wrong)
        await self._insisting.stay_alive()

    async def _try(self, decoded: list[Decoded[T]], spans: dict[Place, Span]) -> None:
        batch = batch_of(decoded, spans)
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

    async def _reject_found(self, found: Found) -> None:
        ours = found.records
        if ours:
            self._blaming.blame(len(ours), others_passed=found.others_passed, wrong=found.first)
            logger.error("a record met an error of ours, and is rejected", exc_info=found.first, **_place(ours[0]))
        await self._reject_all([*found.unusable, *((OUR_ERROR, record) for record in ours)])

    async def _reject_all(self, pairs: list[tuple[str, Record]]) -> None:
        for reason, same in groupby(sorted(pairs, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            await self._reject([record for _, record in same], reason)

    async def _reject(self, records: list[Record], reason: str) -> None:
        """Must succeed, or nothing of this fetch is ever committed."""
        logger.warning("records rejected", reason=reason, records=len(records), **_place(records[0]))
        await self._insisting.on(lambda: self._rejecting.reject(records, reason))
        self._meter.rejected(reason, len(records))


def _place(record: Record) -> dict[str, str | int]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


async def outcome(work: Awaitable[R]) -> R | Exception:
    """The result or the error: what runs beside it is always brought to its end."""
    try:
        return await work
    except Exception as wrong:  # noqa: BLE001 - whoever looks at the outcome raises it
        return wrong
