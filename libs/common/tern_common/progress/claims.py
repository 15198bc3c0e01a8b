"""What stands on `tern.progress.v1`: the newest claims, and whether claims are to pause while a topic grows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from tern_common.bus import Bus, Log, Place, Record
from tern_common.clock import Clock, SystemClock
from tern_common.errors import Poison
from tern_common.events import PAUSE_KEY, Claim, Pause, decode_claim, decode_pause
from tern_common.logs import logger
from tern_common.meters import claim_arrived
from tern_common.topics import PROGRESS

SKEW_ALARM = timedelta(seconds=30)
"""A tenth of the grace: by so much may the clocks of two services differ (triggers.md §2.1, C5)."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Claims:
    """The newest claim of each (service, lane), and the pause, for as long as `follow` runs.

    Claims are about domain time, `clock`; a pause is a lease and ends by real time, `wall`.
    """

    def __init__(self, bus: Bus, clock: Clock | None = None, wall: Clock | None = None) -> None:
        self._bus = bus
        self._clock = clock or SystemClock()
        self._wall = wall or SystemClock()
        self._newest: dict[tuple[str, str], Claim] = {}
        self._paused_until = _LONG_AGO
        self._read = 0
        self._news = asyncio.Event()
        self._reading = asyncio.Event()
        self.interruptions = 0
        """How many pauses, and ends of pauses, were read."""

    async def follow(self) -> None:
        """Reads the topic from its start, endlessly. What is not a claim is passed over."""
        async with aclosing(self._bus.tail(PROGRESS)) as records:
            async for record in records:
                try:
                    self._take(record)
                except Poison as wrong:
                    logger.warning("not a claim", reason=wrong.reason, partition=record.partition, offset=record.offset)
                self._read = record.offset + 1
                self._reading.set()
                self._reading = asyncio.Event()

    def _take(self, record: Record) -> None:
        if record.key == PAUSE_KEY:
            self.heed(decode_pause(record.value) if record.value else None)
        else:
            self.believe(decode_claim(record.value))

    def believe(self, claim: Claim) -> None:
        """Keeps the claim if it is later than the one known. One from the future is an alarm, and is believed:
        what it says of its own clock's past is true, and the skew eats as much of the grace (C5)."""
        known = self._newest.get((claim.service, claim.lane))
        if known is not None and known.at >= claim.at:
            return
        self._note_skew(claim)
        self._newest[claim.service, claim.lane] = claim
        self._news.set()
        self._news = asyncio.Event()

    def _note_skew(self, claim: Claim) -> None:
        """A clock that is behind looks like lag, and falsifies as little."""
        age = self._clock.now() - claim.at
        claim_arrived(claim.service, claim.lane, age.total_seconds())
        if -age > SKEW_ALARM:
            logger.error("clocks differ: a claim is about the future", claimer=claim.service, ahead=str(-age))

    def newest(self, service: str, lane: str) -> Claim | None:
        """The claim with the latest T, or None before the first."""
        return self._newest.get((service, lane))

    def proved(self, services: Sequence[str], lane: str) -> datetime | None:
        """The moment up to which all of these have claimed; None before the first claim of any of them."""
        found = [self.newest(service, lane) for service in services]
        moments = [claim.at for claim in found if claim is not None]
        return min(moments) if len(moments) == len(services) else None

    async def changed(self) -> None:
        """Returns at the next newer claim of anyone. Look at `newest` before waiting: what came earlier is no news."""
        await self._news.wait()

    def heed(self, pause: Pause | None) -> None:
        """Claims pause from now on, or no more."""
        self._paused_until = pause.until if pause else _LONG_AGO
        self.interruptions += 1

    @property
    def paused(self) -> bool:
        """Whether nobody is to claim now. A pause that nobody ends is over at its end."""
        return self._wall.now() < self._paused_until

    async def until_current(self, log: Log) -> None:
        """Returns when all that stands on the topic at the call is read. Raises `Transient`."""
        end = max((await log.ends(PROGRESS)).values())
        while self._read < end:
            await self._reading.wait()


def covered(positions: Mapping[Place, int], claim: Claim) -> bool:
    """Whether everything below the claim's ends is in. A partition without a position has nothing in."""
    return all(
        positions.get(Place(topic, int(partition)), 0) >= end
        for topic, ends in claim.ends.items()
        for partition, end in ends.items()
    )
