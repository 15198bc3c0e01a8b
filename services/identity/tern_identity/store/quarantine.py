"""Values that join nobody, and groups too large to be folded at once: what an operator looks at. Takes no lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from tern_common.db import Connection, Pool, connection
from tern_common.identifiers import Identifier
from tern_identity.domain.reading import day_of
from tern_identity.domain.rules import Guard, Rules
from tern_identity.domain.suggesting import Suggestion, Tie, suggestion
from tern_identity.store.hubs import hubs_of
from tern_identity.store.names import Keys, identifiers_of

MOST_PARTNERS = 1_000
"""So many partners of a value are counted; there are values with a hundred thousand."""
EXAMPLES = 5

_SHARED = """
SELECT node_id, ns, original, guard, token, kind FROM node
WHERE guard IS NOT NULL AND original IS NOT NULL AND node_id > $1 ORDER BY node_id LIMIT $2
"""

_TIES = """
SELECT DISTINCT ON (asked, partner) asked, partner, kind, min(day) OVER ties, max(day) OVER ties,
       first_value(event_id) OVER (ties ORDER BY at), first_value(source) OVER (ties ORDER BY at)
FROM unnest($1::bigint[]) AS n (asked) CROSS JOIN LATERAL (
    SELECT b AS partner, day, at, event_id, source FROM pair WHERE a = n.asked
    UNION ALL
    SELECT a, day, at, event_id, source FROM pair WHERE b = n.asked
    LIMIT $2
) AS said JOIN node p ON p.node_id = said.partner
WINDOW ties AS (PARTITION BY asked, partner)
ORDER BY asked, partner
"""

_GIANT = """
SELECT g.grp, count(*) FROM grp g JOIN node n ON n.grp = g.grp
WHERE g.deferred GROUP BY g.grp ORDER BY count(*) DESC, g.grp LIMIT $1
"""


class Example(NamedTuple):
    """A partner of a shared value, and the event that first named both."""

    identifier: Identifier
    event_id: str
    source: str


@dataclass(frozen=True)
class Quarantined:
    """A value that joins nobody. `partners` by kind of namespace; `capped` when there are more than were counted."""

    node_id: int
    identifier: Identifier
    customer_id: UUID
    guard: Guard
    persons: int
    others: int
    capped: bool
    examples: Sequence[Example]
    suggestion: Suggestion


class Tying(NamedTuple):
    """A value that ties much together."""

    identifier: Identifier
    partners: int


class Giant(NamedTuple):
    """A group whose fold is deferred. Blocking its best-connected values makes it small."""

    size: int
    best_connected: Sequence[Tying]


class _Row(NamedTuple):
    partner: int
    tie: Tie
    event_id: str
    source: str


class Quarantine:
    """Reads what waits for an operator's eye."""

    def __init__(self, pool: Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    async def values(self, after: int, limit: int, rules: Rules) -> list[Quarantined]:
        """Values in quarantine in order of birth, after the node of that number."""
        today = day_of(self._keys.clock.now())
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_SHARED, after, limit)
            ties = await _ties(conn, [row[0] for row in rows])
            partners = [row.partner for said in ties.values() for row in said[:EXAMPLES]]
            names = await identifiers_of(conn, partners, self._keys.sealer)
        found = []
        for node_id, ns, original, guard, token, kind in rows:
            said = ties.get(node_id, [])
            shown = [row for row in said[:EXAMPLES] if row.partner in names]  # one may be erased by now
            examples = [Example(names[row.partner], row.event_id, row.source) for row in shown]
            persons = sum(row.tie.unique for row in said)
            found.append(
                Quarantined(
                    node_id=node_id,
                    identifier=Identifier(ns, self._keys.sealer.open(original)),
                    customer_id=token,
                    guard=guard,
                    persons=persons,
                    others=len(said) - persons,
                    capped=len(said) >= MOST_PARTNERS,
                    examples=examples,
                    suggestion=suggestion(guard, [row.tie for row in said], today, rules, personal=kind == "unique"),
                )
            )
        return found

    async def giants(self, limit: int) -> list[Giant]:
        """Deferred groups, the largest first, each with the values that tie most of it together."""
        giants = []
        async with connection(self._pool) as conn:
            for grp, size in await conn.fetch(_GIANT, limit):
                hubs = await hubs_of(conn, grp, EXAMPLES)
                names = await identifiers_of(conn, [hub.node_id for hub in hubs], self._keys.sealer)
                giants.append(Giant(size, [Tying(names[hub.node_id], hub.partners) for hub in hubs]))
        return giants


async def _ties(conn: Connection, nodes: Sequence[int]) -> dict[int, list[_Row]]:
    found: dict[int, list[_Row]] = {}
    for asked, partner, kind, first, last, event_id, source in await conn.fetch(_TIES, list(nodes), MOST_PARTNERS):
        found.setdefault(asked, []).append(_Row(partner, Tie(kind == "unique", first, last), event_id, source))
    return found
