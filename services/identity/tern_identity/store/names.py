"""Identifiers and their nodes: who has a number, and births (identity.md §8.2).

A birth stands in a statement of its own: an orphan node harms nobody, and other writers wait for a moment only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tern_common.clock import Clock
from tern_common.db import Connection
from tern_common.hashing import Hasher
from tern_common.identifiers import NAMESPACES, Identifier
from tern_common.ids import new_uuid7
from tern_common.sealing import Sealer
from tern_identity.domain.ledger import Node

_FIND = "SELECT hash, node_id FROM node WHERE era = 0 AND hash = ANY($1::bytea[])"

_NUMBERS = "SELECT nextval('node_id') FROM generate_series(1, $1)"

_BEAR_STRONG = """
WITH born AS (
    INSERT INTO node (node_id, hash, ns, token, original, grp, core, crowded)
    SELECT n.node_id, n.hash, n.ns, n.token, n.original, n.node_id, n.node_id, false
    FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::uuid[], $5::bytea[])
         AS n (node_id, hash, ns, token, original)
    ORDER BY n.hash
    ON CONFLICT DO NOTHING
    RETURNING node_id
)
INSERT INTO grp (grp) SELECT node_id FROM born
"""

_BEAR_WEAK = """
INSERT INTO node (node_id, hash, ns, token, original, shared_token)
SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::uuid[], $5::bytea[], $6::uuid[])
       AS n (node_id, hash, ns, token, original, shared_token)
ORDER BY n.hash
ON CONFLICT DO NOTHING
"""


class Keys(NamedTuple):
    """What turns identifiers into names that may be stored."""

    hasher: Hasher
    sealer: Sealer
    clock: Clock


async def nodes_of(conn: Connection, identifiers: Sequence[Identifier], keys: Keys) -> dict[Identifier, Node]:
    """The node of each identifier; those not seen before are born, numbered in the order given."""
    hashes = {identifier: keys.hasher.identifier(*identifier) for identifier in identifiers}
    known = await _find(conn, hashes.values())
    unborn = [identifier for identifier in identifiers if hashes[identifier] not in known]
    if unborn:
        await _bear(conn, unborn, hashes, keys)
        known |= await _find(conn, [hashes[identifier] for identifier in unborn])
    return {identifier: Node(known[hash_], identifier.namespace, hash_) for identifier, hash_ in hashes.items()}


async def _find(conn: Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    return {row[0]: row[1] for row in await conn.fetch(_FIND, list(hashes))}


async def _bear(conn: Connection, unborn: Sequence[Identifier], hashes: Mapping[Identifier, bytes], keys: Keys) -> None:
    now = keys.clock.now()
    numbers = sorted(number for (number,) in await conn.fetch(_NUMBERS, len(unborn)))
    strong: list[tuple[object, ...]] = []
    weak: list[tuple[object, ...]] = []
    for number, one in zip(numbers, unborn, strict=True):
        row = (number, hashes[one], one.namespace, new_uuid7(now), keys.sealer.seal(one.value))
        if NAMESPACES[one.namespace].kind == "weak":
            weak.append((*row, new_uuid7(now)))
        else:
            strong.append(row)
    for statement, rows in ((_BEAR_STRONG, strong), (_BEAR_WEAK, weak)):
        if rows:
            await conn.execute(statement, *map(list, zip(*rows, strict=True)))
