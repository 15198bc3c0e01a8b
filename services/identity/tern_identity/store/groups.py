"""Groups under lock: what they are, and what news makes of them (identity.md §8.4, §8.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from tern_common.arrays import array, columns
from tern_common.db import Connection
from tern_identity.domain.ledger import At, Link, Node, PairKey, in_fold_order
from tern_identity.domain.regrouping import (
    Group,
    Regrouped,
    Strong,
    advance,
    flipped,
    freed,
    guards_after,
    moved,
    regroup,
)
from tern_identity.domain.rules import Guard, Rules
from tern_identity.domain.rulings import Rulings, both
from tern_identity.store.errors import GroupsMoved
from tern_identity.store.facts import links_of, rulings_on
from tern_identity.store.news import Batch

_LOCK = """
SELECT grp, newest_at, newest_event, newest_place, contested, deferred, rules FROM grp
WHERE grp = ANY (ARRAY(SELECT grp FROM node WHERE node_id = ANY (ARRAY(SELECT unnest($1::text::bigint[])))))
ORDER BY grp FOR UPDATE
"""

_LOCK_FREE = "SELECT grp FROM grp WHERE grp = ANY($1::bigint[]) ORDER BY grp FOR UPDATE SKIP LOCKED"

_COLUMNS = "node_id, ns, kind, hash, grp, core, guard, token, crowded, blocked, stamp"
_LOAD_GROUPS = f"SELECT {_COLUMNS} FROM node WHERE grp = ANY (ARRAY(SELECT unnest($1::text::bigint[])))"  # noqa: S608
_LOAD_NODES = f"SELECT {_COLUMNS} FROM node WHERE node_id = ANY (ARRAY(SELECT unnest($1::text::bigint[])))"  # noqa: S608

_CORES = """
SELECT m.node_id FROM node n JOIN node m ON m.grp = n.grp AND m.core = n.core WHERE n.node_id = ANY($1::bigint[])
"""

_WRITE_NODES = """
UPDATE node SET grp = n.grp, core = n.core, guard = n.guard
FROM unnest($1::text::bigint[], $2::text::bigint[], $3::text::bigint[], $4::text::text[]) n (node_id, grp, core, guard)
WHERE node.node_id = n.node_id
"""

_WRITE_GROUPS = """
UPDATE grp SET newest_at = n.at, newest_event = n.event_id, newest_place = n.place,
               contested = n.contested, deferred = n.deferred, rules = n.rules
FROM unnest(
    $1::text::bigint[], $2::text::timestamptz[], $3::text::text[], $4::text::smallint[],
    $5::text::boolean[], $6::text::boolean[], $7::text::int[]
)
     AS n (grp, at, event_id, place, contested, deferred, rules)
WHERE grp.grp = n.grp
"""

_TELL = """
INSERT INTO refusal (a, b) SELECT * FROM unnest($1::text::bigint[], $2::text::bigint[])
ON CONFLICT DO NOTHING RETURNING a, b
"""


@dataclass
class Locked:
    """The strong nodes of every locked group, as they stood; and their groups, by number."""

    groups: dict[int, Group] = field(default_factory=dict)
    strong: dict[int, Strong] = field(default_factory=dict)
    tokens: dict[int, UUID] = field(default_factory=dict)
    stamps: dict[int, int] = field(default_factory=dict)
    crowded: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)

    def add(self, rows: Iterable[Any]) -> None:
        for node_id, ns, kind, hash_, grp, core, guard, token, crowded, blocked, stamp in rows:
            self.strong[node_id] = Strong(Node(node_id, ns, kind, hash_), grp, core, guard)
            self.tokens[node_id] = token
            self.stamps[node_id] = stamp
            if crowded:
                self.crowded.add(node_id)
            if blocked:
                self.blocked.add(node_id)

    def in_groups_of(self, nodes: Iterable[int]) -> dict[int, Strong]:
        """All nodes of the groups that these are in."""
        groups = {self.strong[node_id].grp for node_id in nodes}
        return {node_id: row for node_id, row in self.strong.items() if row.grp in groups}


@dataclass(frozen=True)
class Outcome:
    """What became of the touched groups. `links`: news, in fold order. `untold`: refusals to be told."""

    before: dict[int, Strong]
    after: dict[int, Strong]
    partners: dict[int, int]
    links: list[Link]
    untold: list[Link]
    moved: set[int]
    refolds: int = 0


NOTHING_FOLDED = Outcome({}, {}, {}, [], [], set())

_FINAL = ("partners", "blocked")


async def lock(conn: Connection, nodes: Sequence[int]) -> Locked:
    """Locks the groups of these nodes in order, and looks again. Raises `GroupsMoved` when one is another's by now."""
    locked = Locked()
    if not nodes:
        return locked
    for grp, at, event_id, place, *known in await conn.fetch(_LOCK, array(nodes)):
        locked.groups[grp] = Group(None if at is None else At(at, event_id, place), *known)
    locked.add(await conn.fetch(_LOAD_GROUPS, array(locked.groups)))
    if not locked.strong.keys() >= set(nodes):
        raise GroupsMoved
    return locked


async def customers_of(conn: Connection, nodes: Collection[int]) -> set[int]:
    """All strong nodes of the customers that these strong nodes belong to. Takes no lock."""
    return {row[0] for row in await conn.fetch(_CORES, list(nodes))}


async def refold(conn: Connection, locked: Locked, news: Batch, again: frozenset[int], rules: Rules) -> Outcome:
    """Takes news into the groups; folds from the ledger where that does not do, and all groups of `again`."""
    touched = {node_id for key in news.pairs for node_id in key[:2]} | again
    if not touched:
        return NOTHING_FOLDED
    before = locked.in_groups_of(touched)
    rulings = await _rulings(conn, before, locked)
    # A node with too many partners is not asked for its own: it may have a hundred thousand, and more never free it.
    asked = {node_id for node_id in touched if before[node_id].guard not in _FINAL} | again
    links = await links_of(conn, asked, rules.distrusted)
    guards = await _guards(conn, asked, links, locked, (rules, rulings))
    waiting = _waiting(links, freed(before, guards), rulings, locked)
    if waiting:
        before = locked.in_groups_of(touched | waiting)
        rulings = await _rulings(conn, before, locked)
    guarded = {node_id: row._replace(guard=guards.get(node_id, row.guard)) for node_id, row in before.items()}
    nodes = {node_id: row.node for node_id, row in before.items()}
    fresh = _first_said(links, news.pairs, guarded, rulings)
    step = advance(guarded, locked.groups, in_fold_order(fresh, nodes), rules, rulings)
    owed = _owed(step, again | waiting | flipped(before, guards), rules)
    done = await _folded(conn, step, owed, locked, (rules, rulings))
    await _write(conn, done, before, locked.groups)
    return Outcome(
        before=before,
        after=done.after,
        partners=_partners(links),
        links=in_fold_order([Link(at, a, b) for (a, b, *_), at in news.pairs.items()], nodes),
        untold=await _untold(conn, done.refused),
        moved={node_id for node_id, now in done.after.items() if moved(before[node_id], now)},
        refolds=len({step.after[node_id].grp for node_id in owed}),
    )


async def _rulings(conn: Connection, rows: Mapping[int, Strong], locked: Locked) -> Rulings:
    """The operators' words on these nodes, and what the blocklist says of them."""
    said = await rulings_on(conn, rows.keys())
    return replace(said, blocked=said.blocked | (locked.blocked & rows.keys()))


async def _guards(
    conn: Connection, asked: set[int], links: Sequence[Link], locked: Locked, by: tuple[Rules, Rulings]
) -> dict[int, Guard | None]:
    """The guards of the nodes asked for, by all their links; their partners may be anybody."""
    known = await _known(conn, {end for link in links for end in link[1:]}, locked)
    return guards_after(asked, links, known, *by)


async def _known(conn: Connection, nodes: Collection[int], locked: Locked) -> dict[int, Strong]:
    """Rows of any nodes; those that are not locked as they stand at this moment."""
    beyond = set(nodes) - locked.strong.keys()
    if not beyond:
        return locked.strong
    others = Locked()
    others.add(await conn.fetch(_LOAD_NODES, array(sorted(beyond))))
    return locked.strong | others.strong


def _waiting(links: Sequence[Link], free: set[int], rulings: Rulings, locked: Locked) -> set[int]:
    """Whoever leaves quarantine meets all who waited. Raises `GroupsMoved` when their groups are not locked."""
    if not free:
        return set()
    pairs = [*(link[1:] for link in links), *rulings.together]
    waiting = {end for pair in pairs for end in pair if not free.isdisjoint(pair)}
    if not waiting <= locked.strong.keys():
        raise GroupsMoved(waiting)
    return waiting


def _first_said(
    links: Iterable[Link], news: Mapping[PairKey, At], rows: Mapping[int, Strong], rulings: Rulings
) -> list[Link]:
    """Of the news: pairs that count, and were never said before, or only later."""
    said = {Link(at, a, b) for (a, b, *_), at in news.items()}
    return [
        link
        for link in links
        if link in said
        and rows[link.a].guard is None
        and rows[link.b].guard is None
        and both(link.a, link.b) not in rulings.revoked
    ]


def _owed(step: Regrouped, seeds: Collection[int], rules: Rules) -> set[int]:
    """Nodes whose groups are to be folded from the ledger now. A giant one that only has a late pair waits for the
    worker: it is marked, and everything else stays instant (identity.md §9)."""
    seeded = {step.after[node_id].grp for node_id in seeds}
    members: dict[int, set[int]] = {}
    for node_id, row in step.after.items():
        if row.grp in seeded or node_id in step.stale:
            members.setdefault(row.grp, set()).add(node_id)
    owed: set[int] = set()
    for grp, nodes in members.items():
        if grp in seeded or len(nodes) <= rules.deferred_above:
            owed |= nodes
        else:
            step.groups[grp] = step.groups[grp]._replace(deferred=True)
    return owed


async def _folded(
    conn: Connection, step: Regrouped, owed: set[int], locked: Locked, by: tuple[Rules, Rulings]
) -> Regrouped:
    """The same, with the groups of all that is owed folded from the ledger."""
    if not owed:
        return step
    rules, rulings = by
    rows = {node_id: step.after[node_id] for node_id in owed}
    links = await links_of(conn, owed, rules.distrusted)
    known = await _known(conn, {end for link in links for end in link[1:]}, locked) | step.after
    _require_whole(links, rows, known, rulings)
    folded = regroup(rows, links, rules, rulings)
    kept = [link for link in step.refused if link.a not in owed]
    return Regrouped(step.after | folded.after, step.groups | folded.groups, [*kept, *folded.refused])


def _require_whole(
    links: Sequence[Link], rows: Mapping[int, Strong], known: Mapping[int, Strong], rulings: Rulings
) -> None:
    """Groups are components. Should a stored one be a part of one, the whole is locked and folded, and so mended."""
    missing = {
        end
        for link in links
        for end in link[1:]
        if end not in rows
        and known[link.a].guard is None
        and known[link.b].guard is None
        and both(link.a, link.b) not in rulings.revoked
    }
    if missing:
        raise GroupsMoved(missing, again=missing)


async def _write(conn: Connection, done: Regrouped, before: Mapping[int, Strong], groups: Mapping[int, Group]) -> None:
    """Nodes and groups that changed. A number that names no group any more keeps its row, to be locked again."""
    nodes = [(row.node.node_id, row.grp, row.core, row.guard) for row in done.changed(before)]
    if nodes:
        await conn.execute(_WRITE_NODES, *columns(nodes))
    rows = [
        (grp, *(group.newest or (None, None, None)), *group[1:])
        for grp, group in sorted(done.groups.items())
        if group != groups.get(grp)
    ]
    if rows:
        await _lock_also(conn, [grp for grp, *_ in rows if grp not in groups])
        await conn.execute(_WRITE_GROUPS, *columns(rows))


async def _lock_also(conn: Connection, numbers: Sequence[int]) -> None:
    """Rows of groups that only come to be now. Who still holds one looks again soon and lets go; it is not waited for,
    since that would be out of order."""
    if numbers and len(await conn.fetch(_LOCK_FREE, numbers)) < len(numbers):
        raise GroupsMoved


async def _untold(conn: Connection, refused: Sequence[Link]) -> list[Link]:
    if not refused:
        return []
    links = {(link.a, link.b): link for link in refused}
    told = await conn.fetch(_TELL, *columns(sorted(links)))
    return [links[a, b] for a, b in told]


def _partners(links: Iterable[Link]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for link in links:
        for end in link[1:]:
            counts[end] = counts.get(end, 0) + 1
    return counts
