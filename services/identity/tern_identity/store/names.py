"""Identifiers and their nodes: who has a number in which era, and births (identity.md §8.2).

A birth stands in a statement of its own: an orphan node harms nobody, and other writers wait for a moment only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tern_common.clock import Clock
from tern_common.db import Connection
from tern_common.hashing import Hasher
from tern_common.identifiers import Identifier
from tern_common.ids import new_uuid7
from tern_common.sealing import Sealer
from tern_identity.domain.rules import Rules
from tern_identity.store.errors import Misread
from tern_identity.store.facts import columns

_FIND = """
SELECT hash, node_id, coalesce(from_day, -2147483648), stamp, kind = 'weak', original IS NULL
FROM node WHERE hash = ANY($1::bytea[]) AND instead IS NULL
"""

_NUMBERS = "SELECT nextval('node_id') FROM generate_series(1, $1)"

# Whoever applies new rules waits for this lock, until these births can be seen.
_LIVE = "SELECT version FROM ruleset WHERE live FOR SHARE"

_BEAR_STRONG = f"""
WITH live AS ({_LIVE}), born AS (
    INSERT INTO node (node_id, hash, ns, kind, token, original, blocked, guard, grp, core, crowded)
    SELECT n.node_id, n.hash, n.ns, n.kind, n.token, n.original, n.blocked,
           CASE WHEN n.blocked THEN 'blocked' END, n.node_id, n.node_id, false
    FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::uuid[], $6::bytea[], $7::boolean[])
         AS n (node_id, hash, ns, kind, token, original, blocked)
    WHERE (SELECT version FROM live) = $8
    ORDER BY n.hash
    ON CONFLICT DO NOTHING
    RETURNING node_id
)
INSERT INTO grp (grp) SELECT node_id FROM born
"""  # noqa: S608

_BEAR_WEAK = f"""
WITH live AS ({_LIVE})
INSERT INTO node (node_id, hash, ns, kind, token, original, blocked, shared_from, shared_token)
SELECT n.node_id, n.hash, n.ns, n.kind, n.token, n.original, n.blocked, CASE WHEN n.blocked THEN -1 END, n.shared_token
FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::uuid[], $6::bytea[], $7::boolean[], $9::uuid[])
     AS n (node_id, hash, ns, kind, token, original, blocked, shared_token)
WHERE (SELECT version FROM live) = $8
ORDER BY n.hash
ON CONFLICT DO NOTHING
"""  # noqa: S608


class Keys(NamedTuple):
    """What turns identifiers into names that may be stored."""

    hasher: Hasher
    sealer: Sealer
    clock: Clock


class _Era(NamedTuple):
    from_day: int
    node_id: int


@dataclass
class Names:
    """The nodes of a batch's identifiers, in all their eras. `stamps` grow whenever an operator moves facts."""

    hashes: Mapping[Identifier, bytes]
    stamps: dict[int, int] = field(default_factory=dict)
    weak: frozenset[int] = frozenset()
    _single: dict[Identifier, int] = field(default_factory=dict)
    _eras: dict[Identifier, list[_Era]] = field(default_factory=dict)

    def number(self, identifier: Identifier, day: int) -> int:
        """The node of an identifier on a day (days since 1970)."""
        node_id = self._single.get(identifier)
        if node_id is not None:
            return node_id
        return max(era for era in self._eras[identifier] if era.from_day <= day).node_id

    def __contains__(self, identifier: Identifier) -> bool:
        return identifier in self._eras

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of identifier, node, first day, stamp, and whether it is weak."""
        weak = set(self.weak)
        for identifier, node_id, from_day, stamp, is_weak in rows:
            self._eras.setdefault(identifier, []).append(_Era(from_day, node_id))
            self.stamps[node_id] = stamp
            if is_weak:
                weak.add(node_id)
        self.weak = frozenset(weak)
        self._single = {one: eras[0].node_id for one, eras in self._eras.items() if len(eras) == 1}


async def names_of(conn: Connection, identifiers: Sequence[Identifier], keys: Keys, rules: Rules) -> Names:
    """The nodes of these identifiers; those not seen before are born, numbered in the order given.

    Raises `Misread` when some of them were erased, or when the rules are no longer live.
    """
    names = await known_names(conn, identifiers, keys)
    unborn = [one for one in identifiers if one not in names]
    if unborn:
        await _bear(conn, unborn, names.hashes, keys, rules)
        await _look(conn, names, unborn)
        if any(one not in names for one in unborn):
            raise Misread
    return names


async def known_names(conn: Connection, identifiers: Sequence[Identifier], keys: Keys) -> Names:
    """The nodes of those that were seen before. Raises `Misread` when some of them were erased."""
    names = Names({one: keys.hasher.identifier(*one) for one in identifiers})
    await _look(conn, names, identifiers)
    return names


async def _look(conn: Connection, names: Names, identifiers: Sequence[Identifier]) -> None:
    by_hash = {names.hashes[one]: one for one in identifiers}
    rows = [(by_hash[hash_], *row) for hash_, *row in await conn.fetch(_FIND, list(by_hash))]
    erased = [row[0] for row in rows if row[-1]]
    if erased:
        raise Misread(erased)
    names.add(row[:-1] for row in rows)


async def _bear(
    conn: Connection, unborn: Sequence[Identifier], hashes: Mapping[Identifier, bytes], keys: Keys, rules: Rules
) -> None:
    now = keys.clock.now()
    numbers = sorted(number for (number,) in await conn.fetch(_NUMBERS, len(unborn)))
    strong: list[tuple[object, ...]] = []
    weak: list[tuple[object, ...]] = []
    tokens = []
    for number, one in zip(numbers, unborn, strict=True):
        kind = rules.known[one.namespace].kind
        sealed, blocked = keys.sealer.seal(one.value), rules.blocks(*one)
        row = (number, hashes[one], one.namespace, kind, new_uuid7(now), sealed, blocked)
        if kind == "weak":
            weak.append(row)
            tokens.append(new_uuid7(now))
        else:
            strong.append(row)
    if strong:
        await conn.execute(_BEAR_STRONG, *columns(strong), rules.version)
    if weak:
        await conn.execute(_BEAR_WEAK, *columns(weak), rules.version, tokens)
