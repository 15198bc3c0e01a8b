"""Locks on all that hangs on locked groups: their browsers, then their homes, each by number (identity.md §8).

For acts that move facts and homes before they settle: nothing that `settling` locks afterwards is out of order.
"""

from __future__ import annotations

from collections.abc import Collection

from tern_common.db import Connection
from tern_identity.store import browsers

_LOCK_BROWSERS = "SELECT node_id FROM node WHERE node_id = ANY($1::bigint[]) ORDER BY node_id FOR UPDATE"

_LOCK_HOMES = """
SELECT home_id FROM home
WHERE home_id = ANY (ARRAY(SELECT home_id FROM home_node WHERE node_id = ANY($1::bigint[])))
ORDER BY home_id FOR UPDATE
"""


async def hold(conn: Connection, strong: Collection[int], weak: Collection[int]) -> None:
    """`strong`: all nodes of the groups that are locked. `weak`: browsers beside those that these were seen on."""
    held = {*weak, *await browsers.claimed_by(conn, strong)}
    await hold_browsers(conn, held)
    await conn.execute(_LOCK_HOMES, sorted({*strong, *held}))


async def hold_browsers(conn: Connection, weak: Collection[int]) -> None:
    """Their rows alone, by number."""
    await conn.execute(_LOCK_BROWSERS, sorted(weak))
