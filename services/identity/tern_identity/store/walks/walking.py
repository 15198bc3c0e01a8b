"""Going through the ledger in chunks, none of which holds more than the groups that begin in it.

A chunk is a range of node numbers. A group belongs to the chunk that has the smallest number of its nodes, so that each
is met whole, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tern_common.db import Connection
from tern_identity.domain.folding import links_that_count
from tern_identity.domain.ledger import Link
from tern_identity.domain.regrouping import Strong
from tern_identity.domain.rulings import Ruling, rulings_of
from tern_identity.store.facts import links_of, words_on
from tern_identity.store.walks.views import View, strong_rows

_RANGE = """
SELECT node_id, kind = 'weak' FROM node
WHERE node_id > $1 AND node_id <= $2 AND original IS NOT NULL ORDER BY node_id LIMIT $3
"""


class Stretch(NamedTuple):
    """The nodes of a chunk: numbers above `after`, up to `upto`. What was erased is not among them."""

    after: int
    upto: int
    strong: list[int]
    weak: list[int]


async def stretch(conn: Connection, after: int, last: int, size: int) -> Stretch:
    """At most `size` nodes that follow `after`; it ends at `last` when there are no more."""
    rows = await conn.fetch(_RANGE, after, last, size)
    upto = rows[-1][0] if len(rows) == size else last
    return Stretch(after, upto, [row[0] for row in rows if not row[1]], [row[0] for row in rows if row[1]])


@dataclass
class Region:
    """Whole groups, in every view that was asked for. `links`: by view, all that end in an eligible node of theirs."""

    rows: dict[int, Strong] = field(default_factory=dict)
    words: set[Ruling] = field(default_factory=set)
    links: list[set[Link]] = field(default_factory=list)
    parts: list[frozenset[int]] = field(default_factory=list)

    def nodes(self) -> set[int]:
        """All nodes of the groups."""
        return {node_id for part in self.parts for node_id in part}


async def groups_that_begin(conn: Connection, seeds: Collection[int], after: int, views: Sequence[View]) -> Region:
    """The groups of these strong nodes, if they have no node up to `after`. With several views: what is one group in
    any of them is kept together."""
    walk = _Walk(conn, views, after)
    await walk.meet(set(seeds))
    front = set(seeds)
    while front:
        front = await walk.step(front)
    walk.region.parts = walk.parts.beginning_in(set(seeds))
    return walk.region


class _Walk:
    def __init__(self, conn: Connection, views: Sequence[View], after: int) -> None:
        self._conn = conn
        self._views = views
        self._after = after
        self.parts = _Parts()
        self.region = Region(links=[set() for _ in views])

    async def meet(self, nodes: set[int]) -> None:
        """Loads nodes, what operators said of them, and their guards in every view."""
        new = nodes - self.region.rows.keys()
        if not new:
            return
        rows = await strong_rows(self._conn, new)
        words = await words_on(self._conn, rows.keys())
        self.region.rows |= rows
        self.region.words.update(words)
        for view in self._views:
            await view.look(self._conn, {node: row for node, row in rows.items() if view.asks(row)}, words)

    async def step(self, front: set[int]) -> set[int]:
        """Goes along all pairs of these nodes that count in some view. Returns who is new, and not of another chunk."""
        self.parts.add(front)
        counted: set[tuple[int, int]] = set()
        for view, links in zip(self._views, self.region.links, strict=True):
            counted |= await self._counted(view, links, front)
        near = {end for pair in counted for end in pair if end not in self.parts}
        self.parts.add(near)
        for a, b in counted:
            self.parts.unite(a, b)
        return {node for node in near if self.parts.smallest(node) > self._after}

    async def _counted(self, view: View, links: set[Link], front: set[int]) -> set[tuple[int, int]]:
        eligible = {node for node in front if view.known[node] is None}
        said = await links_of(self._conn, eligible, view.rules.distrusted)
        rulings = rulings_of(self.region.words)
        joined = [pair for pair in rulings.together if not eligible.isdisjoint(pair)]
        await self.meet({end for link in said for end in link[1:]} | {end for pair in joined for end in pair})
        links.update(said)
        counts = {node for node in self.region.rows if view.known.get(node, "unknown") is None}
        found = links_that_count(said, counts, rulings_of(self.region.words))
        return {(link.a, link.b) for link in found if link.a in eligible or link.b in eligible}


class _Parts:
    """Sets of nodes that grow together."""

    def __init__(self) -> None:
        self._of: dict[int, set[int]] = {}
        self._smallest: dict[int, int] = {}

    def __contains__(self, node: int) -> bool:
        return node in self._of

    def add(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            if node not in self._of:
                part = self._of[node] = {node}
                self._smallest[id(part)] = node

    def unite(self, a: int, b: int) -> None:
        large, small = sorted((self._of[a], self._of[b]), key=len, reverse=True)
        if large is small:
            return
        self._smallest[id(large)] = min(self._smallest[id(large)], self._smallest.pop(id(small)))
        large |= small
        self._of.update(dict.fromkeys(small, large))

    def smallest(self, node: int) -> int:
        return self._smallest[id(self._of[node])]

    def beginning_in(self, seeds: set[int]) -> list[frozenset[int]]:
        """Those whose smallest node is a seed."""
        distinct = {id(part): part for part in self._of.values()}
        return [frozenset(part) for key, part in distinct.items() if self._smallest[key] in seeds]
