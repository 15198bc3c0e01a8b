"""Rows of `profile`, and what they are made of. A customer's row is its lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from tern_common.arrays import array, columns
from tern_common.db import UNHURRIED, Connection

_LOCK = """
INSERT INTO profile (customer_id, profile_version) SELECT said, 0 FROM unnest($1::text::uuid[]) AS said ORDER BY said
ON CONFLICT (customer_id) DO UPDATE SET profile_version = profile.profile_version WHERE false
"""

_STORED = "SELECT customer_id::text, profile_version, digest FROM profile WHERE customer_id = ANY($1::uuid[])"

_SOURCES = """
SELECT customer_id::text, min(first_at), max(last_at), bool_or(shared),
       array_agg(standing) FILTER (WHERE first_at IS NOT NULL), array_agg(rhythm) FILTER (WHERE first_at IS NOT NULL)
FROM home WHERE customer_id = ANY($1::uuid[]) GROUP BY customer_id
"""

_SURVIVORS = """
WITH RECURSIVE chain (origin, customer_id, depth) AS (
    SELECT said, said, 0 FROM unnest($1::uuid[]) AS said
    UNION ALL
    SELECT chain.origin, moved.into_customer, chain.depth + 1
    FROM chain JOIN moved USING (customer_id)
    WHERE chain.depth < 64 AND NOT EXISTS (SELECT 1 FROM home WHERE home.customer_id = chain.customer_id)
)
SELECT DISTINCT ON (origin) origin::text, customer_id::text FROM chain ORDER BY origin, depth DESC
"""
"""Follows the edges up to a customer that has homes. The depth ends a cycle that a late record has yet to resolve."""

_SAVE = """
UPDATE profile SET profile_version = said.profile_version, digest = said.digest, record = said.record
FROM unnest($1::text::uuid[], $2::text::bigint[], $3::text::bytea[], $4::json[])
    AS said (customer_id, profile_version, digest, record)
WHERE profile.customer_id = said.customer_id
"""

_DUE = """
SELECT customer_id::text, profile_version, record FROM profile
WHERE customer_id = ANY($1::uuid[]) AND record IS NOT NULL
  AND (published_version < profile_version OR customer_id = ANY($2::uuid[]))
"""

# A note that a crash of the database undoes is one more copy: nobody waits for the disk. Whoever commits a higher
# version after this statement began publishes it after what was sent here.
_SETTLE = f"""
WITH {UNHURRIED}, said AS (
    SELECT customer_id, said.version
    FROM unnest($1::text::uuid[], $2::text::bigint[]) AS said (customer_id, version) CROSS JOIN unhurried
), noted AS (
    UPDATE profile SET published_version = sent.version
    FROM (
        SELECT customer_id, said.version FROM profile JOIN said USING (customer_id)
        WHERE published_version < said.version ORDER BY customer_id FOR NO KEY UPDATE OF profile
    ) AS sent
    WHERE profile.customer_id = sent.customer_id
)
SELECT customer_id::text, profile_version, record
FROM profile JOIN said USING (customer_id) WHERE profile_version > said.version
"""  # noqa: S608


class Stored(NamedTuple):
    """What was published last. Version 0 and no digest: nothing yet."""

    version: int
    digest: bytes | None


class Source(NamedTuple):
    """What a customer's homes come to, and of each that has events its standing and its rhythm, still as JSON text."""

    first_at: datetime | None
    last_at: datetime | None
    shared: bool
    texts: list[tuple[str | None, str | None]]


class Publication(NamedTuple):
    """A public record of this version, encoded."""

    customer_id: str
    version: int
    record: str


class Made(NamedTuple):
    """A record to be kept and published."""

    version: int
    digest: bytes
    record: str


async def lock(conn: Connection, customers: Collection[str]) -> None:
    """Creates and locks, ascending."""
    await conn.execute(_LOCK, array(customers))


async def stored(conn: Connection, customers: Collection[str]) -> dict[str, Stored]:
    """Of locked customers."""
    rows = await conn.fetch(_STORED, list(customers))
    return {customer: Stored(version, digest) for customer, version, digest in rows}


async def sources(conn: Connection, customers: Collection[str]) -> dict[str, Source]:
    """Of customers that have homes."""
    rows = await conn.fetch(_SOURCES, list(customers))
    return {
        customer: Source(first, last, shared, list(zip(standings or (), rhythms or (), strict=True)))
        for customer, first, last, shared, standings, rhythms in rows
    }


async def survivors(conn: Connection, customers: Collection[str]) -> dict[str, str | None]:
    """Customer → who answers for it now: itself, as long as it has homes or nobody knows where it went; None where all
    that it had was erased."""
    if not customers:
        return {}
    return {row[0]: row[1] for row in await conn.fetch(_SURVIVORS, list(customers))}


async def save(conn: Connection, made: Mapping[str, Made]) -> None:
    """Of locked customers."""
    if made:
        numbers = columns((customer, one.version, one.digest) for customer, one in made.items())
        await conn.execute(_SAVE, *numbers, [one.record for one in made.values()])


async def due(conn: Connection, customers: Collection[str], again: Collection[str]) -> list[Publication]:
    """Records that nobody is known to have got acknowledged; of those `again`, whether or not."""
    if not customers:
        return []
    return [Publication(*row) for row in await conn.fetch(_DUE, list(customers), list(again))]


async def settle(conn: Connection, sent: Collection[Publication]) -> list[Publication]:
    """Notes that these versions are on the topic; the stored records of those that have a higher version by now. Locks
    ascending."""
    versions = array([one.customer_id for one in sent]), array([one.version for one in sent])
    return [Publication(*row) for row in await conn.fetch(_SETTLE, *versions)]
