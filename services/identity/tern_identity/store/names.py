"""Identifiers and their nodes: who has a number in which era, and births (identity.md §8.2).

A birth stands in a statement of its own: an orphan node harms nobody, and other writers wait for a moment only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tern_common.arrays import array, columns
from tern_common.clock import Clock
from tern_common.db import Connection
from tern_common.hashing import Hasher
from tern_common.identifiers import Identifier, Kind
from tern_common.ids import new_uuid7s
from tern_common.sealing import Sealer
from tern_identity.domain.rules import Rules
from tern_identity.store.errors import Misread
from tern_identity.store.ruleset import HOLD_LIVE

_FIND = """
SELECT hash, node_id, coalesce(from_day, -2147483648), stamp, kind = 'weak', original IS NULL
FROM node WHERE hash = ANY (ARRAY(SELECT unnest($1::text::bytea[]))) AND instead IS NULL
"""

_SINCE_EVER = -2_147_483_648

# A birth that a crash of the database undoes was nobody's yet: whatever refers to it stands behind it in the log, and
# is waited for. So nobody waits for the disk here, except in a transaction that holds more than births.
_UNHURRIED = """
unhurried AS MATERIALIZED (
    SELECT set_config(
        'synchronous_commit', CASE WHEN {} THEN 'off' ELSE current_setting('synchronous_commit') END, true
    )
)
"""

_NUMBERS = f"""
WITH {_UNHURRIED.format("$2::boolean")} SELECT nextval('node_id') FROM unhurried, generate_series(1, $1)
"""  # noqa: S608

_BEAR_STRONG = f"""
WITH {_UNHURRIED.format("$9::boolean")}, live AS ({HOLD_LIVE}), born AS (
    INSERT INTO node (node_id, hash, ns, kind, token, original, blocked, guard, grp, core, crowded)
    SELECT n.node_id, n.hash, n.ns, n.kind, encode(n.token, 'hex')::uuid, n.original, n.blocked,
           CASE WHEN n.blocked THEN 'blocked' END, n.node_id, n.node_id, false
    FROM unnest(
        $1::text::bigint[], $2::text::bytea[], $3::text::text[], $4::text::text[],
        $5::text::bytea[], $6::text::bytea[], $7::text::boolean[]
    )
         AS n (node_id, hash, ns, kind, token, original, blocked)
    CROSS JOIN unhurried
    WHERE (SELECT version FROM live) = $8
    ORDER BY n.hash
    ON CONFLICT (hash, era) DO NOTHING
    RETURNING node_id
)
INSERT INTO grp (grp) SELECT node_id FROM born
"""  # noqa: S608

_BEAR_WEAK = f"""
WITH {_UNHURRIED.format("$9::boolean")}, live AS ({HOLD_LIVE})
INSERT INTO node (node_id, hash, ns, kind, token, original, blocked, shared_from, shared_token)
SELECT n.node_id, n.hash, n.ns, n.kind, encode(n.token, 'hex')::uuid, n.original, n.blocked,
       CASE WHEN n.blocked THEN -1 END, encode(n.shared_token, 'hex')::uuid
FROM unnest(
    $1::text::bigint[], $2::text::bytea[], $3::text::text[], $4::text::text[],
    $5::text::bytea[], $6::text::bytea[], $7::text::boolean[], $10::text::bytea[]
)
     AS n (node_id, hash, ns, kind, token, original, blocked, shared_token)
CROSS JOIN unhurried
WHERE (SELECT version FROM live) = $8
ORDER BY n.hash
ON CONFLICT (hash, era) DO NOTHING
"""  # noqa: S608


_ORIGINALS = "SELECT node_id, ns, original FROM node WHERE node_id = ANY($1::bigint[]) AND original IS NOT NULL"


class Keys(NamedTuple):
    """What turns identifiers into names that may be stored."""

    hasher: Hasher
    sealer: Sealer
    clock: Clock


_Seen = tuple[Identifier, int, int, int, bool]
"""A node of an identifier: its number, the first day of its era, its stamp, and whether it is weak."""

_Era = tuple[int, int]
"""Its first day and the number of its node."""

_Birth = tuple[int, bytes, str, Kind, bytes, bytes, bool]


@dataclass
class Names:
    """The nodes of a batch's identifiers, in all their eras. `stamps` grow whenever an operator moves facts; `born`:
    those that nobody knew before."""

    hashes: Mapping[Identifier, bytes]
    stamps: dict[int, int] = field(default_factory=dict)
    weak: set[int] = field(default_factory=set)
    born: frozenset[int] = frozenset()
    _single: dict[Identifier, int] = field(default_factory=dict)
    _eras: dict[Identifier, list[_Era]] = field(default_factory=dict)

    def number(self, identifier: Identifier, day: int) -> int:
        """The node of an identifier on a day (days since 1970)."""
        node_id = self._single.get(identifier)
        if node_id is not None:
            return node_id
        return max(era for era in self._eras[identifier] if era[0] <= day)[1]

    def __contains__(self, identifier: Identifier) -> bool:
        return identifier in self._eras

    def add(self, seen: Iterable[_Seen]) -> None:
        """More of them, each in one era."""
        for identifier, node_id, from_day, stamp, is_weak in seen:
            self.stamps[node_id] = stamp
            if is_weak:
                self.weak.add(node_id)
            if identifier in self._eras:
                self._eras[identifier].append((from_day, node_id))
                self._single.pop(identifier, None)
            else:
                self._eras[identifier] = [(from_day, node_id)]
                self._single[identifier] = node_id


async def names_of(conn: Connection, identifiers: Sequence[Identifier], keys: Keys, rules: Rules) -> Names:
    """The nodes of these identifiers; those not seen before are born, numbered in the order given.

    Raises `Misread` when some of them were erased, or when the rules are no longer live.
    """
    names = await known_names(conn, identifiers, keys)
    unborn = [one for one in identifiers if one not in names]
    if unborn:
        born = await _bear(conn, unborn, names.hashes, keys, rules)
        names.add(born)
        names.born = frozenset(node_id for _, node_id, *_ in born)
        if others := [one for one in unborn if one not in names]:
            await _look(conn, names, others)
        if any(one not in names for one in unborn):
            raise Misread
    return names


async def known_names(conn: Connection, identifiers: Sequence[Identifier], keys: Keys) -> Names:
    """The nodes of those that were seen before. Raises `Misread` when some of them were erased."""
    names = Names({one: keys.hasher.identifier(*one) for one in identifiers})
    await _look(conn, names, identifiers)
    return names


async def identifiers_of(conn: Connection, nodes: Iterable[int], sealer: Sealer) -> dict[int, Identifier]:
    """What nodes are called. Those that were erased are left out."""
    rows = await conn.fetch(_ORIGINALS, list(nodes))
    return {node_id: Identifier(ns, sealer.open(original)) for node_id, ns, original in rows}


async def _look(conn: Connection, names: Names, identifiers: Sequence[Identifier]) -> None:
    by_hash = {names.hashes[one]: one for one in identifiers}
    rows = await conn.fetch(_FIND, array(by_hash))
    erased = [by_hash[row[0]] for row in rows if row[-1]]
    if erased:
        raise Misread(erased)
    names.add((by_hash[hash_], node_id, day, stamp, is_weak) for hash_, node_id, day, stamp, is_weak, _ in rows)


async def _bear(
    conn: Connection, unborn: Sequence[Identifier], hashes: Mapping[Identifier, bytes], keys: Keys, rules: Rules
) -> list[_Seen]:
    """Those that were all born by this; of a kind that others bore some of, none."""
    now, alone = keys.clock.now(), not conn.is_in_transaction()
    numbers = sorted(number for (number,) in await conn.fetch(_NUMBERS, len(unborn), alone))
    strong: list[_Birth] = []
    weak: list[_Birth] = []
    drawn = zip(numbers, new_uuid7s(now, len(unborn)), keys.sealer.seal_all([one.value for one in unborn]), strict=True)
    for (number, token, sealed), one in zip(drawn, unborn, strict=True):
        kind, blocked = rules.known[one.namespace].kind, rules.blocks(*one)
        (weak if kind == "weak" else strong).append((number, hashes[one], one.namespace, kind, token, sealed, blocked))
    said = rules.version, alone
    born: list[_Birth] = []
    if strong and _count(await conn.execute(_BEAR_STRONG, *columns(strong), *said)) == len(strong):
        born += strong
    tokens = new_uuid7s(now, len(weak))
    if weak and _count(await conn.execute(_BEAR_WEAK, *columns(weak), *said, array(tokens))) == len(weak):
        born += weak
    by_number = dict(zip(numbers, unborn, strict=True))
    return [(by_number[row[0]], row[0], _SINCE_EVER, 0, row[3] == "weak") for row in born]


def _count(status: str) -> int:
    """`INSERT 0 5` → 5."""
    return int(status.rpartition(" ")[2])
