"""Eras: from a day on an identifier is another person's (identity.md §6). Facts and homes follow, and can come back.

Homes are filed by day, so that an era is exact: whole homes move, and none is cut.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from tern_common.clock import Clock
from tern_common.db import Connection
from tern_common.errors import Refused
from tern_common.ids import new_uuid7
from tern_identity.domain.reading import day_of
from tern_identity.store import controls
from tern_identity.store.acting import Acting, Meaning, Subject, Wish, require_locked
from tern_identity.store.controls import Control
from tern_identity.store.surroundings import hold

DAYS_BACK = 90

_EVER, _NEVER = -2_147_483_648, 2_147_483_647

_ERAS = """
SELECT e.node_id, coalesce(e.from_day, $2) FROM node n JOIN node e USING (hash)
WHERE n.node_id = $1 AND e.instead IS NULL ORDER BY 2
"""

_BEAR = """
INSERT INTO node (node_id, hash, era, from_day, ns, kind, token, original, blocked, guard, grp, core, crowded,
                  shared_from, shared_token)
SELECT $2::bigint, n.hash, (SELECT max(era) + 1 FROM node e WHERE e.hash = n.hash), $3, n.ns, n.kind, $4, n.original,
       n.blocked, CASE WHEN n.blocked AND NOT weak THEN 'blocked' END, CASE WHEN NOT weak THEN $2 END,
       CASE WHEN NOT weak THEN $2 END, CASE WHEN NOT weak THEN false END,
       CASE WHEN n.blocked AND weak THEN -1 END, CASE WHEN weak THEN $5::uuid END
FROM (SELECT *, kind = 'weak' AS weak FROM node WHERE node_id = $1) AS n
"""
_BEAR_GROUP = "INSERT INTO grp (grp) SELECT node_id FROM node WHERE node_id = $1 AND kind <> 'weak'"

# The other ends of what is to move: of pairs, and of claims on a browser.
_OTHERS = """
SELECT b FROM pair WHERE a = $1 AND day >= $2 AND day < $3
UNION SELECT a FROM pair WHERE b = $1 AND day >= $2 AND day < $3
UNION SELECT strong FROM claim WHERE weak = $1 AND day >= $2 AND day < $3
"""

_MOVE = (
    "UPDATE pair SET a = $2 WHERE a = $1 AND day >= $3 AND day < $4",
    "UPDATE pair SET b = $2 WHERE b = $1 AND day >= $3 AND day < $4",
    "UPDATE claim SET strong = $2 WHERE strong = $1 AND day >= $3 AND day < $4",
    "UPDATE claim SET weak = $2 WHERE weak = $1 AND day >= $3 AND day < $4",
    """
    WITH moved AS (
        UPDATE home SET nodes = array_replace(nodes, $1, $2)
        WHERE home_id = ANY (ARRAY(SELECT home_id FROM home_node WHERE node_id = $1)) AND day >= $3 AND day < $4
        RETURNING home_id
    )
    UPDATE home_node SET node_id = $2 WHERE node_id = $1 AND home_id = ANY (ARRAY(SELECT home_id FROM moved))
    """,
)

_STAMP = "UPDATE node SET stamp = stamp + 1 WHERE node_id IN ($1, $2)"
_END = "UPDATE node SET instead = $2 WHERE node_id = $1 OR instead = $1"


class _Part(NamedTuple):
    """Whose facts and homes of which days go to whom: from `first` on, before `until`."""

    giver: int
    taker: int
    first: int
    until: int


async def retire(acting: Acting, wish: Wish) -> Meaning:
    """A new era from the day on. Raises `Refused` for a day out of reach, and for what names one person for life."""
    _require_day(wish.day, acting.keys.clock)
    [subject] = await acting.seen(wish.group, wish.day)
    if subject.kind == "unique":
        raise Refused(422, "names-one-person", f"A {subject.namespace} names one person for life: it has no eras.")
    known = await _eras(acting.conn, subject.node_id)
    if wish.day in known.values():
        raise Refused(409, "already-in-force", "An era of this identifier begins on that day already.")
    until = min((first for first in known.values() if first > wish.day), default=_NEVER)
    born = await _bear(acting, subject, wish.day)
    meaning = await _move(acting, subject, _Part(subject.node_id, born, wish.day, until))
    return Meaning((born,), (subject.node_id,), wish.day, again=meaning.again, again_weak=meaning.again_weak)


async def take_back(acting: Acting, control: Control) -> Meaning:
    """All goes back to the era before; the id of the one that ends stands for it. Raises `Refused` while words name
    the era that ends, and when the identifier was erased."""
    [subject] = await acting.subjects(control.nodes)
    if subject.original is None:
        raise Refused(409, "gone", "The identifier was erased: there is nothing to go back to.")
    if other := await controls.naming(acting.conn, subject.node_id):
        raise Refused(409, "in-the-way", f"Control {other} names this era: undo it first.")
    known = await _eras(acting.conn, subject.node_id)
    before = max((first, node_id) for node_id, first in known.items() if first < known[subject.node_id])[1]
    meaning = await _move(acting, subject, _Part(subject.node_id, before, _EVER, _NEVER))
    await acting.conn.execute(_END, subject.node_id, before)
    return meaning


async def _move(acting: Acting, subject: Subject, part: _Part) -> Meaning:
    """Locks both eras and all whom the move concerns, and moves."""
    conn, both = acting.conn, {part.giver, part.taker}
    own, weak = (set[int](), both) if subject.is_weak else (both, set[int]())
    locked = await acting.lock(own | await _others(conn, part))
    await hold(conn, locked.strong.keys(), weak)
    others = await _others(conn, part)
    require_locked(locked, others)
    for statement in _MOVE:
        await conn.execute(statement, *part)
    await conn.execute(_STAMP, part.giver, part.taker)
    return Meaning(again=frozenset(own | others), again_weak=frozenset(weak))


async def _others(conn: Connection, part: _Part) -> set[int]:
    return {row[0] for row in await conn.fetch(_OTHERS, part.giver, part.first, part.until)}


async def _eras(conn: Connection, node: int) -> dict[int, int]:
    """Every era of a node's identifier that was not taken back → its first day."""
    return dict(map(tuple, await conn.fetch(_ERAS, node, _EVER)))


async def _bear(acting: Acting, subject: Subject, day: int) -> int:
    now = acting.keys.clock.now()
    born = int(await acting.conn.fetchval("SELECT nextval('node_id')"))
    tokens: tuple[UUID, UUID] = (new_uuid7(now), new_uuid7(now))
    await acting.conn.execute(_BEAR, subject.node_id, born, day, *tokens)
    await acting.conn.execute(_BEAR_GROUP, born)
    return born


def _require_day(day: int, clock: Clock) -> None:
    today = day_of(clock.now())
    if not today - DAYS_BACK <= day <= today + 1:
        raise Refused(422, "day-out-of-reach", f"An era begins at most {DAYS_BACK} days ago, and at latest tomorrow.")
