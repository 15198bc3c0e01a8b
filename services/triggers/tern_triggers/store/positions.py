"""Rows of `position` and `safe_time`: how far this database has come, shared by all instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from tern_common.bus import Place, Span
from tern_common.db import Connection, Row
from tern_common.lanes import BACKFILL, LIVE, NOTHING_YET
from tern_triggers.domain.rounds import Safe


async def ensure(conn: Connection, topic: str, starts: Mapping[int, int]) -> list[tuple[Place, int]]:
    """Creates missing rows at the log's start and raises rows below it. Returns (place, records lost) of the raised.

    Records below the log's start can be applied by nobody any more.
    """
    partitions = sorted(starts)
    rows = await conn.fetch(
        """
        WITH said AS (
          SELECT * FROM unnest($2::int[], $3::bigint[]) AS said (partition, start)
        ), kept AS (
          SELECT partition, next FROM position WHERE topic = $1 ORDER BY partition FOR UPDATE
        ), written AS (
          INSERT INTO position AS old (topic, partition, next) SELECT $1, partition, start FROM said ORDER BY partition
          ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next WHERE old.next < excluded.next
        )
        SELECT partition, said.start - kept.next FROM said JOIN kept USING (partition) WHERE kept.next < said.start
        """,
        topic,
        partitions,
        [starts[partition] for partition in partitions],
    )
    return [(Place(topic, row[0]), row[1]) for row in rows]


async def advance(conn: Connection, spans: Mapping[Place, Span]) -> list[Place]:
    """Moves positions over what this transaction applies.

    A span that begins above its position leaves a gap: it moves nothing, and safe time waits until the gap has been
    read. Returns the places of such spans.
    """
    places = sorted(spans)
    moved = await conn.fetch(
        """
        WITH locked AS (
          SELECT topic, partition, said.start, said.stop
          FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS said (topic, partition, start, stop)
          JOIN position USING (topic, partition)
          ORDER BY topic, partition FOR UPDATE OF position
        )
        UPDATE position AS kept SET next = greatest(kept.next, said.stop)
        FROM locked AS said
        WHERE (kept.topic, kept.partition) = (said.topic, said.partition) AND said.start <= kept.next
        RETURNING kept.topic, kept.partition
        """,
        [place.topic for place in places],
        [place.partition for place in places],
        [spans[place].start for place in places],
        [spans[place].end for place in places],
    )
    reached = {Place(row[0], row[1]) for row in moved}
    return [place for place in places if place not in reached]


async def of_topics(conn: Connection, topics: list[str]) -> dict[Place, int]:
    """The next offset of every partition that was ever assigned to any instance."""
    rows = await conn.fetch("SELECT topic, partition, next FROM position WHERE topic = ANY($1::text[])", topics)
    return {Place(row[0], row[1]): row[2] for row in rows}


async def raise_safe(conn: Connection, lane: str, at: datetime) -> None:
    """Raises the lane's safe time; it never falls."""
    await conn.execute(
        """
        INSERT INTO safe_time AS kept (lane, at) VALUES ($1, $2)
        ON CONFLICT (lane) DO UPDATE SET at = excluded.at WHERE kept.at < excluded.at
        """,
        lane,
        at,
    )


async def safe(conn: Connection) -> Safe | None:
    """Safe time of the live lane, and of all lanes: the least of theirs. None before the live lane's first.

    The backfill lane is claimed from the start, since nothing in it is soon passed. Until then nothing is safe in all
    lanes: what waits for history does not go by half of it.
    """
    return safe_of(await conn.fetch("SELECT lane, at FROM safe_time"))


def safe_of(rows: Iterable[Row]) -> Safe | None:
    """The same, of rows that begin with a lane and its safe time."""
    reached = {row[0]: row[1] for row in rows}
    if LIVE not in reached:
        return None
    return Safe(reached[LIVE], min(reached[LIVE], reached.get(BACKFILL, NOTHING_YET)))
