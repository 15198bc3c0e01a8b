"""The ledger in SQL: facts that appear or take a minimum, and the operators' words (identity.md §7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tern_common.db import Connection
from tern_identity.domain.ledger import At, ClaimKey, Link, PairKey
from tern_identity.domain.rulings import Ruling, Rulings, rulings_of

_KEEP_PAIRS = """
INSERT INTO pair AS p (a, b, day, source, at, event_id, place)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::timestamptz[], $6::text[], $7::smallint[])
ON CONFLICT (a, b, day, source) DO UPDATE
SET at = excluded.at, event_id = excluded.event_id, place = excluded.place
WHERE (excluded.at, excluded.event_id, excluded.place) < (p.at, p.event_id, p.place)
"""

_KEEP_CLAIMS = """
INSERT INTO claim AS c (weak, strong, rank, day, source, at, event_id)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::int[], $5::text[], $6::timestamptz[], $7::text[])
ON CONFLICT (weak, strong, rank, day, source) DO UPDATE SET at = excluded.at, event_id = excluded.event_id
WHERE (excluded.at, excluded.event_id) < (c.at, c.event_id)
"""

_LINKS = """
SELECT DISTINCT ON (a, b) a, b, at, event_id, place
FROM (
    SELECT p.* FROM unnest($1::bigint[]) AS n (id) JOIN pair p ON p.a = n.id
    UNION ALL
    SELECT p.* FROM unnest($1::bigint[]) AS n (id) JOIN pair p ON p.b = n.id
) AS said
WHERE source <> ALL($2::text[])
ORDER BY a, b, at, event_id, place
"""

_RULINGS = """
SELECT control_id, word, a, b FROM ruling WHERE live AND a = ANY($1::bigint[])
UNION
SELECT control_id, word, a, b FROM ruling WHERE live AND b = ANY($1::bigint[])
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
    rows = await conn.fetch(_LINKS, sorted(nodes), sorted(distrusted))
    return [Link(At(at, event_id, place), a, b) for a, b, at, event_id, place in rows]


async def words_on(conn: Connection, nodes: Collection[int]) -> list[Ruling]:
    """The operators' words that name any of these nodes and hold now."""
    return [Ruling(*row) for row in await conn.fetch(_RULINGS, sorted(nodes))]


async def rulings_on(conn: Connection, nodes: Collection[int]) -> Rulings:
    """The same, in the form in which the fold asks for them."""
    return rulings_of(await words_on(conn, nodes))


def pair_rows(pairs: Mapping[PairKey, At]) -> list[tuple[Any, ...]]:
    """(a, b, day, source, time, event id, place), in key order."""
    return [(*key, *at) for key, at in sorted(pairs.items())]


def claim_rows(claims: Mapping[ClaimKey, At]) -> list[tuple[Any, ...]]:
    """(weak, strong, rank, day, source, time, event id), in key order."""
    return [(*key, *at[:2]) for key, at in sorted(claims.items())]


def columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """Rows as the arrays that `unnest` takes. There is at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]
