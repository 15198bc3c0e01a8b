"""Folds a chunk of the graph from the ledger, under the locks of any other news: for changed rules, and for a rebuild.

What is stored may be wrong in any way: only the ledger is believed, so that a rebuild mends whatever was damaged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from tern_common.db import Connection
from tern_common.sealing import Sealer
from tern_identity.domain.notices import Cause
from tern_identity.domain.rules import Rules
from tern_identity.store.settling import Numbers, Settled, Work, settle
from tern_identity.store.walks.views import JudgedBlocklist, View
from tern_identity.store.walks.walking import Stretch, groups_that_begin

_GIVE_ROWS = """
INSERT INTO grp (grp) SELECT node_id FROM node WHERE node_id = ANY($1::bigint[]) ON CONFLICT DO NOTHING
"""

_FIND_GROUPS = """
UPDATE node n SET grp = CASE WHEN g.grp IS NULL THEN n.node_id ELSE n.grp END,
                  core = coalesce(n.core, n.node_id), crowded = coalesce(n.crowded, false)
FROM node o LEFT JOIN grp g ON g.grp = o.grp
WHERE n.node_id = ANY($1::bigint[]) AND o.node_id = n.node_id
  AND (g.grp IS NULL OR n.core IS NULL OR n.crowded IS NULL)
"""

_JUDGED = "SELECT node_id FROM node WHERE node_id = ANY($1::bigint[]) AND blocked"
_JUDGE = "UPDATE node SET blocked = $2 WHERE node_id = ANY($1::bigint[])"


Lock = Callable[[Connection, Sequence[int]], Awaitable[object]]

NO_STRETCH = Stretch(0, 0, [], [])


class Task(NamedTuple):
    """What to fold again, and what to say of it. `mends`: also nodes whose group is lost."""

    chunk: Stretch
    because: Cause | None = None
    mends: bool = False
    also: frozenset[int] = frozenset()


async def fold_again(conn: Connection, task: Task, view: View, epoch: int) -> Settled:
    """The groups that begin in the chunk, its browsers, and all homes under them. `view`: by the rules in force; it may
    serve for many chunks. Raises `GroupsMoved` and `Misread`: begin again, with `also` the nodes that it names."""
    chunk = task.chunk
    view.forget()
    region = await groups_that_begin(conn, chunk.strong, chunk.after, [view])
    # Who went into quarantine or left it since an earlier chunk had its group.
    turned = {node_id for node_id in chunk.strong if region.rows[node_id].guard != view.known[node_id]}
    again = frozenset(region.nodes() | turned) | task.also
    if task.mends and again:
        await _find_places(conn, sorted(again))
    work = Work(again=again, again_weak=frozenset(chunk.weak), because=task.because)
    return await settle(conn, work, Numbers(view.rules, epoch))


async def _find_places(conn: Connection, nodes: list[int]) -> None:
    """Gives every strong node a group that exists, so that it can be locked: where that is lost, nobody else can touch
    the node either."""
    await conn.execute(_GIVE_ROWS, nodes)
    await conn.execute(_FIND_GROUPS, nodes)


async def judge(conn: Connection, nodes: Sequence[int], rules: Rules, sealer: Sealer, lock: Lock) -> None:
    """Judges the blocklist anew on nodes of one kind, under its locks where the answer is another than before. It
    stands in a transaction of its own, since those locks are no part of an order. Raises `GroupsMoved`."""
    due = await JudgedBlocklist(rules, sealer).names(conn, nodes)
    known = {row[0] for row in await conn.fetch(_JUDGED, nodes)}
    if changed := sorted(due ^ known):
        await lock(conn, changed)
        await conn.execute(_JUDGE, sorted(due - known), True)
        await conn.execute(_JUDGE, sorted(known - due), False)
