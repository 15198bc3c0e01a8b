"""Adding partitions to a topic in the steps that keep every claim of progress true (triggers.md §2.1, C4).

For some seconds after a growth one broker or client knows the new partitions and another does not. A claim made of two
such views could leave out a partition that already holds an acknowledged record. So nobody claims meanwhile: decisions
that wait for safe time are late by that much, and nothing is decided wrongly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from tern_common.bus import Bus, Message
from tern_common.clock import Clock
from tern_common.errors import Misconfigured, Transient
from tern_common.events import PAUSE_KEY, Pause, decode_pause, encode
from tern_common.headers import headers_of
from tern_common.topics import BY_NAME, FAMILIES, PROGRESS, triggers_topic

LEASE_S = 300.0
"""A pause that nobody ends, because the command was killed, ends by itself after so long."""
SKEW_S = 30.0
"""By so much the clock of a claimer may be ahead of ours: its pause is over so much earlier."""
_POLL_S = 0.25
_WHOLE = {
    PROGRESS: "claims keep their order in one partition",
    **{triggers_topic(f): "a retraction must not overtake its trigger" for f in FAMILIES},
}

Say = Callable[[str], None]


class Pace(NamedTuple):
    """Real seconds. `quiet_s`: so long without a claim means that all heed the pause, at least two rounds of every
    claimer. `settle_s`: until every client has read its metadata anew: three times their age."""

    quiet_s: float = 10.0
    settle_s: float = 30.0


class Growing:
    """One growth. `clock` is the real one; `say` is told each step."""

    def __init__(self, bus: Bus, clock: Clock, pace: Pace, say: Say) -> None:
        self._bus = bus
        self._clock = clock
        self._pace = pace
        self._say = say

    async def grow(self, topic: str, partitions: int) -> None:
        """Returns when the topic has so many partitions and claims go on. Refuses what must not be done.

        Raises `Misconfigured` for that, and `Transient` when claims do not stop, or a broker does not answer: then
        nothing was changed, unless the message says so.
        """
        had = await self._refuse_what_must_not_be(topic, partitions)
        if had == partitions:
            self._say(f"{topic} has {partitions} partitions: nothing to do")
            return
        async with self._paused() as until:
            await self._until_quiet(until)
            self._say(f"nobody claims: {topic} grows from {had} to {partitions} partitions")
        await self._add(topic, partitions, until)
        await self._lift(until)
        self._say("claims go on")

    async def _refuse_what_must_not_be(self, topic: str, partitions: int) -> int:
        """How many partitions the topic has."""
        if topic in _WHOLE:
            raise Misconfigured(f"{topic} cannot grow: {_WHOLE[topic]}")
        found = (await self._bus.log.shapes()).get(topic)
        if found is None or topic not in BY_NAME:
            raise Misconfigured(f"{topic} is no topic of this platform: `tern topics check` lists them")
        if partitions < found.partitions:
            raise Misconfigured(f"{topic} has {found.partitions} partitions, and a topic cannot shrink")
        pause = await self._standing()
        if pause is not None and pause.until > self._clock.now():
            raise Misconfigured(
                f"a topic is growing, or its growth was interrupted: claims pause until {pause.until:%H:%M:%S} UTC; "
                "try again then"
            )
        return found.partitions

    async def _standing(self) -> Pause | None:
        """The pause that stands on the topic of claims, over or not."""
        end = max((await self._bus.log.ends(PROGRESS)).values())
        found: Pause | None = None
        if not end:
            return found
        async with aclosing(self._bus.tail(PROGRESS)) as records:
            async for record in records:
                if record.key == PAUSE_KEY:
                    found = decode_pause(record.value) if record.value else None
                if record.offset + 1 >= end:
                    return found
        return found

    @asynccontextmanager
    async def _paused(self) -> AsyncIterator[datetime]:
        """The pause begins; yields its end. What goes wrong inside ends it at once, as nothing has grown yet."""
        until = self._clock.now() + timedelta(seconds=LEASE_S)
        value = encode(Pause(until=until))
        await self._bus.producer.send([Message(PROGRESS, PAUSE_KEY, value, headers_of("pause", value))])
        try:
            yield until
        except BaseException:
            await self._lift(until)
            raise

    async def _lift(self, until: datetime) -> None:
        """Ends our own pause, and nobody else's."""
        if await self._is_ours(until):
            await self._bus.producer.send([Message(PROGRESS, PAUSE_KEY, b"", headers_of("pause", b""))])

    async def _is_ours(self, until: datetime) -> bool:
        standing = await self._standing()
        return standing is not None and standing.until == until

    async def _until_quiet(self, until: datetime) -> None:
        """Returns when nothing was written to the topic of claims for as long as it takes, in good time."""
        last, since = await self._bus.log.ends(PROGRESS), self._clock.monotonic()
        while self._clock.monotonic() - since < self._pace.quiet_s:
            if not self._leaves_time(until):
                raise Transient("claims do not stop: some service does not heed the pause, or is of an older version")
            await self._clock.sleep(_POLL_S)
            ends = await self._bus.log.ends(PROGRESS)
            if ends != last:
                last, since = ends, self._clock.monotonic()
        if not await self._is_ours(until):
            raise Transient("another growth began at the same time: it goes on, this one does not")

    def _leaves_time(self, until: datetime) -> bool:
        """Whether the pause lasts for a growth that begins now, for all claimers: half of it stays in reserve."""
        needed = max(self._pace.settle_s + SKEW_S, LEASE_S / 2)
        return (until - self._clock.now()).total_seconds() > needed

    async def _add(self, topic: str, partitions: int, until: datetime) -> None:
        """From here on the pause is not ended early: partitions may have been added whatever an answer says."""
        try:
            await self._bus.log.grow(topic, partitions)
            self._say(f"waiting {self._pace.settle_s:g} s until everybody knows the new partitions")
            await self._clock.sleep(self._pace.settle_s)
        except BaseException:
            self._say(f"the topic may have grown: claims go on by themselves at {until:%H:%M:%S} UTC")
            raise
