"""Weak nodes under lock, and who holds them (identity.md §8.6).

A browser's row is locked before its claims are read: whoever comes last sees every other change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from tern_common.db import Connection
from tern_identity.domain.holding import NEVER, Claimed, Held, holder

_CLAIMED_BY = "SELECT DISTINCT weak FROM claim WHERE strong = ANY($1::bigint[])"

_LOCK = """
SELECT node_id, holder, shared_from FROM node WHERE node_id = ANY($1::bigint[]) ORDER BY node_id FOR UPDATE
"""

_CLAIMS = """
SELECT c.weak, c.strong, c.rank, min(c.day) AS day, s.core, s.guard IS NULL AND NOT s.crowded AS counts
FROM claim c JOIN node s ON s.node_id = c.strong
WHERE c.weak = ANY($1::bigint[])
GROUP BY c.weak, c.strong, c.rank, s.core, counts
"""

_WRITE = """
UPDATE node SET holder = n.holder, shared_from = n.shared_from
FROM unnest($1::bigint[], $2::bigint[], $3::int[]) AS n (node_id, holder, shared_from)
WHERE node.node_id = n.node_id
"""


def held_of(who: int | None, since: int | None) -> Held:
    """As the columns say it: no `shared_from` is never."""
    return Held(who, NEVER if since is None else since)


async def claimed_by(conn: Connection, strong: Collection[int]) -> set[int]:
    """The browsers that these were seen on."""
    return {row[0] for row in await conn.fetch(_CLAIMED_BY, list(strong))} if strong else set()


async def rehold(conn: Connection, claimed: Iterable[int], filed: Iterable[int], moved: Collection[int]) -> set[int]:
    """Locks all of these in order and computes anew who holds the `claimed`; `filed` only have new homes.

    Returns those whose homes may have another customer: another holder, or one that `moved`.
    """
    doubtful = set(claimed)
    if not (locked := doubtful | set(filed)):
        return set()
    stored = {node_id: held_of(who, since) for node_id, who, since in await conn.fetch(_LOCK, sorted(locked))}
    if not doubtful:
        return set()
    now = await _held_now(conn, doubtful)
    changed = {node_id for node_id, held in now.items() if held != stored[node_id]}
    if changed:
        rows = [(node_id, now[node_id].holder, _since(now[node_id])) for node_id in sorted(changed)]
        await conn.execute(_WRITE, *map(list, zip(*rows, strict=True)))
    return changed | {node_id for node_id, held in now.items() if held.holder in moved}


async def _held_now(conn: Connection, weak: Collection[int]) -> dict[int, Held]:
    claims: dict[int, list[Claimed]] = defaultdict(list)
    for node_id, *claim in await conn.fetch(_CLAIMS, list(weak)):
        claims[node_id].append(Claimed(*claim))
    return {node_id: holder(claims[node_id]) for node_id in weak}


def _since(held: Held) -> int | None:
    return None if held.shared_from == NEVER else held.shared_from
