"""Compares the stored graph with the ledger, while it is in use.

Every derived column is compared with what follows from the facts and from the columns below it: guards, then groups
and cores, then browsers, then homes. If each follows from those below, the graph follows from the ledger; and a fault
is reported where it is, not wherever it leads. A chunk is read at one moment: what is under way never looks like one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tern_common.db import Connection
from tern_identity.domain.holding import Held
from tern_identity.domain.ledger import At, Home
from tern_identity.domain.regrouping import Group, Regrouped, Strong, regroup
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import rulings_of
from tern_identity.store.browsers import held_now, held_of
from tern_identity.store.homes import customer_of, standings_of
from tern_identity.store.walks.views import StoredBlocklist, StoredView, View
from tern_identity.store.walks.walking import Region, Stretch, groups_that_begin

EXAMPLES = 20

_GROUPS = """
SELECT grp, newest_at, newest_event, newest_place, contested, deferred FROM grp WHERE grp = ANY($1::bigint[])
"""

_CROWDED = """
SELECT n.node_id FROM node n
WHERE n.node_id = ANY($1::bigint[]) AND n.crowded IS DISTINCT FROM (
    SELECT count(*) FROM (
        SELECT DISTINCT weak FROM claim
        WHERE strong = n.node_id AND (rank = 1 OR source <> ALL($3::text[])) LIMIT $2
    ) AS seen
) >= $2
"""

_LOST = """
SELECT node_id FROM node n
WHERE node_id = ANY($1::bigint[])
  AND (core IS NULL OR grp IS NULL OR NOT EXISTS (SELECT FROM grp g WHERE g.grp = n.grp))
"""

_BROWSERS = "SELECT node_id, holder, shared_from, blocked FROM node WHERE node_id = ANY($1::bigint[])"
_CORES = "SELECT node_id, core FROM node WHERE node_id = ANY($1::bigint[])"
_TOKENS = "SELECT node_id, token FROM node WHERE node_id = ANY($1::bigint[])"

# A home is looked at with the first of its nodes.
_HOMES = """
SELECT h.home_id, h.nodes, h.day, h.is_door, h.customer_id, h.shared
FROM home_node f JOIN home h USING (home_id)
WHERE f.node_id = ANY($1::bigint[]) AND h.nodes[1] = f.node_id AND NOT h.erased
"""


class Fault(NamedTuple):
    """A node or a home whose stored column is not what it follows to be."""

    kind: str
    node: int = 0
    home_id: str = ""


@dataclass
class Checked:
    """What was looked at, and what was found. `owed`: groups whose fold is deferred, which is no fault."""

    nodes: int = 0
    homes: int = 0
    owed: int = 0
    faults: list[Fault] = field(default_factory=list)

    async def added_to(self, report: Mapping[str, Any], conn: Connection) -> dict[str, Any]:
        """The report with this in it. Nodes are named by their tokens."""
        tokens = {row[0]: str(row[1]) for row in await conn.fetch(_TOKENS, [fault.node for fault in self.faults])}
        drift = Counter(report.get("drift", {}))
        drift.update(fault.kind for fault in self.faults)
        examples = [
            {"kind": fault.kind, "home": fault.home_id}
            if fault.home_id
            else {"kind": fault.kind, "node": tokens[fault.node]}
            for fault in self.faults
        ]
        return {
            "nodes": report.get("nodes", 0) + self.nodes,
            "homes": report.get("homes", 0) + self.homes,
            "owed": report.get("owed", 0) + self.owed,
            "drift": dict(drift),
            "examples": [*report.get("examples", []), *examples][:EXAMPLES],
        }


async def checked(conn: Connection, chunk: Stretch, rules: Rules) -> Checked:
    """Looks at the nodes of a chunk, the groups that begin in it, and the homes filed first under its nodes. The
    connection is one on which all statements see one moment."""
    found = Checked(nodes=len(chunk.strong) + len(chunk.weak))
    region = await groups_that_begin(conn, chunk.strong, chunk.after, [StoredView(rules, StoredBlocklist())])
    found.faults += [Fault("lost", row[0]) for row in await conn.fetch(_LOST, chunk.strong)]
    found.faults += await _guards(conn, chunk.strong, region, rules)
    await _groups(conn, region, rules, found)
    crowded = await conn.fetch(_CROWDED, chunk.strong, rules.browsers_per_account + 1, sorted(rules.distrusted))
    found.faults += [Fault("crowded", row[0]) for row in crowded]
    found.faults += await _browsers(conn, chunk.weak, rules)
    await _homes(conn, [*chunk.strong, *chunk.weak], found)
    return found


async def _guards(conn: Connection, strong: Collection[int], region: Region, rules: Rules) -> list[Fault]:
    rows = {node_id: region.rows[node_id] for node_id in strong}
    view = View(rules, StoredBlocklist())
    await view.look(conn, rows, region.words)
    return [Fault("guard", node_id) for node_id, row in rows.items() if row.guard != view.known[node_id]]


async def _groups(conn: Connection, region: Region, rules: Rules, found: Checked) -> None:
    """Whole groups, from the ledger, by the guards that are stored."""
    rows = {node_id: region.rows[node_id] for node_id in region.nodes()}
    stored = await _stored_groups(conn, {row.grp for row in rows.values()})
    due = regroup(rows, region.links[0], rules, rulings_of(region.words))
    for part in region.parts:
        if any(stored.get(rows[node_id].grp, Group()).deferred for node_id in part):
            found.owed += 1
        else:
            found.faults += _faults_of_group(part, rows, stored, due)


def _faults_of_group(
    part: frozenset[int], rows: Mapping[int, Strong], stored: Mapping[int, Group], due: Regrouped
) -> Iterable[Fault]:
    for node_id in part:
        if rows[node_id].grp != due.after[node_id].grp:
            yield Fault("group", node_id)
        if rows[node_id].core != due.after[node_id].core:
            yield Fault("core", node_id)
    first = min(part)
    wanted, known = due.groups[first], stored.get(first, Group())
    # To think a group contested, or its newest pair newer, than it is costs a fold; the opposite would cost the truth.
    if wanted.contested and not known.contested:
        yield Fault("contested", first)
    if wanted.newest is not None and (known.newest is None or known.newest < wanted.newest):
        yield Fault("newest", first)


async def _stored_groups(conn: Connection, numbers: Collection[int]) -> dict[int, Group]:
    return {
        grp: Group(None if at is None else At(at, event_id, place), contested, deferred)
        for grp, at, event_id, place, contested, deferred in await conn.fetch(_GROUPS, sorted(numbers))
    }


async def _browsers(conn: Connection, weak: Collection[int], rules: Rules) -> list[Fault]:
    if not weak:
        return []
    rows = await conn.fetch(_BROWSERS, sorted(weak))
    due = await held_now(conn, weak, {row[0] for row in rows if row[3]}, rules)
    stored = {row[0]: held_of(row[1], row[2]) for row in rows}
    asked = {held.holder for held in (*due.values(), *stored.values()) if held.holder is not None}
    core_of = {row[0]: row[1] for row in await conn.fetch(_CORES, sorted(asked))}

    def whose(held: Held) -> tuple[int | None, int]:
        return (None if held.holder is None else core_of.get(held.holder, -1)), held.shared_from

    return [Fault("browser", node_id) for node_id in weak if whose(due[node_id]) != whose(stored[node_id])]


async def _homes(conn: Connection, nodes: Collection[int], found: Checked) -> None:
    rows = await conn.fetch(_HOMES, sorted(nodes))
    found.homes = len(rows)
    homes = {key.hex(): Home(tuple(filed), day, is_door) for key, filed, day, is_door, _, _ in rows}
    standings = await standings_of(conn, {node_id for home in homes.values() for node_id in home.nodes})
    stored = {row[0].hex(): (row[4], row[5]) for row in rows}
    found.faults += [
        Fault("home", home_id=home_id)
        for home_id, home in homes.items()
        if customer_of(home, standings) != stored[home_id]
    ]
