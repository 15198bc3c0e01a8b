"""Homes under lock: placed again, and given a new version where their customer changed (identity.md §8.7).

A home's row is locked before what it is filed under is read, for the same reason as a browser's. What is locked itself
cannot change meanwhile: of that nothing is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from tern_common.arrays import array, columns, hex_array
from tern_common.db import Connection
from tern_identity.domain.ledger import Home
from tern_identity.domain.notices import Move
from tern_identity.domain.placing import Customer, Standpoint, place, resolve
from tern_identity.domain.reading import FOREVER
from tern_identity.domain.regrouping import Strong
from tern_identity.store.browsers import Browser, held_of
from tern_identity.store.news import Membership

EPOCH_STEP = 1 << 40

_LOCK = """
SELECT home_id, nodes, day, is_door, customer_id, version, shared FROM home
WHERE NOT erased AND home_id = ANY (ARRAY(
    SELECT home_id FROM home_node WHERE node_id = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
    UNION SELECT unnest($2::text::bytea[])
))
ORDER BY home_id FOR UPDATE
"""

_STANDPOINT = """
n.original IS NULL AS erased, n.node_id, n.kind, n.guard, n.core, n.holder, n.shared_from, h.core AS holder_core,
n.token, n.shared_token, c.token AS core_token, coalesce(hc.token, h.token) AS holder_token
"""

# Whoever names a core is most often alone in it: nothing is looked up for a number that is one's own.
_WITH_TOKENS = """
LEFT JOIN node c ON c.node_id = nullif(n.core, n.node_id)
LEFT JOIN node h ON h.node_id = n.holder
LEFT JOIN node hc ON hc.node_id = nullif(h.core, h.node_id)
"""

_BY_NUMBER = f"""
SELECT n.token AS asked, n.shared_token AS asked_shared, {_STANDPOINT}
FROM node n {_WITH_TOKENS} WHERE n.node_id = ANY (ARRAY(SELECT unnest($1::text::bigint[])))
"""  # noqa: S608

_BY_TOKEN = f"""
SELECT t.token AS asked, t.shared_token AS asked_shared, {_STANDPOINT}
FROM node t JOIN node n ON n.node_id = coalesce(t.instead, t.node_id) {_WITH_TOKENS}
WHERE t.token = ANY($1::uuid[]) OR t.shared_token = ANY($1::uuid[])
"""  # noqa: S608

_VERSIONS = "SELECT nextval('membership_version') FROM generate_series(1, $1)"

_ADD = """
WITH added AS (
    INSERT INTO home (home_id, nodes, day, is_door, customer_id, shared, version)
    SELECT n.home_id, string_to_array(n.nodes, ',')::bigint[], n.day, n.is_door, n.customer_id, n.shared, n.version
    FROM unnest(
        $1::text::bytea[], $2::text::text[], $3::text::int[], $4::text::boolean[],
        $5::text::uuid[], $6::text::boolean[], $7::text::bigint[]
    )
         AS n (home_id, nodes, day, is_door, customer_id, shared, version)
    RETURNING home_id, nodes
)
INSERT INTO home_node (node_id, home_id) SELECT unnest(nodes), home_id FROM added
"""

_CHANGE = """
UPDATE home SET customer_id = n.customer_id, shared = n.shared, version = n.version
FROM unnest(
    $1::text::bytea[], $2::text::uuid[], $3::text::boolean[], $4::text::bigint[]
) AS n (home_id, customer_id, shared, version)
WHERE home.home_id = n.home_id
"""


class Standing(NamedTuple):
    """A node's standpoint, and the tokens of those it may speak for. `asked`: the tokens of the node that was asked
    for, which stands for this one where its era was taken back. `erased`: all that is left is a tombstone."""

    at: Standpoint
    shared_token: UUID | None
    tokens: dict[int, UUID]
    asked: tuple[UUID, UUID | None]
    erased: bool

    def name(self, customer: Customer) -> UUID:
        """The customer's id."""
        if customer.standing == "browser" and self.shared_token is not None:
            return self.shared_token
        return self.tokens[customer.node_id]

    def resolved(self, customer_id: UUID) -> Customer:
        """Whom an id of this node's stands for now."""
        return resolve(self.at, customer_id == self.asked[1])


class Placed(NamedTuple):
    """The homes that were placed: what they are now, and which of them moved."""

    memberships: dict[str, Membership]
    moves: list[Move]


async def replace(
    conn: Connection, touched: Collection[int], new: Mapping[str, Home], known: Mapping[int, Standing], epoch: int
) -> Placed:
    """Places the homes under the touched nodes, and the new ones; writes those that have another customer now. `known`:
    how nodes stand that are locked."""
    if not touched and not new:
        return Placed({}, [])
    rows = await conn.fetch(_LOCK, array(touched), hex_array(new))
    homes = dict(new)
    stored: dict[str, Membership] = {}
    for key, nodes, day, is_door, *membership in rows:
        homes[key.hex()] = Home(tuple(nodes), day, is_door)
        stored[key.hex()] = Membership(*membership)
    standings = await _standings(conn, {node_id for home in homes.values() for node_id in home.nodes}, known)
    wanted = {home_id: customer_of(home, standings) for home_id, home in homes.items()}
    changed = {home_id: whose for home_id, whose in wanted.items() if whose != _whose(stored.get(home_id))}
    versions = await _versions(conn, len(changed), epoch)
    now = {
        home_id: Membership(customer_id, version, shared)
        for (home_id, (customer_id, shared)), version in zip(changed.items(), versions, strict=True)
    }
    await _write(conn, homes, stored, now)
    moves = [_move(key, homes[key], stored.get(key), membership) for key, membership in now.items()]
    return Placed(stored | now, moves)


async def standings_of(conn: Connection, nodes: Collection[int]) -> dict[int, Standing]:
    """What placing needs to know of these nodes, as it stands at this moment."""
    found = [_standing(row) for row in await conn.fetch(_BY_NUMBER, array(nodes))]
    return {one.at.node_id: one for one in found}


async def _standings(conn: Connection, nodes: Collection[int], known: Mapping[int, Standing]) -> Mapping[int, Standing]:
    asked = [node_id for node_id in nodes if node_id not in known]
    return {**known, **await standings_of(conn, asked)} if asked else known


def standings_in(rows: Mapping[int, Strong], tokens: Mapping[int, UUID]) -> dict[int, Standing]:
    """The same of the strong nodes of groups, by what is known of them under their locks."""
    return {
        node_id: Standing(
            Standpoint(node_id, is_weak=False, core=row.core, eligible=row.guard is None),
            None,
            {node_id: tokens[node_id], row.core: tokens[row.core]},
            (tokens[node_id], None),
            False,
        )
        for node_id, row in rows.items()
        if row.core in tokens
    }


def standings_on(browsers: Mapping[int, Browser], known: Mapping[int, Standing]) -> dict[int, Standing]:
    """The same of browsers under lock. One whose holder is not among the `known` is left out."""
    found: dict[int, Standing] = {}
    for node_id, (held, token, shared_token) in browsers.items():
        core, tokens = None, {node_id: token}
        if held.holder is not None:
            if held.holder not in known:
                continue
            holder = known[held.holder]
            core = holder.at.core
            tokens[core] = holder.tokens[core]
        at = Standpoint(node_id, is_weak=True, held=held, holder_core=core)
        found[node_id] = Standing(at, shared_token, tokens, (token, shared_token), False)
    return found


async def standings_by_token(conn: Connection, ids: Collection[UUID]) -> dict[UUID, Standing]:
    """The node behind each customer id that was ever published. Unknown ids are left out."""
    standings = [_standing(row) for row in await conn.fetch(_BY_TOKEN, list(ids))] if ids else []
    found = {token: one for one in standings for token in one.asked if token is not None}
    return {customer_id: found[customer_id] for customer_id in ids if customer_id in found}


async def stand_for(conn: Connection, ids: Collection[UUID]) -> dict[UUID, tuple[int, UUID]]:
    """Customer ids that were published once → their node, and whom they stand for now. Unknown ids are left out."""
    found = await standings_by_token(conn, ids)
    return {customer_id: (one.at.node_id, one.name(one.resolved(customer_id))) for customer_id, one in found.items()}


def customer_of(home: Home, standings: Mapping[int, Standing]) -> tuple[UUID, bool]:
    customer = place([standings[node_id].at for node_id in home.nodes], home.day)
    speaker = next(one for one in map(standings.__getitem__, home.nodes) if customer.node_id in one.tokens)
    return speaker.name(customer), customer.is_shared


def _whose(membership: Membership | None) -> tuple[UUID, bool] | None:
    return None if membership is None else (membership.customer_id, membership.shared)


def _standing(row: Any) -> Standing:
    asked, asked_shared, erased, node_id, kind, guard, core, *weak = row
    who, since, holder_core, token, shared_token, core_token, holder_token = weak
    if kind == "weak":
        at = Standpoint(node_id, is_weak=True, held=held_of(who, since), holder_core=holder_core)
        tokens = {node_id: token} if holder_core is None else {node_id: token, holder_core: holder_token}
    else:
        at = Standpoint(node_id, is_weak=False, core=core, eligible=guard is None)
        tokens = {node_id: token} if core == node_id else {node_id: token, core: core_token}
    return Standing(at, shared_token, tokens, (asked, asked_shared), erased)


async def _versions(conn: Connection, count: int, epoch: int) -> list[int]:
    """Drawn after the homes' rows are locked: so they grow for each home."""
    return [epoch * EPOCH_STEP + row[0] for row in await conn.fetch(_VERSIONS, count)] if count else []


async def _write(
    conn: Connection, homes: Mapping[str, Home], stored: Collection[str], now: Mapping[str, Membership]
) -> None:
    added: list[Sequence[object]] = []
    changed: list[Sequence[object]] = []
    for home_id, (customer_id, version, shared) in sorted(now.items()):
        key, home = bytes.fromhex(home_id), homes[home_id]
        if home_id in stored:
            changed.append((key, customer_id, shared, version))
        else:
            nodes = ",".join(map(str, home.nodes))
            added.append((key, nodes, home.day, home.is_door, customer_id, shared, version))
    for statement, rows in ((_ADD, added), (_CHANGE, changed)):
        if rows:
            await conn.execute(statement, *columns(rows))


def _move(home_id: str, home: Home, was: Membership | None, now: Membership) -> Move:
    former = None if was is None else was.customer_id
    answers = home.day == FOREVER
    return Move(home_id, now.version, home.is_door, home.nodes, former, now.customer_id, now.shared, answers)
