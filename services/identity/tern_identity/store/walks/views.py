"""Which identifiers wait in quarantine: as it is stored, or as the facts and given rules have it.

Guards are asked for node by node while a walk goes along pairs. Whoever has a hundred thousand partners is counted by
the database, once, and remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Protocol

from tern_common.db import Connection
from tern_common.identifiers import Identifier, family
from tern_common.sealing import Sealer
from tern_identity.domain.ledger import Node
from tern_identity.domain.regrouping import Strong, guards_after
from tern_identity.domain.rules import Guard, Rules
from tern_identity.domain.rulings import Ruling, Rulings, rulings_of
from tern_identity.store.facts import links_of

_ROWS = """
SELECT node_id, ns, kind, hash, coalesce(grp, node_id), coalesce(core, node_id), guard
FROM node WHERE node_id = ANY($1::bigint[]) AND kind <> 'weak'
"""

_OVERRUN = """
SELECT n.id
FROM unnest($1::bigint[]) AS n (id)
WHERE EXISTS (
    SELECT FROM (
        SELECT b AS id FROM pair WHERE a = n.id AND source <> ALL($2::text[])
        UNION
        SELECT a FROM pair WHERE b = n.id AND source <> ALL($2::text[])
    ) AS partner
    JOIN node p ON p.node_id = partner.id
    WHERE NOT EXISTS (
        SELECT FROM ruling r
        WHERE r.live AND r.word = 'revoke' AND (r.a, r.b) = (least(n.id, partner.id), greatest(n.id, partner.id))
    )
    GROUP BY p.ns, p.kind
    HAVING count(*) > CASE p.kind WHEN 'unique' THEN $3::int ELSE $4::int END
)
"""

_BLOCKED = "SELECT node_id FROM node WHERE node_id = ANY($1::bigint[]) AND blocked"

_ORIGINALS = """
SELECT node_id, ns, original FROM node
WHERE node_id = ANY($1::bigint[]) AND original IS NOT NULL AND split_part(ns, ':', 1) = ANY($2::text[])
"""

_NAMESPACES = "SELECT DISTINCT split_part(ns, ':', 1) FROM node WHERE node_id = ANY($1::bigint[])"


async def strong_rows(conn: Connection, nodes: Collection[int]) -> dict[int, Strong]:
    """Those of the nodes that are strong, as they are stored."""
    rows = await conn.fetch(_ROWS, sorted(nodes)) if nodes else ()
    return {
        node_id: Strong(Node(node_id, ns, kind, hash_), grp, core, guard)
        for node_id, ns, kind, hash_, grp, core, guard in rows
    }


class Blocklist(Protocol):
    """Whom the operators' list of values names."""

    async def names(self, conn: Connection, nodes: Collection[int]) -> set[int]:
        """Those of the nodes that it does."""
        ...


class StoredBlocklist:
    """As it was judged when the rules came into force, or the identifier was born."""

    async def names(self, conn: Connection, nodes: Collection[int]) -> set[int]:
        return {row[0] for row in await conn.fetch(_BLOCKED, sorted(nodes))}


class JudgedBlocklist:
    """Judged now, by rules that need not be in force: values are opened, where a pattern may speak of them."""

    def __init__(self, rules: Rules, sealer: Sealer) -> None:
        self._rules = rules
        self._sealer = sealer

    async def names(self, conn: Connection, nodes: Collection[int]) -> set[int]:
        if not self._rules.blocklist:
            return set()
        asked = sorted(nodes)
        families = [row[0] for row in await conn.fetch(_NAMESPACES, asked) if self._may_speak_of(row[0])]
        rows = await conn.fetch(_ORIGINALS, asked, families)
        values = ((node_id, Identifier(ns, self._sealer.open(original))) for node_id, ns, original in rows)
        return {node_id for node_id, identifier in values if self._rules.blocks(*identifier)}

    def _may_speak_of(self, namespace: str) -> bool:
        heads = (pattern.casefold().partition(":")[0] for pattern in self._rules.blocklist)
        return any("*" in head or fnmatchcase(family(namespace), head) for head in heads)


@dataclass
class View:
    """Guards by some rules. `known`: those found so far, by node."""

    rules: Rules
    blocklist: Blocklist
    known: dict[int, Guard | None] = field(default_factory=dict)
    _overrun: set[int] = field(default_factory=set)

    def asks(self, row: Strong) -> bool:
        """Whether to look: what is in quarantine is not asked for twice."""
        return row.guard is None or row.node.node_id not in self.known

    async def look(self, conn: Connection, rows: Mapping[int, Strong], words: Collection[Ruling]) -> None:
        """Finds the guards of these nodes. `words`: all that operators said of them."""
        rulings = await self.rulings(conn, rows, words)
        judged = [node_id for node_id in rows if node_id in rulings.blocked]
        overrun = await self._overrunning(conn, rows, rulings)
        asked = rows.keys() - overrun - set(judged)
        links = await links_of(conn, asked, self.rules.distrusted)
        partners = await strong_rows(conn, {end for link in links for end in link[1:]} - rows.keys())
        self.known |= guards_after(asked, links, {**partners, **rows}, self.rules, rulings)
        self.known |= dict.fromkeys(overrun, "partners")
        self.known |= dict.fromkeys(judged, "blocked")

    async def rulings(self, conn: Connection, rows: Mapping[int, Strong], words: Collection[Ruling]) -> Rulings:
        """The words in this view, with what its blocklist says."""
        said = rulings_of(words)
        return replace(said, blocked=said.blocked | await self.blocklist.names(conn, rows.keys()))

    def forget(self) -> None:
        """Keeps only what is in quarantine: few, and dear to ask for."""
        self.known = {node_id: guard for node_id, guard in self.known.items() if guard is not None}

    async def _overrunning(self, conn: Connection, rows: Mapping[int, Strong], rulings: Rulings) -> set[int]:
        """Of those that may have very many partners: whoever has too many."""
        exempt = rulings.allowed | rulings.blocked
        asked = {node_id for node_id, row in rows.items() if row.guard == "partners"} - exempt - self._overrun
        if asked:
            limits = (self.rules.partners_unique, self.rules.partners_other)
            found = await conn.fetch(_OVERRUN, sorted(asked), sorted(self.rules.distrusted), *limits)
            self._overrun |= {row[0] for row in found}
        return (self._overrun & rows.keys()) - exempt


class StoredView(View):
    """Guards as they are stored."""

    def asks(self, _: Strong) -> bool:
        return True

    async def look(self, _: Connection, rows: Mapping[int, Strong], __: Collection[Ruling]) -> None:
        self.known |= {node_id: row.guard for node_id, row in rows.items()}
