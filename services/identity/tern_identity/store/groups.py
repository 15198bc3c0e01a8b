"""Groups under lock: what they are, what the ledger says of them, and what they become (identity.md §8.4, §8.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tern_common.db import Connection
from tern_identity.domain.collapsing import Said
from tern_identity.domain.ledger import At, Link, Node, in_fold_order
from tern_identity.domain.regrouping import Regrouped, Strong, freed, guards_after, moved, regroup
from tern_identity.domain.rules import Rules
from tern_identity.store.news import ClaimKey, PairKey, claim_rows, pair_rows

_LOCK = """
SELECT grp FROM grp
WHERE grp IN (SELECT grp FROM node WHERE node_id = ANY($1::bigint[]))
ORDER BY grp FOR UPDATE
"""

_COLUMNS = "node_id, ns, hash, grp, core, guard, token, crowded"
_LOAD_GROUPS = f"SELECT {_COLUMNS} FROM node WHERE grp = ANY($1::bigint[])"  # noqa: S608
_LOAD_NODES = f"SELECT {_COLUMNS} FROM node WHERE node_id = ANY($1::bigint[])"  # noqa: S608

_KEEP_PAIRS = """
INSERT INTO pair AS p (a, b, day, at, event_id, place, source)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::timestamptz[], $5::text[], $6::smallint[], $7::text[])
ON CONFLICT (a, b, day) DO UPDATE
SET at = excluded.at, event_id = excluded.event_id, place = excluded.place, source = excluded.source
WHERE (excluded.at, excluded.event_id, excluded.place) < (p.at, p.event_id, p.place)
"""

_KEEP_CLAIMS = """
INSERT INTO claim AS c (weak, strong, rank, day, at, event_id)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::int[], $5::timestamptz[], $6::text[])
ON CONFLICT (weak, strong, rank, day) DO UPDATE SET at = excluded.at, event_id = excluded.event_id
WHERE (excluded.at, excluded.event_id) < (c.at, c.event_id)
"""

_LOAD_LINKS = """
SELECT DISTINCT ON (a, b) a, b, at, event_id, place
FROM (
    SELECT p.* FROM unnest($1::bigint[]) AS n (id) JOIN pair p ON p.a = n.id
    UNION ALL
    SELECT p.* FROM unnest($1::bigint[]) AS n (id) JOIN pair p ON p.b = n.id
) AS said
ORDER BY a, b, at, event_id, place
"""

_WRITE = """
UPDATE node SET grp = n.grp, core = n.core, guard = n.guard
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS n (node_id, grp, core, guard)
WHERE node.node_id = n.node_id
"""

_COUNT_BROWSERS = """
SELECT n.id FROM unnest($1::bigint[]) AS n (id)
WHERE (SELECT count(*) FROM (SELECT DISTINCT weak FROM claim WHERE strong = n.id LIMIT $2) AS seen) >= $2
"""

_CROWD = "UPDATE node SET crowded = true WHERE node_id = ANY($1::bigint[])"

_TELL = """
INSERT INTO refusal (a, b) SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT DO NOTHING RETURNING a, b
"""


class GroupsMoved(Exception):
    """A group changed while its lock was waited for, or more must be locked: begin again, with `nodes` as well."""

    def __init__(self, nodes: Collection[int] = ()) -> None:
        super().__init__("begin again")
        self.nodes = frozenset(nodes)


@dataclass
class Locked:
    """The strong nodes of every locked group, as they stood."""

    strong: dict[int, Strong] = field(default_factory=dict)
    tokens: dict[int, UUID] = field(default_factory=dict)
    crowded: set[int] = field(default_factory=set)

    def add(self, rows: Iterable[Any]) -> None:
        for node_id, ns, hash_, grp, core, guard, token, crowded in rows:
            self.strong[node_id] = Strong(Node(node_id, ns, hash_), grp, core, guard)
            self.tokens[node_id] = token
            if crowded:
                self.crowded.add(node_id)


@dataclass(frozen=True)
class Outcome:
    """What the fold of the touched groups came to. `links`: news, in fold order. `untold`: refusals to be told."""

    before: dict[int, Strong]
    after: dict[int, Strong]
    partners: dict[int, int]
    links: list[Link]
    untold: list[Link]
    moved: set[int]


NOTHING_FOLDED = Outcome({}, {}, {}, [], [], set())


async def lock(conn: Connection, nodes: Sequence[int]) -> Locked:
    """Locks the groups of these nodes in order, and looks again. Raises `GroupsMoved` when one is another's by now."""
    locked = Locked()
    if not nodes:
        return locked
    groups = [row[0] for row in await conn.fetch(_LOCK, nodes)]
    locked.add(await conn.fetch(_LOAD_GROUPS, groups))
    if not locked.strong.keys() >= set(nodes):
        raise GroupsMoved
    return locked


async def keep_facts(conn: Connection, pairs: Mapping[PairKey, Said], claims: Mapping[ClaimKey, Said]) -> None:
    """Facts appear, or take a minimum. Their groups are locked, so nobody else writes them."""
    if pairs:
        sources = [said.source_id for _, said in sorted(pairs.items())]
        await conn.execute(_KEEP_PAIRS, *map(list, zip(*pair_rows(pairs), strict=True)), sources)
    if claims:
        await conn.execute(_KEEP_CLAIMS, *map(list, zip(*claim_rows(claims), strict=True)))


async def refold(conn: Connection, locked: Locked, pairs: Mapping[PairKey, Said], rules: Rules) -> Outcome:
    """Folds the groups that these pairs touch, from the ledger, and writes what changed."""
    if not pairs:
        return NOTHING_FOLDED
    touched = {node_id for a, b, _ in pairs for node_id in (a, b)}
    before = _in_groups_of(touched, locked)
    links, known = await _load_links(conn, before)
    guards = guards_after(touched, links, known, rules)
    if free := freed(before, guards):
        partners = {end for link in links for end in link[1:] if free & {link.a, link.b}}
        if not partners <= locked.strong.keys():
            raise GroupsMoved(partners)
        before = _in_groups_of(touched | partners, locked)
        links, _ = await _load_links(conn, before)
    regrouped = regroup(before, links, guards, rules)
    await _write(conn, regrouped.changed(before))
    untold = await _untold(conn, regrouped)
    said = in_fold_order([Link(said.at, a, b) for (a, b, _), said in pairs.items()], _nodes(before))
    dirty = {node_id for node_id, now in regrouped.after.items() if moved(before[node_id], now)}
    return Outcome(before, regrouped.after, _partners(links), said, untold, dirty)


async def newly_crowded(conn: Connection, locked: Locked, claims: Iterable[ClaimKey], rules: Rules) -> set[int]:
    """Accounts that were just seen on one browser too many: from now on they hold none."""
    candidates = {strong for _, strong, _, _ in claims} - locked.crowded
    if not candidates:
        return set()
    crowded = {row[0] for row in await conn.fetch(_COUNT_BROWSERS, list(candidates), rules.browsers_per_account + 1)}
    if crowded:
        await conn.execute(_CROWD, list(crowded))
    return crowded


def _in_groups_of(nodes: Iterable[int], locked: Locked) -> dict[int, Strong]:
    groups = {locked.strong[node_id].grp for node_id in nodes}
    return {node_id: row for node_id, row in locked.strong.items() if row.grp in groups}


def _nodes(rows: Mapping[int, Strong]) -> dict[int, Node]:
    return {node_id: row.node for node_id, row in rows.items()}


async def _load_links(conn: Connection, rows: Mapping[int, Strong]) -> tuple[list[Link], dict[int, Strong]]:
    """All links that end in these nodes, and both their ends. A node with too many partners is not asked for its own:
    it may have a hundred thousand, and none of them counts."""
    asked = [node_id for node_id, row in rows.items() if row.guard != "partners"]
    found = await conn.fetch(_LOAD_LINKS, asked)
    links = [Link(At(at, event_id, place), a, b) for a, b, at, event_id, place in found]
    beyond = {end for link in links for end in link[1:]} - rows.keys()
    known = Locked(dict(rows))
    if beyond:
        known.add(await conn.fetch(_LOAD_NODES, list(beyond)))
    return links, known.strong


async def _write(conn: Connection, changed: Sequence[Strong]) -> None:
    if changed:
        rows = [(row.node.node_id, row.grp, row.core, row.guard) for row in changed]
        await conn.execute(_WRITE, *map(list, zip(*rows, strict=True)))


async def _untold(conn: Connection, regrouped: Regrouped) -> list[Link]:
    if not regrouped.refused:
        return []
    refused = {(link.a, link.b): link for link in regrouped.refused}
    told = await conn.fetch(_TELL, *map(list, zip(*sorted(refused), strict=True)))
    return [refused[a, b] for a, b in told]


def _partners(links: Iterable[Link]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for link in links:
        for end in link[1:]:
            counts[end] = counts.get(end, 0) + 1
    return counts
