"""One hop of a lane: from what groups have committed of its sources to a claim about its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from tern_common import failpoints
from tern_common.bus import Log, Message, Producer
from tern_common.clock import Clock
from tern_common.errors import Misconfigured
from tern_common.events import Claim, encode
from tern_common.headers import headers_of
from tern_common.meters import UNMETERED, Meter
from tern_common.progress.claims import Claims
from tern_common.topics import PROGRESS

_STARTS_EVERY = 10

Ends = Mapping[str, Mapping[int, int]]
"""topic → partition → offset"""


@dataclass(frozen=True)
class Passage:
    """What a lane is in one service. `sources`: topic → the group that reads it; `outputs`: every topic on which
    something that follows from the sources may stand, and that somebody further on waits for."""

    service: str
    lane: str
    sources: Mapping[str, str]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Hop:
    """A passage, and through what it is observed and claimed. `claims` are followed."""

    passage: Passage
    log: Log
    producer: Producer
    clock: Clock
    claims: Claims
    meter: Meter = UNMETERED

    async def source_ends(self) -> dict[str, dict[int, int]]:
        """The ends of the sources now. Raises `Transient`."""
        return {topic: await self.log.ends(topic) for topic in self.passage.sources}

    async def until_committed(self, ends: Ends, look_s: float) -> None:
        """Returns when the groups have committed up to `ends` in every partition."""
        for look in count(1):
            left = [await self._left(topic, ends[topic], look) for topic in self.passage.sources]
            self.meter.lag(sum(left))
            if not any(left):
                return
            await self.clock.sleep(look_s)

    async def _left(self, topic: str, ends: Mapping[int, int], look: int) -> int:
        """Records below `ends` that the topic's group has not committed. Starts are asked for only now and then."""
        committed = await self.log.committed(self.passage.sources[topic], topic)
        starts: Mapping[int, int] = {}
        if look % _STARTS_EVERY == 0 or not ends.keys() <= committed.keys():
            starts = await self.log.starts(topic)
        left = _missing(ends, committed, starts)
        if not left:
            await self._check_not_recreated(topic, ends, committed)
        return left

    async def _check_not_recreated(self, topic: str, ends: Mapping[int, int], committed: Mapping[int, int]) -> None:
        """A group cannot have read past the end. `ends` may be old, so a suspicion is looked into."""
        if all(committed.get(partition, 0) <= end for partition, end in ends.items()):
            return
        fresh = await self.log.ends(topic)
        ahead = [partition for partition, offset in committed.items() if offset > fresh.get(partition, 0)]
        if ahead:
            raise Misconfigured(
                f"group {self.passage.sources[topic]} has committed past the end of {topic}, partitions {ahead}: the "
                "topic was recreated; reset the group's offsets, then start again"
            )

    async def claim(self, at: datetime, interruptions: int) -> bool:
        """Reads the ends of the outputs — after the commits, or outputs would be missed — and publishes.

        Unless a topic has been growing at any time since `interruptions` pauses were known: what was read of it may be
        of before. So the topic of claims is read up to its end first; it cannot be missed that nobody is to claim.
        Whether it claimed. Raises `Transient`.
        """
        await self.claims.until_current(self.log)
        if self.claims.paused or self.claims.interruptions != interruptions:
            return False
        ends = {topic: await self.log.ends(topic) for topic in self.passage.outputs}
        claim = Claim(
            service=self.passage.service,
            lane=self.passage.lane,
            at=at,
            ends={topic: {str(partition): end for partition, end in sorted(of.items())} for topic, of in ends.items()},
        )
        value = encode(claim)
        key = f"{claim.service}/{claim.lane}".encode()
        failpoints.reached("progress.covered")
        await self.producer.send([Message(PROGRESS, key, value, headers_of("claim", value, claim.lane))])
        return True


def _missing(ends: Mapping[int, int], committed: Mapping[int, int], starts: Mapping[int, int]) -> int:
    """Records below `ends` that the group has not committed.

    No committed offset counts as the log's start, never as passed. Neither is below the start anything left to read.
    """
    return sum(
        max(0, end - max(committed.get(partition, 0), starts.get(partition, 0))) for partition, end in ends.items()
    )
