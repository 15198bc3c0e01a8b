"""What a batch brings that the ledger does not have (identity.md §8.3): looked up without any lock.

Known events stop here: all they need is the memberships of their homes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from tern_common.db import Connection
from tern_common.hashing import Hasher
from tern_common.identifiers import Identifier
from tern_identity.domain.collapsing import Facts, Said
from tern_identity.domain.ledger import Home, Node
from tern_identity.domain.reading import FOREVER, Filing

PairKey = tuple[int, int, int]
ClaimKey = tuple[int, int, int, int]

_NEW_PAIRS = """
SELECT u.a, u.b, u.day
FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::timestamptz[], $5::text[], $6::smallint[])
     AS u (a, b, day, at, event_id, place)
LEFT JOIN pair p ON (p.a, p.b, p.day) = (u.a, u.b, u.day)
WHERE p.a IS NULL OR (u.at, u.event_id COLLATE "C", u.place) < (p.at, p.event_id, p.place)
"""

_NEW_CLAIMS = """
SELECT u.weak, u.strong, u.rank, u.day
FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::int[], $5::timestamptz[], $6::text[])
     AS u (weak, strong, rank, day, at, event_id)
LEFT JOIN claim c ON (c.weak, c.strong, c.rank, c.day) = (u.weak, u.strong, u.rank, u.day)
WHERE c.weak IS NULL OR (u.at, u.event_id COLLATE "C") < (c.at, c.event_id)
"""

_MEMBERSHIPS = "SELECT home_id, customer_id, version, shared FROM home WHERE home_id = ANY($1::bytea[])"


class Membership(NamedTuple):
    """Whose a home is; the highest version counts."""

    customer_id: UUID
    version: int
    shared: bool


@dataclass
class Batch:
    """The facts of a batch, by the numbers of its nodes."""

    nodes: dict[int, Node]
    pairs: dict[PairKey, Said]
    claims: dict[ClaimKey, Said]
    homes: dict[str, Home]

    def strong(self) -> list[int]:
        """Every strong node of the batch."""
        return [node_id for node_id, node in self.nodes.items() if not node.is_weak]


def home_ids(facts: Facts, nodes: Mapping[Identifier, Node], hasher: Hasher) -> dict[Filing, str]:
    """The id of each home: a keyed hash of what it is filed under."""
    return {
        filing: hasher.home(
            [nodes[identifier].hash for identifier in filing.identifiers],
            None if filing.day == FOREVER else filing.day,
        )
        for filing in facts.homes
    }


def numbered(facts: Facts, nodes: Mapping[Identifier, Node], ids: Mapping[Filing, str]) -> Batch:
    """The facts by the numbers of their nodes."""
    number = {identifier: node.node_id for identifier, node in nodes.items()}
    return Batch(
        {node.node_id: node for node in nodes.values()},
        {(number[a], number[b], day): said for (a, b, day), said in facts.pairs.items()},
        {(number[one.weak], number[one.strong], one.rank, day): said for (one, day), said in facts.claims.items()},
        {
            ids[filing]: Home(tuple(number[one] for one in filing.identifiers), filing.day, is_door)
            for filing, is_door in facts.homes.items()
        },
    )


async def memberships(conn: Connection, homes: Iterable[str]) -> dict[str, Membership]:
    """The stored membership of each home that has one."""
    rows = await conn.fetch(_MEMBERSHIPS, [bytes.fromhex(home_id) for home_id in homes])
    return {home_id.hex(): Membership(*rest) for home_id, *rest in rows}


async def news_of(conn: Connection, batch: Batch, known: Mapping[str, Membership]) -> Batch:
    """The part of the batch that is not stored yet, or stored with a later time; with the nodes that it names."""
    pairs = {tuple(row): None for row in await _fetch(conn, _NEW_PAIRS, pair_rows(batch.pairs))}
    claims = {tuple(row): None for row in await _fetch(conn, _NEW_CLAIMS, claim_rows(batch.claims))}
    homes = {home_id: home for home_id, home in batch.homes.items() if home_id not in known}
    named = {node_id for a, b, _ in pairs for node_id in (a, b)}
    named |= {node_id for weak, strong, *_ in claims for node_id in (weak, strong)}
    named |= {node_id for home in homes.values() for node_id in home.nodes}
    return Batch(
        {node_id: batch.nodes[node_id] for node_id in sorted(named)},
        {key: said for key, said in batch.pairs.items() if key in pairs},
        {key: said for key, said in batch.claims.items() if key in claims},
        homes,
    )


def pair_rows(pairs: Mapping[PairKey, Said]) -> list[tuple[Any, ...]]:
    """(a, b, day, time, event id, place), in key order."""
    return [(*key, *said.at) for key, said in sorted(pairs.items())]


def claim_rows(claims: Mapping[ClaimKey, Said]) -> list[tuple[Any, ...]]:
    """(weak, strong, rank, day, time, event id), in key order."""
    return [(*key, *said.at[:2]) for key, said in sorted(claims.items())]


async def _fetch(conn: Connection, query: str, rows: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
    return await conn.fetch(query, *map(list, zip(*rows, strict=True))) if rows else ()
