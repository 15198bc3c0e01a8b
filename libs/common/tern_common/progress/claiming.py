"""The loops that claim: at the first hop from what clients were told, at a later one from what its upstream claims."""

from __future__ import annotations

from datetime import datetime

from tern_common.clock import Clock
from tern_common.errors import Transient
from tern_common.logs import logger
from tern_common.progress.hop import Hop

OUTAGE_S = 10.0
_LOOKS_PER_INTERVAL = 5


async def claim_source(hop: Hop, *, interval_s: float, holdoff_s: float) -> None:
    """The first hop's loop: from what clients were told is acknowledged, to the service's outputs. Endless.

    A round every `interval_s` real seconds. After an outage of `OUTAGE_S` no claims for `holdoff_s`: clients that were
    refused come back in that time (triggers.md §2.5). Each lane holds off by what its own loop met: an import that was
    refused comes back too. Raises `Misconfigured` when a source topic was recreated.
    """
    outage = _Outage(hop.clock, holdoff_s)
    look_s = interval_s / _LOOKS_PER_INTERVAL
    while True:
        try:
            interruptions, paused = hop.claims.interruptions, hop.claims.paused
            at = hop.clock.now()  # before anything else is asked: what is acknowledged later than this is not claimed
            ends = await hop.source_ends()
            if not paused:
                await hop.until_committed(ends, look_s)
            outage.over()
            if not paused and not outage.holding_off():
                await hop.claim(at, interruptions)
        except Transient as wrong:
            outage.goes_on()
            _tell(hop, wrong)
        await hop.clock.sleep(interval_s)


async def claim_relay(hop: Hop, *, upstream: str, poll_s: float) -> None:
    """A later hop's loop: each newer claim of `upstream` is passed on once it is true of the own outputs. Endless.

    A claim that does not name all of the hop's sources is not about them and is passed over. Looks every `poll_s` real
    seconds. Raises `Misconfigured` when a source topic was recreated.
    """
    passed: datetime | None = None
    claims, sources = hop.claims, hop.passage.sources.keys()
    while True:
        claim = claims.newest(upstream, hop.passage.lane)
        if claim is None or claim.at == passed or claims.paused or not sources <= claim.ends.keys():
            await claims.changed()  # after a pause there are newer ones
            continue
        try:
            interruptions = claims.interruptions
            ends = {t: {int(partition): end for partition, end in claim.ends[t].items()} for t in sources}
            await hop.until_committed(ends, poll_s)
            if await hop.claim(claim.at, interruptions):
                passed = claim.at
                continue
        except Transient as wrong:
            _tell(hop, wrong)
        await hop.clock.sleep(poll_s)


def _tell(hop: Hop, wrong: Transient) -> None:
    logger.warning("no claim now", service=hop.passage.service, lane=hop.passage.lane, why=str(wrong))


class _Outage:
    """Notices outages by the errors of a loop, and how long to keep quiet after one."""

    def __init__(self, clock: Clock, holdoff_s: float) -> None:
        self._clock = clock
        self._holdoff_s = holdoff_s
        self._since: float | None = None
        self._quiet_until = clock.monotonic()

    def goes_on(self) -> None:
        """The loop failed."""
        self._since = self._clock.monotonic() if self._since is None else self._since

    def over(self) -> None:
        """The loop got through."""
        now = self._clock.monotonic()
        if self._since is not None and now - self._since >= OUTAGE_S:
            self._quiet_until = now + self._holdoff_s
        self._since = None

    def holding_off(self) -> bool:
        """Whether clients may still be coming back with what they were refused."""
        return self._clock.monotonic() < self._quiet_until
