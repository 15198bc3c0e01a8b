"""Seals stored values anew with the current key, so that an old one can be dropped. Waits for nobody."""

from __future__ import annotations

from typing import NamedTuple

from tern_common.db import Pool, transaction
from tern_common.sealing import Sealer

_LOCK = """
SELECT node_id, original FROM node
WHERE node_id = ANY($1::bigint[]) AND original IS NOT NULL
ORDER BY node_id FOR UPDATE SKIP LOCKED
"""

_WRITE = """
UPDATE node SET original = n.original FROM unnest($1::bigint[], $2::bytea[]) AS n (node_id, original)
WHERE node.node_id = n.node_id
"""

_LEFT = """
SELECT node_id FROM node
WHERE node_id > $1 AND node_id <= $2 AND original IS NOT NULL AND substr(original, 1, length($3::bytea)) <> $3
ORDER BY node_id LIMIT $4
"""


class Resealed(NamedTuple):
    """How many values were sealed anew, and up to which node none is left."""

    values: int
    upto: int


async def reseal(pool: Pool, sealer: Sealer, after: int, last: int, size: int) -> Resealed:
    """At most `size` values above node `after`. Rows that others have locked are left for the next time. Raises
    `Misconfigured` when a key that is needed is not there."""
    async with transaction(pool) as conn:
        left = [row[0] for row in await conn.fetch(_LEFT, after, last, sealer.head, size)]
        rows = await conn.fetch(_LOCK, left)
        if rows:
            sealed = [sealer.seal(sealer.open(original)) for _, original in rows]
            await conn.execute(_WRITE, [row[0] for row in rows], sealed)
    missed = sorted(set(left) - {row[0] for row in rows})
    upto = missed[0] - 1 if missed else left[-1] if len(left) == size else last
    return Resealed(len(rows), upto)
