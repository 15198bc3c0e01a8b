"""Safe time, one hop at a time: who proves what on `tern.progress.v1`, and who believes it (triggers.md §2).

A claim (service, lane, T, ends) says: all that follows from events acknowledged before T lies below `ends` of my output
topic. Every claim is true by itself, so two claimers, none, or an old claim after a new one cannot hurt: readers keep
the latest T. The module knows offsets and clocks, and no event.

What a claim rests on, beside this file: a group commits an offset only when the outputs of all earlier records are
acknowledged (C1), and derives them again on redelivery (C2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from tern_common.bus import Bus, Log, Message, Place, Producer
from tern_common.clock import Clock
from tern_common.errors import Misconfigured, Poison, Transient
from tern_common.events import Claim, decode_claim, encode
from tern_common.headers import headers_of
from tern_common.logs import logger
from tern_common.meters import UNMETERED, Meter
from tern_common.topics import PROGRESS

OUTAGE_S = 10.0
_LOOKS_PER_INTERVAL = 5
_STARTS_EVERY = 10


class Claims:
    """The newest claim of each (service, lane), for as long as `follow` runs."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._newest: dict[tuple[str, str], Claim] = {}
        self._news = asyncio.Event()

    async def follow(self) -> None:
        """Reads the topic from its start, endlessly. What is not a claim is passed over."""
        async with aclosing(self._bus.tail(PROGRESS)) as records:
            async for record in records:
                try:
                    self.believe(decode_claim(record.value))
                except Poison as wrong:
                    logger.warning("not a claim", reason=wrong.reason, partition=record.partition, offset=record.offset)

    def believe(self, claim: Claim) -> None:
        """Keeps the claim if it is later than the one known."""
        known = self._newest.get((claim.service, claim.lane))
        if known is None or known.at < claim.at:
            self._newest[claim.service, claim.lane] = claim
            self._news.set()
            self._news = asyncio.Event()

    def newest(self, service: str, lane: str) -> Claim | None:
        """The claim with the latest T, or None before the first."""
        return self._newest.get((service, lane))

    async def changed(self) -> None:
        """Returns at the next newer claim of anyone. Look at `newest` before waiting: what came earlier is no news."""
        await self._news.wait()


def covered(positions: Mapping[Place, int], claim: Claim) -> bool:
    """Whether everything below the claim's ends is in. A partition without a position has nothing in."""
    return all(
        positions.get(Place(topic, int(partition)), 0) >= end
        for topic, ends in claim.ends.items()
        for partition, end in ends.items()
    )


@dataclass(frozen=True)
class Hop:
    """From a group's committed offsets on one topic to a claim about another."""

    log: Log
    producer: Producer
    clock: Clock
    group: str
    source_topic: str
    output_topic: str
    service: str
    lane: str
    meter: Meter = UNMETERED

    async def until_committed(self, ends: Mapping[int, int], look_s: float) -> None:
        """Returns when the group has committed up to `ends` in every partition."""
        starts: Mapping[int, int] = {}
        for look in count(1):
            committed = await self.log.committed(self.group, self.source_topic)
            if look % _STARTS_EVERY == 0 or not ends.keys() <= committed.keys():
                starts = await self.log.starts(self.source_topic)
            left = _missing(ends, committed, starts)
            self.meter.lag(left)
            if not left:
                await self._check_not_recreated(ends, committed)
                return
            await self.clock.sleep(look_s)

    async def _check_not_recreated(self, ends: Mapping[int, int], committed: Mapping[int, int]) -> None:
        """A group cannot have read past the end. `ends` may be old, so a suspicion is looked into."""
        if all(committed.get(partition, 0) <= end for partition, end in ends.items()):
            return
        fresh = await self.log.ends(self.source_topic)
        ahead = [partition for partition, offset in committed.items() if offset > fresh.get(partition, 0)]
        if ahead:
            raise Misconfigured(
                f"group {self.group} has committed past the end of {self.source_topic}, partitions {ahead}: the topic "
                "was recreated; reset the group's offsets, then start again"
            )

    async def claim(self, at: datetime) -> None:
        """Reads the output's ends — after the commits, or outputs would be missed — and publishes."""
        ends = await self.log.ends(self.output_topic)
        claim = Claim(
            service=self.service,
            lane=self.lane,
            at=at,
            ends={self.output_topic: {str(partition): end for partition, end in sorted(ends.items())}},
        )
        value = encode(claim)
        key = f"{self.service}/{self.lane}".encode()
        await self.producer.send([Message(PROGRESS, key, value, headers_of("claim", value, self.lane))])


async def claim_source(hop: Hop, *, interval_s: float, holdoff_s: float) -> None:
    """The first hop's loop: from what clients were told is acknowledged, to the service's output. Endless.

    A round every `interval_s` real seconds. After an outage of `OUTAGE_S` no claims for `holdoff_s`: clients that were
    refused come back in that time (triggers.md §2.5). Raises `Misconfigured` when the source topic was recreated.
    """
    outage = _Outage(hop.clock, holdoff_s)
    look_s = interval_s / _LOOKS_PER_INTERVAL
    while True:
        try:
            at = hop.clock.now()  # before anything else: what is acknowledged later than this is not claimed
            ends = await hop.log.ends(hop.source_topic)
            await hop.until_committed(ends, look_s)
            outage.over()
            if not outage.holding_off():
                await hop.claim(at)
        except Transient as wrong:
            outage.goes_on()
            logger.warning("no claim now", service=hop.service, lane=hop.lane, why=str(wrong))
        await hop.clock.sleep(interval_s)


async def claim_relay(hop: Hop, claims: Claims, *, upstream: str, poll_s: float) -> None:
    """A later hop's loop: each newer claim of `upstream` is passed on once it is true of the own output. Endless.

    Looks every `poll_s` real seconds. Raises `Misconfigured` when the source topic was recreated.
    """
    passed: datetime | None = None
    while True:
        claim = claims.newest(upstream, hop.lane)
        if claim is None or claim.at == passed or hop.source_topic not in claim.ends:
            await claims.changed()
            continue
        try:
            ends = {int(partition): end for partition, end in claim.ends[hop.source_topic].items()}
            await hop.until_committed(ends, poll_s)
            await hop.claim(claim.at)
            passed = claim.at
        except Transient as wrong:
            logger.warning("no claim now", service=hop.service, lane=hop.lane, why=str(wrong))
            await hop.clock.sleep(poll_s)


def _missing(ends: Mapping[int, int], committed: Mapping[int, int], starts: Mapping[int, int]) -> int:
    """Records below `ends` that the group has not committed.

    No committed offset counts as the log's start, never as passed. Neither is below the start anything left to read.
    """
    return sum(
        max(0, end - max(committed.get(partition, 0), starts.get(partition, 0))) for partition, end in ends.items()
    )


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
