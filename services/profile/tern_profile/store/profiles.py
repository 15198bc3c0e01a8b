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

_SOURCES = """
SELECT customer_id::text, profile_version, digest, record IS NOT NULL AND published_version < profile_version, homes.*
FROM profile CROSS JOIN LATERAL (
    SELECT min(first_at), max(last_at), bool_or(shared),
           array_agg(standing) FILTER (WHERE first_at IS NOT NULL),
           array_agg(rhythm) FILTER (WHERE first_at IS NOT NULL)
    FROM home WHERE home.customer_id = profile.customer_id
) AS homes
WHERE customer_id = ANY($1::uuid[])
"""
"""Of who has no homes `bool_or` is NULL."""

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

_STANDING = """
SELECT customer_id::text, profile_version, record FROM profile
WHERE customer_id = ANY($1::uuid[]) AND record IS NOT NULL
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


class Source(NamedTuple):
    """What was published last (version 0 and no digest: nothing yet), and whether nobody is known to have got it
    acknowledged. What a customer's homes come to, and of each that has events its standing and its rhythm, still as
    JSON text; `shared` None: he has no homes."""

    version: int
    digest: bytes | None
    owed: bool
    first_at: datetime | None
    last_at: datetime | None
    shared: bool | None
    standings: list[str | None] | None
    rhythms: list[str | None] | None

    @property
    def texts(self) -> list[tuple[str | None, str | None]]:
        """Of each home that has events."""
        return list(zip(self.standings or (), self.rhythms or (), strict=True))


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


async def sources(conn: Connection, customers: Collection[str]) -> dict[str, Source]:
    """Of locked customers."""
    rows = await conn.fetch(_SOURCES, list(customers))
    return {customer: Source(*rest) for customer, *rest in rows}


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


async def standing(conn: Connection, customers: Collection[str]) -> list[Publication]:
    """Their records as they stand."""
    if not customers:
        return []
    return [Publication(*row) for row in await conn.fetch(_STANDING, list(customers))]


async def settle(conn: Connection, sent: Collection[Publication]) -> list[Publication]:
    """Notes that these versions are on the topic; the stored records of those that have a higher version by now. Locks
    ascending."""
    versions = array([one.customer_id for one in sent]), array([one.version for one in sent])
    return [Publication(*row) for row in await conn.fetch(_SETTLE, *versions)]
