"""The quality of what sources send, counted in the background: memory is emptied into the database every few seconds.

Nothing here is on the way of a request but `Tallies.note`. What a process that is killed had not stored yet, a few
seconds' numbers, is lost; no event is. A batch whose commit was not answered may count twice.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date, timedelta
from typing import Protocol

from tern_common.clock import Clock
from tern_common.errors import Transient
from tern_ingest.domain.policy import Counting
from tern_ingest.domain.tallies import Counts, Tallies, look_into, merge
from tern_ingest.domain.taxonomy import Vocabulary

_BETWEEN_BREATHS = 10
"""Events of the sample that are looked into at a stretch: some hundred microseconds, then requests have their turn."""
_LAST_WORDS_S = 2.0


class Shelf(Protocol):
    """Where the numbers are kept."""

    async def add(self, counts: Counts, unknown_names: int) -> None:
        """Adds to what is there; of a source and day at most so many names of unknown events are told apart."""
        ...

    async def forget(self, before: date) -> None:
        """Deletes what is older."""
        ...


class Quality:
    """Empties the tallies of one process."""

    def __init__(self, tallies: Tallies, vocabulary: Vocabulary, shelf: Shelf, clock: Clock, numbers: Counting) -> None:
        self._tallies = tallies
        self._vocabulary = vocabulary
        self._shelf = shelf
        self._clock = clock
        self._numbers = numbers
        self._pending: Counts = {}
        self._pruned: date | None = None

    async def follow(self) -> None:
        """Stores the numbers, for ever; the last ones when it is told to stop. Raises `Transient`."""
        try:
            while True:
                await self._clock.sleep(self._numbers.every_s)
                await self.flush()
        except asyncio.CancelledError:
            with suppress(Transient, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self.flush()
            raise

    async def flush(self) -> None:
        """Stores the numbers until now. Raises `Transient`, and then keeps them for the next time."""
        taken = self._tallies.take(self._vocabulary)
        self._keep(taken.counts)
        looked: Counts = {}
        for nth, (source_id, day, event) in enumerate(taken.sample, 1):
            look_into(event, source_id, day, self._vocabulary, looked)
            if nth % _BETWEEN_BREATHS == 0:
                await self._clock.sleep(0)
        self._keep(looked)
        await self._store_pending()
        await self._prune()

    async def _store_pending(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        try:
            await self._shelf.add(pending, self._numbers.unknown_names)
        except (Transient, asyncio.CancelledError):
            self._keep(pending)
            raise

    async def _prune(self) -> None:
        today = self._clock.now().date()
        if today != self._pruned:
            await self._shelf.forget(today - timedelta(days=self._numbers.days))
            self._pruned = today

    def _keep(self, counts: Counts) -> None:
        merge(self._pending, counts, {}, self._numbers.unknown_names)
