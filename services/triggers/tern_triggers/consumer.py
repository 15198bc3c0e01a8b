"""The Kafka edge: resolved events, membership changes and profiles in; nothing is decided about anybody here, except
that what just arrived may end what was decided before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from tern_common import failpoints
from tern_common.bus import Log, Place, Record
from tern_common.clock import Clock
from tern_common.consume import Batch, Rest
from tern_common.db import Pool, connection, transaction
from tern_common.errors import Misconfigured
from tern_common.logs import logger
from tern_common.topics import PROFILES, RESOLVED, RESOLVED_BACKFILL
from tern_triggers import meters
from tern_triggers.domain.days import Days
from tern_triggers.domain.news import News, read_profile, read_resolved
from tern_triggers.publishing import Publisher
from tern_triggers.store import batch, positions
from tern_triggers.store.batch import Written
from tern_triggers.store.writing import Writing

GROUP = "triggers"
BACKFILL_GROUP = "triggers-backfill"
TOPICS = (RESOLVED, PROFILES)
BACKFILL_TOPICS = (RESOLVED_BACKFILL,)


class Positions:
    """Sees to it that every partition has a position before anything of it is applied."""

    def __init__(self, pool: Pool, log: Log) -> None:
        self._pool = pool
        self._log = log
        self._seen: set[Place] = set()

    async def ensure(self, places: Collection[Place]) -> None:
        """Creates rows for partitions not met before, at the start of what is still kept of them."""
        if not self._seen.issuperset(places):
            await self.raise_to_starts({place.topic for place in places})
            self._seen.update(places)

    async def raise_to_starts(self, topics: Iterable[str]) -> None:
        """Creates missing rows, and raises those below the log's start: what stood there is lost.

        Raises `Misconfigured` where a row is past the log's end.
        """
        await self.check_not_recreated(topics)
        for topic in sorted(topics):
            starts = await self._log.starts(topic)
            async with transaction(self._pool) as conn:
                for place, lost in await positions.ensure(conn, topic, starts):
                    logger.error("records were lost to retention", topic=topic, partition=place.partition, records=lost)

    async def check_not_recreated(self, topics: Iterable[str]) -> None:
        """Raises `Misconfigured` where a position is past the log's end: it belongs to a log that is gone.

        To believe it would be to take for seen what the new log will bring. The ends are read after the positions.
        """
        for topic in sorted(topics):
            async with connection(self._pool) as conn:
                reached = await positions.of_topics(conn, [topic])
            ends = await self._log.ends(topic)
            ahead = sorted(
                place.partition for place, offset in reached.items() if offset > ends.get(place.partition, 0)
            )
            if ahead:
                raise Misconfigured(
                    f"the positions of {topic}, partitions {ahead}, are past its end: the topic was recreated; stop all"
                    f" instances, TRUNCATE triggers.position, reset the offsets of the groups {GROUP} and"
                    f" {BACKFILL_GROUP}, then start again"
                )


class TriggersHandler:
    """`consume.Handler` of the trigger service."""

    def __init__(self, pool: Pool, writing: Writing, known: Positions, publisher: Publisher, clock: Clock) -> None:
        self._pool = pool
        self._writing = writing
        self._positions = known
        self._publisher = publisher
        self._clock = clock
        self._ruleset = writing.ruleset
        self._wanted = self._ruleset.reads
        self._days = Days()

    def decode(self, record: Record) -> News:
        """Raises `Poison`."""
        if record.topic == PROFILES:
            return read_profile(record.value)
        if self._ruleset is not self._writing.ruleset:
            self._ruleset = self._writing.ruleset
            self._wanted = self._ruleset.reads
        return read_resolved(record.value, self._wanted)

    async def apply(self, found: Batch[News]) -> Rest | None:
        """One transaction. Its rest: what it decided and revoked is published, or left to the relay."""
        begun = self._clock.monotonic()
        await self._positions.ensure(found.spans)
        fresh = self._days.new_only(found.items, self._wanted)
        written = await batch.apply(self._pool, self._writing, fresh, found.spans, self._clock.now())
        self._days.note(fresh)
        failpoints.reached("triggers.applied")
        for place in written.gaps:
            logger.error("records are missing: rewind the group", topic=place.topic, partition=place.partition)
        meters.count_decisions(written.decisions)
        for ending in written.ended:
            meters.ENDED.labels(ending.decision.rule, ending.revocation).inc()
        return partial(self._publish, written, begun) if written.letters or written.ended else None

    async def _publish(self, written: Written, begun: float) -> None:
        """Who comes too late for his lease leaves the letters to the relay: once it has sent them, what revokes them
        may be out as well, and they would come after it."""
        lease_s = self._writing.policy.outbox.lease.total_seconds()
        if written.letters and self._clock.monotonic() - begun < lease_s:
            await self._publisher.publish_these(written.letters)
        if written.ended:
            await self._publisher.publish_now()
