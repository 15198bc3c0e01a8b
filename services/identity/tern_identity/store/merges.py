"""Merges by the id under which they were told: what an operator names to take one back (identity.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_identity.domain.ledger import Link

_REMEMBER = """
INSERT INTO merge (merge_id, a, b, at)
SELECT * FROM unnest($1::text::uuid[], $2::text::bigint[], $3::text::bigint[], $4::text::timestamptz[])
ON CONFLICT DO NOTHING
"""

_FIND = "SELECT a, b FROM merge WHERE merge_id = $1"


class Merging(NamedTuple):
    """The pair of nodes that made a merge."""

    a: int
    b: int


async def remember_merges(conn: Connection, merges: Mapping[UUID, Link]) -> None:
    """Each is remembered once, by the pair that made it."""
    rows = [(merge_id, link.a, link.b, link.at.time) for merge_id, link in sorted(merges.items())]
    if rows:
        await conn.execute(_REMEMBER, *columns(rows))


async def merge_of(conn: Connection, merge_id: UUID) -> Merging | None:
    """The pair behind a merge id; None for one that was never told."""
    row = await conn.fetchrow(_FIND, merge_id)
    return None if row is None else Merging(*row)
