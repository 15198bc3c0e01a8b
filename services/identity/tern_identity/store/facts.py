"""The ledger in SQL: facts that appear or take a minimum, and the operators' words (identity.md §7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tern_common.arrays import array, columns
from tern_common.db import Connection
from tern_identity.domain.ledger import At, ClaimKey, Link, PairKey
from tern_identity.domain.rulings import Ruling, Rulings, rulings_of

_KEEP_PAIRS = """
INSERT INTO pair AS p (a, b, day, source, at, event_id, place)
SELECT * FROM unnest(
    $1::text::bigint[], $2::text::bigint[], $3::text::int[], $4::text::text[],
    $5::text::timestamptz[], $6::text::text[], $7::text::smallint[]
)
ON CONFLICT (a, b, day, source) DO UPDATE
SET at = excluded.at, event_id = excluded.event_id, place = excluded.place
WHERE (excluded.at, excluded.event_id, excluded.place) < (p.at, p.event_id, p.place)
"""

_KEEP_CLAIMS = """
INSERT INTO claim AS c (weak, strong, rank, day, source, at, event_id)
SELECT * FROM unnest(
    $1::text::bigint[], $2::text::bigint[], $3::text::smallint[], $4::text::int[],
    $5::text::text[], $6::text::timestamptz[], $7::text::text[]
)
ON CONFLICT (weak, strong, rank, day, source) DO UPDATE SET at = excluded.at, event_id = excluded.event_id
WHERE (excluded.at, excluded.event_id) < (c.at, c.event_id)
"""

_LINKS = """
SELECT DISTINCT ON (a, b) a, b, at, event_id, place
FROM (
    SELECT * FROM pair WHERE a = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
    UNION ALL
    SELECT * FROM pair WHERE b = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
) AS said
WHERE source <> ALL($2::text::text[])
ORDER BY a, b, at, event_id, place
"""

_RULINGS = """
SELECT control_id, word, a, b FROM ruling WHERE live AND a = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
UNION
SELECT control_id, word, a, b FROM ruling WHERE live AND b = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
"""


async def keep_facts(conn: Connection, pairs: Mapping[PairKey, At], claims: Mapping[ClaimKey, At]) -> None:
    """Facts appear, or take a minimum. Their groups are locked, so nobody else writes them."""
    if pairs:
        await conn.execute(_KEEP_PAIRS, *columns(pair_rows(pairs)))
    if claims:
        await conn.execute(_KEEP_CLAIMS, *columns(claim_rows(claims)))


async def links_of(conn: Connection, nodes: Collection[int], distrusted: Collection[str]) -> list[Link]:
    """The first saying of every pair that ends in these nodes, by sources that are trusted."""
    if not nodes:
        return []
    rows = await conn.fetch(_LINKS, array(sorted(nodes)), array(sorted(distrusted)))
    return [Link(At(at, event_id, place), a, b) for a, b, at, event_id, place in rows]


async def words_on(conn: Connection, nodes: Collection[int]) -> list[Ruling]:
    """The operators' words that name any of these nodes and hold now."""
    return [Ruling(*row) for row in await conn.fetch(_RULINGS, array(sorted(nodes)))]


async def rulings_on(conn: Connection, nodes: Collection[int]) -> Rulings:
    """The same, in the form in which the fold asks for them."""
    return rulings_of(await words_on(conn, nodes))


def pair_rows(pairs: Mapping[PairKey, At]) -> list[tuple[Any, ...]]:
    """(a, b, day, source, time, event id, place), in key order."""
    return [(*key, *at) for key, at in sorted(pairs.items())]


def claim_rows(claims: Mapping[ClaimKey, At]) -> list[tuple[Any, ...]]:
    """(weak, strong, rank, day, source, time, event id), in key order."""
    return [(*key, *at[:2]) for key, at in sorted(claims.items())]
