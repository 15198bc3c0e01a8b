"""Weak nodes under lock, and who holds them (identity.md §8.6).

A browser's row is locked before its claims are read: whoever comes last sees every other change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from tern_common.arrays import array, columns
from tern_common.db import Connection
from tern_identity.domain.holding import NEVER, Claimed, Held, holder
from tern_identity.domain.rules import Rules
from tern_identity.store.errors import Misread

_CLAIMED_BY = """
SELECT weak FROM claim WHERE strong = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
UNION
SELECT w.node_id FROM ruling r JOIN node w ON w.node_id = r.b AND w.kind = 'weak'
WHERE r.live AND r.word = 'cannot' AND r.a = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
UNION
SELECT w.node_id FROM ruling r JOIN node w ON w.node_id = r.a AND w.kind = 'weak'
WHERE r.live AND r.word = 'cannot' AND r.b = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
"""

_LOCK = """
SELECT node_id, holder, shared_from, stamp, blocked, token, shared_token FROM node
WHERE node_id = ANY (ARRAY(SELECT unnest($1::text::bigint[]))) ORDER BY node_id FOR UPDATE
"""

_CLAIMS = """
SELECT c.weak, c.strong, c.rank, min(c.day) AS day, s.core, s.guard IS NULL AND NOT s.crowded AS counts
FROM claim c JOIN node s ON s.node_id = c.strong
WHERE c.weak = ANY (ARRAY(SELECT unnest($1::text::bigint[]))) AND (c.rank = 1 OR c.source <> ALL($2::text::text[]))
GROUP BY c.weak, c.strong, c.rank, s.core, counts
"""

_KEPT_FROM = """
SELECT r.a, s.core FROM ruling r JOIN node s ON s.node_id = r.b
WHERE r.live AND r.word = 'cannot' AND r.a = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
UNION
SELECT r.b, s.core FROM ruling r JOIN node s ON s.node_id = r.a
WHERE r.live AND r.word = 'cannot' AND r.b = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
"""

_BLOCKED = "SELECT a FROM ruling WHERE live AND word = 'block' AND a = ANY (ARRAY(SELECT unnest($1::text::bigint[])))"

_WRITE = """
UPDATE node SET holder = n.holder, shared_from = n.shared_from
FROM unnest($1::text::bigint[], $2::text::bigint[], $3::text::int[]) AS n (node_id, holder, shared_from)
WHERE node.node_id = n.node_id
"""


class Browser(NamedTuple):
    """A weak node as it stands, with its two ids."""

    held: Held
    token: UUID
    shared_token: UUID | None


@dataclass(frozen=True)
class Reheld:
    """Browsers under lock, by number; `turned`: those whose homes may have another customer."""

    browsers: dict[int, Browser] = field(default_factory=dict)
    turned: frozenset[int] = frozenset()


def held_of(who: int | None, since: int | None) -> Held:
    """As the columns say it: no `shared_from` is never."""
    return Held(who, NEVER if since is None else since)


async def claimed_by(conn: Connection, strong: Collection[int]) -> set[int]:
    """The browsers that these were seen on, and those that an operator keeps from them: whoever joins one who is kept
    away is kept away as well."""
    return {row[0] for row in await conn.fetch(_CLAIMED_BY, array(strong))} if strong else set()


async def rehold(
    conn: Connection, doubtful: Collection[int], filed: Mapping[int, int], moved: Collection[int], rules: Rules
) -> Reheld:
    """Locks all of these in order and computes anew who holds the `doubtful`; `filed` (with the stamps under which they
    were read) have new facts or homes.

    Turned are those that have another holder, or one that `moved`. Raises `Misread` when an operator moved the facts of
    one that is filed.
    """
    if not (locked := set(doubtful) | filed.keys()):
        return Reheld()
    rows = {row[0]: row for row in await conn.fetch(_LOCK, array(sorted(locked)))}
    if any(rows[node_id][3] != stamp for node_id, stamp in filed.items()):
        raise Misread
    was = {node_id: held_of(row[1], row[2]) for node_id, row in rows.items()}
    blocked = {node_id for node_id in doubtful if rows[node_id][4]}
    now = await held_now(conn, doubtful, blocked, rules) if doubtful else {}
    changed = {node_id for node_id, held in now.items() if held != was[node_id]}
    if changed:
        await conn.execute(_WRITE, *columns((one, now[one].holder, _since(now[one])) for one in sorted(changed)))
    return Reheld(
        {node_id: Browser(now.get(node_id, was[node_id]), row[5], row[6]) for node_id, row in rows.items()},
        frozenset(changed | {node_id for node_id, held in now.items() if held.holder in moved}),
    )


async def held_now(conn: Connection, weak: Collection[int], blocked: Collection[int], rules: Rules) -> dict[int, Held]:
    out = {*blocked, *(row[0] for row in await conn.fetch(_BLOCKED, array(sorted(weak))))}
    among = array(sorted(set(weak) - out))  # a kiosk may have been claimed by fifty thousand
    kept_from: dict[int, set[int]] = defaultdict(set)
    for node_id, core in await conn.fetch(_KEPT_FROM, among):
        kept_from[node_id].add(core)
    claims: dict[int, list[Claimed]] = defaultdict(list)
    for node_id, strong, rank, day, core, counts in await conn.fetch(_CLAIMS, among, array(sorted(rules.distrusted))):
        claims[node_id].append(Claimed(strong, rank, day, core, counts and core not in kept_from[node_id]))
    return {node_id: holder(claims[node_id], blocked=node_id in out) for node_id in weak}


def _since(held: Held) -> int | None:
    return None if held.shared_from == NEVER else held.shared_from
