"""What a batch brings that the ledger does not have (identity.md §8.3): looked up without any lock.

Known events stop here: all they need is the memberships of their homes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from tern_common.arrays import columns, hex_array
from tern_common.db import Connection
from tern_common.hashing import Hasher
from tern_identity.domain.collapsing import Facts, Heard
from tern_identity.domain.ledger import At, ClaimKey, Home, PairKey
from tern_identity.domain.reading import FOREVER, Filing, Reading
from tern_identity.domain.rules import Rules
from tern_identity.store.errors import Misread
from tern_identity.store.facts import claim_rows, pair_rows
from tern_identity.store.names import Names

_NEW_PAIRS = """
SELECT u.a, u.b, u.day, u.source
FROM unnest(
    $1::text::bigint[], $2::text::bigint[], $3::text::int[], $4::text::text[],
    $5::text::timestamptz[], $6::text::text[], $7::text::smallint[]
)
     AS u (a, b, day, source, at, event_id, place)
LEFT JOIN pair p ON (p.a, p.b, p.day, p.source) = (u.a, u.b, u.day, u.source)
WHERE p.a IS NULL OR (u.at, u.event_id COLLATE "C", u.place) < (p.at, p.event_id, p.place)
"""

_NEW_CLAIMS = """
SELECT u.weak, u.strong, u.rank, u.day, u.source
FROM unnest(
    $1::text::bigint[], $2::text::bigint[], $3::text::smallint[], $4::text::int[],
    $5::text::text[], $6::text::timestamptz[], $7::text::text[]
)
     AS u (weak, strong, rank, day, source, at, event_id)
LEFT JOIN claim c ON (c.weak, c.strong, c.rank, c.day, c.source) = (u.weak, u.strong, u.rank, u.day, u.source)
WHERE c.weak IS NULL OR (u.at, u.event_id COLLATE "C") < (c.at, c.event_id)
"""

_MEMBERSHIPS = """
SELECT home_id, customer_id, version, shared, (SELECT version FROM ruleset WHERE live)
FROM home WHERE home_id = ANY (ARRAY(SELECT unnest($1::text::bytea[])))
"""


class Membership(NamedTuple):
    """Whose a home is; the highest version counts."""

    customer_id: UUID
    version: int
    shared: bool


@dataclass(frozen=True)
class Batch:
    """The facts of a batch, by the numbers of its nodes. `stamps`: of every node, as it was when it was read. `born`:
    nodes that came to be with this batch, so that nothing is looked up of which they are a part."""

    stamps: dict[int, int] = field(default_factory=dict)
    weak: frozenset[int] = frozenset()
    pairs: dict[PairKey, At] = field(default_factory=dict)
    claims: dict[ClaimKey, At] = field(default_factory=dict)
    homes: dict[str, Home] = field(default_factory=dict)
    born: frozenset[int] = frozenset()

    def strong_stamps(self) -> dict[int, int]:
        """Of the strong nodes."""
        return {node_id: stamp for node_id, stamp in self.stamps.items() if node_id not in self.weak}

    def weak_stamps(self) -> dict[int, int]:
        """Of the weak ones."""
        return {node_id: self.stamps[node_id] for node_id in self.weak}


NO_NEWS = Batch()


def home_ids(facts: Facts, names: Names, hasher: Hasher) -> dict[Filing, str]:
    """The id of each home: a keyed hash of what it is filed under. Eras do not matter to it: homes never change."""
    return {
        filing: hasher.home(
            [names.hashes[identifier] for identifier in filing.identifiers],
            None if filing.day == FOREVER else filing.day,
        )
        for filing in facts.homes
    }


def numbered(facts: Facts, names: Names, ids: Mapping[Filing, str]) -> Batch:
    """The facts by the numbers of their nodes, each in the era of its day."""
    number = names.number
    return Batch(
        names.stamps,
        frozenset(names.weak),
        {(number(a, day), number(b, day), day, source): at for (a, b, day, source), at in facts.pairs.items()},
        {
            (number(one.weak, day), number(one.strong, day), one.rank, day, source): at
            for (one, day, source), at in facts.claims.items()
        },
        {
            ids[filing]: Home(tuple(number(one, filing.day) for one in filing.identifiers), filing.day, is_door)
            for filing, is_door in facts.homes.items()
        },
        names.born,
    )


async def memberships(conn: Connection, batch: Batch, rules: Rules) -> dict[str, Membership]:
    """The stored membership of each home that has one. Raises `Misread` when other rules are live."""
    asked = [home_id for home_id, home in batch.homes.items() if batch.born.isdisjoint(home.nodes)]
    rows = await conn.fetch(_MEMBERSHIPS, hex_array(asked)) if asked else ()
    if rows and rows[0][-1] != rules.version:
        raise Misread
    return {
        home_id.hex(): Membership(customer_id, version, shared) for home_id, customer_id, version, shared, _ in rows
    }


async def news_of(conn: Connection, batch: Batch, known: Mapping[str, Membership]) -> Batch:
    """The part of the batch that is not stored yet, or stored with a later time; with the nodes that it names. What
    others stored meanwhile does no harm here: facts take a minimum, and homes are looked at again under their locks."""
    asked = {key: at for key, at in batch.pairs.items() if batch.born.isdisjoint(key[:2])}
    pairs = batch.pairs.keys() - asked.keys() | await _fetch(conn, _NEW_PAIRS, pair_rows(asked))
    seen = {key: at for key, at in batch.claims.items() if batch.born.isdisjoint(key[:2])}
    claims = batch.claims.keys() - seen.keys() | await _fetch(conn, _NEW_CLAIMS, claim_rows(seen))
    homes = {home_id: home for home_id, home in batch.homes.items() if home_id not in known}
    named = {node_id for key in (*pairs, *claims) for node_id in key[:2]}
    named |= {node_id for home in homes.values() for node_id in home.nodes}
    return Batch(
        {node_id: batch.stamps[node_id] for node_id in named},
        batch.weak & named,
        {key: at for key, at in batch.pairs.items() if key in pairs},
        {key: at for key, at in batch.claims.items() if key in claims},
        homes,
    )


def bringers(events: Iterable[Heard], news: Batch, ids: Mapping[Filing, str]) -> int:
    """How many of the events brought the news: those that facts have as their first saying, and the first one of each
    home that is new."""
    found = {at.event_id for at in (*news.pairs.values(), *news.claims.values())}
    said: dict[Reading, str] = {}
    for event in events:
        said.setdefault(event.reading, event.message_id)
    first: dict[Filing, str] = {}
    for reading, message_id in said.items():
        first.setdefault(reading.home, message_id)
    return len(found | {message_id for filing, message_id in first.items() if ids[filing] in news.homes})


async def _fetch(conn: Connection, query: str, rows: Sequence[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await conn.fetch(query, *columns(rows))} if rows else set()
