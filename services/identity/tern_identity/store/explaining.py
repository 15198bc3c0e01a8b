"""What an explanation is made of: the part of the ledger around a question, read without locks.

Goes from value to value over everything that trusted events ever said, but not through values in quarantine: what lies
behind a shared phone has nothing to do with the question.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tern_common.db import Connection, Pool, connection
from tern_common.identifiers import Identifier
from tern_identity.domain.explaining import Browser, Case, why_held
from tern_identity.domain.holding import Claimed
from tern_identity.domain.ledger import At, Link
from tern_identity.domain.notices import merge_id_of
from tern_identity.domain.rules import Rules
from tern_identity.store.facts import rulings_on
from tern_identity.store.groups import Locked, customers_of
from tern_identity.store.names import Keys, identifiers_of

MOST_NODES = 2_000
"""So many values are looked at; what is beyond is said to be left out."""

_ROWS = """
SELECT node_id, ns, kind, hash, grp, core, guard, token, crowded, blocked, stamp FROM node
WHERE node_id = ANY($1::bigint[]) AND core IS NOT NULL
"""

_SAYINGS = """
SELECT DISTINCT ON (a, b) a, b, at, event_id, place, source
FROM (
    SELECT * FROM pair WHERE a = ANY($1::bigint[])
    UNION ALL
    SELECT * FROM pair WHERE b = ANY($1::bigint[])
) AS said
WHERE source <> ALL($2::text[])
ORDER BY a, b, at, event_id, place
LIMIT $3
"""

_NEWEST = """
SELECT node_id, kind = 'weak', from_day FROM node
WHERE hash = $1 AND instead IS NULL AND original IS NOT NULL AND coalesce(from_day, -2147483648) <= $2
ORDER BY from_day DESC NULLS LAST LIMIT 1
"""

_MERGES = "SELECT merge_id, a, b FROM merge WHERE merge_id = ANY($1::uuid[])"

_WORDS = """
SELECT c.control_id, c.kind, c.by, c.reason, c.at, r.word, r.a, r.b FROM ruling r JOIN control c USING (control_id)
WHERE r.live AND (r.a = ANY($1::bigint[]) OR r.b = ANY($1::bigint[]))
ORDER BY c.control_id
"""

_NAMED = """
SELECT n.node_id, n.kind = 'weak', n.from_day, CASE WHEN t.token = $1 THEN h.node_id END FROM node t
JOIN node n ON n.node_id = coalesce(t.instead, t.node_id)
LEFT JOIN node h ON h.node_id = n.holder
WHERE (t.token = $1 OR t.shared_token = $1) AND n.original IS NOT NULL
"""

_WEAK = """
SELECT n.blocked OR EXISTS (SELECT FROM ruling WHERE live AND word = 'block' AND a = n.node_id)
FROM node n WHERE n.node_id = $1
"""

_CLAIMS = """
SELECT DISTINCT ON (c.strong, c.rank) c.strong, c.rank, c.day, s.core, c.at, c.event_id, c.source, s.guard, s.crowded,
       EXISTS (
           SELECT FROM ruling r JOIN node m ON m.core = s.core AND m.grp = s.grp
           WHERE r.live AND r.word = 'cannot' AND (r.a, r.b) IN ((c.weak, m.node_id), (m.node_id, c.weak))
       ) AS apart
FROM claim c JOIN node s ON s.node_id = c.strong
WHERE c.weak = $1 AND (c.rank = 1 OR c.source <> ALL($2::text[]))
ORDER BY c.strong, c.rank, c.day, c.at
LIMIT $3
"""


class Word(NamedTuple):
    """What somebody decided by hand about one or two nodes: who, why and when."""

    control_id: int
    kind: str
    by: str
    reason: str
    at: datetime
    word: str
    a: int
    b: int


class Asked(NamedTuple):
    """Whom a question is about. `from_day`: the first of its era, where an operator began one."""

    node_id: int
    weak: bool
    from_day: int | None


class Use(NamedTuple):
    """A claim as it was first said, and why it does not count, if it does not."""

    strong: int
    at: datetime
    event_id: str
    source: str
    ignored: str | None


@dataclass(frozen=True)
class Material:
    """A case, and what its nodes and words are called. `complete` is false when not all of it was read."""

    case: Case
    identifiers: Mapping[int, Identifier]
    sources: Mapping[Link, str]
    merges: Mapping[tuple[int, int], UUID]
    words: Sequence[Word]
    complete: bool


@dataclass(frozen=True)
class BrowserMaterial:
    """Whose a browser is, and by what. `uses`: by strong node and rank."""

    browser: Browser
    uses: Mapping[tuple[int, int], Use]
    identifiers: Mapping[int, Identifier]


class Explainer:
    """Reads what explanations need."""

    def __init__(self, pool: Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    async def node_of(self, identifier: Identifier, day: int) -> Asked | None:
        """The node of an identifier on a day; None when it was never seen, or erased."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_NEWEST, self._keys.hasher.identifier(*identifier), day)
        return None if row is None else Asked(*row)

    async def named(self, customer_id: UUID) -> Asked | None:
        """The node that a customer's id stands for now: a weak one where nobody holds that browser, or it is the id of
        those who share it."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_NAMED, customer_id)
        if row is None:
            return None
        node_id, weak, from_day, holder = row
        return Asked(node_id, weak, from_day) if holder is None else Asked(holder, weak=False, from_day=None)

    async def around(self, nodes: Collection[int], rules: Rules) -> Material:
        """The case of these strong nodes, of their customers, and of all that they are tied to."""
        async with connection(self._pool) as conn:
            seeds = await customers_of(conn, nodes)
            found, sources, complete = await _explored(conn, seeds, rules)
            rulings = await rulings_on(conn, found.strong.keys())
            tokens = found.tokens
            told = [merge_id_of(tokens[link.a], tokens[link.b]) for link in sources]
            merges = {(a, b): merge_id for merge_id, a, b in await conn.fetch(_MERGES, told)}
            words = [Word(*row) for row in await conn.fetch(_WORDS, list(found.strong))]
            identifiers = await identifiers_of(conn, found.strong, self._keys.sealer)
        case = Case(found.strong, list(sources), rules, rulings)
        return Material(case, identifiers, sources, merges, words, complete)

    async def browser(self, weak: int, rules: Rules) -> BrowserMaterial:
        """Whose a browser is, by the first claim of each who used it."""
        async with connection(self._pool) as conn:
            blocked = await conn.fetchval(_WEAK, weak)
            rows = await conn.fetch(_CLAIMS, weak, sorted(rules.distrusted), MOST_NODES)
            names = await identifiers_of(conn, [weak, *(row[0] for row in rows)], self._keys.sealer)
        claims, uses = [], {}
        for strong, rank, day, core, at, event_id, source, guard, crowded, apart in rows:
            ignored = guard or ("browsers" if crowded else "kept-apart" if apart else None)
            claims.append(Claimed(strong, rank, day, core, ignored is None))
            uses[strong, rank] = Use(strong, at, event_id, source, ignored)
        return BrowserMaterial(why_held(claims, blocked=blocked), uses, names)


async def _explored(conn: Connection, seeds: Collection[int], rules: Rules) -> tuple[Locked, dict[Link, str], bool]:
    """All that the seeds are tied to, who said so, and whether that is all there is."""
    found, sources = Locked(), dict[Link, str]()
    frontier = set(seeds)
    found.add(await conn.fetch(_ROWS, sorted(frontier)))
    while frontier and len(found.strong) < MOST_NODES:
        rows = await conn.fetch(_SAYINGS, sorted(frontier), sorted(rules.distrusted), MOST_NODES)
        sources |= {Link(At(*at), a, b): source for a, b, *at, source in rows}
        new = {end for link in sources for end in link[1:]} - found.strong.keys()
        found.add(await conn.fetch(_ROWS, sorted(new)))
        frontier = {node_id for node_id in new if found.strong[node_id].guard is None}
    return found, sources, not frontier
