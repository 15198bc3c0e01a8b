"""Erasure: an identifier's facts and homes go, and a tombstone that names nobody is left (identity.md §6).

The one act that cannot be taken back, and whose effect depends on when it is done: later events lose the identifier
before they are read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NoReturn

from tern_common import outbox
from tern_common.db import Connection
from tern_common.errors import Refused
from tern_identity.domain.notices import Cause, Move, erasures
from tern_identity.store import browsers, controls
from tern_identity.store.acting import Acting, Meaning, Wish, require_locked
from tern_identity.store.controls import Control
from tern_identity.store.homes import EPOCH_STEP
from tern_identity.store.messages import change_message
from tern_identity.store.surroundings import hold

_ERAS = "SELECT e.node_id FROM node n JOIN node e USING (hash) WHERE n.node_id = $1"

# The strong nodes that a fact ties to these.
_OTHERS = """
SELECT b FROM pair WHERE a = ANY($1::bigint[])
UNION SELECT a FROM pair WHERE b = ANY($1::bigint[])
UNION SELECT strong FROM claim WHERE weak = ANY($1::bigint[])
"""

_FORGET = (
    "DELETE FROM pair WHERE a = ANY($1::bigint[])",
    "DELETE FROM pair WHERE b = ANY($1::bigint[])",
    "DELETE FROM claim WHERE weak = ANY($1::bigint[])",
    "DELETE FROM claim WHERE strong = ANY($1::bigint[])",
    "DELETE FROM refusal WHERE a = ANY($1::bigint[]) OR b = ANY($1::bigint[])",
    "DELETE FROM merge WHERE a = ANY($1::bigint[]) OR b = ANY($1::bigint[])",
    "UPDATE node SET original = NULL, blocked = true, stamp = stamp + 1 WHERE node_id = ANY($1::bigint[])",
)

_GO = """
UPDATE home SET nodes = '{}', customer_id = n.token, shared = true, erased = true,
                version = $2 + nextval('membership_version')
FROM home_node f JOIN node n USING (node_id), home was
WHERE f.node_id = ANY($1::bigint[]) AND home.home_id = f.home_id AND was.home_id = f.home_id
RETURNING home.home_id, home.version, home.is_door, was.nodes, was.customer_id, home.customer_id
"""
_UNFILE = "DELETE FROM home_node WHERE home_id = ANY($1::bytea[])"


async def erase(acting: Acting, wish: Wish) -> Meaning:
    """All eras of an identifier, for good."""
    conn = acting.conn
    [subject] = await acting.seen(wish.group, wish.day)
    nodes = frozenset(row[0] for row in await conn.fetch(_ERAS, subject.node_id))
    own, weak = (frozenset[int](), nodes) if subject.is_weak else (nodes, frozenset[int]())
    locked = await acting.lock(own | await _others(conn, nodes))
    await hold(conn, locked.strong.keys(), weak)
    others = await _others(conn, nodes) - nodes
    require_locked(locked, others)
    doubtful = weak | await browsers.claimed_by(conn, own)
    gone = await _take_homes(acting, nodes)
    await controls.silence(conn, nodes)
    for statement in _FORGET:
        await conn.execute(statement, sorted(nodes))
    return Meaning(tuple(sorted(nodes)), again=own | others, again_weak=doubtful, gone=gone)


async def refuse_to_undo(_: Acting, __: Control) -> NoReturn:
    """Raises `Refused`."""
    raise Refused(409, "erased-for-good", "What was erased is gone: this control cannot be taken back.")


async def tell(conn: Connection, gone: Sequence[Move], cause: Cause) -> None:
    """Whoever keeps something of these homes is to delete it."""
    await outbox.put(conn, [change_message(change) for change in erasures(gone, cause)])


async def _others(conn: Connection, nodes: Collection[int]) -> frozenset[int]:
    return frozenset(row[0] for row in await conn.fetch(_OTHERS, sorted(nodes)))


async def _take_homes(acting: Acting, nodes: Collection[int]) -> tuple[Move, ...]:
    rows = await acting.conn.fetch(_GO, sorted(nodes), acting.numbers.epoch * EPOCH_STEP)
    await acting.conn.execute(_UNFILE, [row[0] for row in rows])
    return tuple(
        Move(home_id.hex(), version, is_door, tuple(filed), was, now, True)
        for home_id, version, is_door, filed, was, now in rows
    )
