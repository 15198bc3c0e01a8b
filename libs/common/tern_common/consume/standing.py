"""A loop beside the live stream stands still where nothing passes, and tries again; any other ends the process by it.

History and reports may wait; what happens now may not, and the process is one. A fetch that stands is kept in hand,
uncommitted, by a member that stays in its group. The error may be mended from outside, as a table or a setting is; a
bug in the release is mended by the next one, which begins at the same records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tern_common.blaming import TooManyErrors
from tern_common.clock import Clock
from tern_common.fetching import Fetched, Fetching
from tern_common.insisting import Insisting
from tern_common.logs import logger
from tern_common.meters import Meter

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""To try hundreds of records one by one takes seconds, in which the live stream has less of the process."""

Step = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """In place of work that is not worth its while."""


class Standing:
    """Of one loop. Unless it `stands`, `TooManyErrors` is passed on."""

    def __init__(
        self, fetching: Fetching[Any], insisting: Insisting, clock: Clock, meter: Meter, *, stands: bool
    ) -> None:
        self._fetching = fetching
        self._insisting = insisting
        self._clock = clock
        self._meter = meter
        self._stands = stands

    async def on(self, fetched: Fetched[Any], step: Step, between: Step = nothing) -> bool:
        """Tries a step of a fetch until something passes, with growing pauses; `between` goes before each further try.

        False: meanwhile partitions were dealt anew, and whoever has them now reads the fetch again. It must not be
        committed here.
        """
        begun, pause_s = self._clock.monotonic(), FIRST_PAUSE_S
        try:
            while True:
                try:
                    await step()
                except TooManyErrors as wrong:
                    if not self._stands:
                        raise
                    self._meter.stands_still(True)
                    self._tell(fetched, wrong, self._clock.monotonic() - begun)
                else:
                    return True
                await self._insisting.wait(pause_s)
                if not self._fetching.holds(fetched):
                    return False
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                await between()
        finally:
            self._meter.stands_still(False)

    def _tell(self, fetched: Fetched[Any], wrong: TooManyErrors, seconds: float) -> None:
        place, span = next(iter(fetched.spans.items()))
        logger.error(
            "a loop stands still: nothing passes; mend the error, or go back to the release before",
            topic=place.topic,
            partition=place.partition,
            offset=span.start,
            records=fetched.size,
            seconds=seconds,
            exc_info=wrong.__cause__ or wrong,
        )
