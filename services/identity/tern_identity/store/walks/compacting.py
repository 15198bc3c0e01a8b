"""Old days of the ledger: of each pair and claim, by source, the first saying is all that the graph follows from.

Days that `retire` can name stay, since they may yet be moved to another era (identity.md §7). Waits for nobody.
"""

from __future__ import annotations

from tern_common.db import Connection
from tern_identity.store.eras import DAYS_BACK

HORIZON_DAYS = DAYS_BACK + 1
"""A day more, since clocks of processes do not pass midnight together."""

_PAIRS = """
DELETE FROM pair WHERE ctid = ANY(ARRAY(
    SELECT p.ctid FROM pair p
    WHERE p.a = ANY($1::bigint[]) AND p.day < $2 AND EXISTS (
        SELECT FROM pair q
        WHERE q.a = p.a AND q.b = p.b AND q.source = p.source
          AND (q.at, q.event_id, q.place, q.day) < (p.at, p.event_id, p.place, p.day)
    )
    FOR UPDATE SKIP LOCKED
))
"""

_CLAIMS = """
DELETE FROM claim WHERE ctid = ANY(ARRAY(
    SELECT c.ctid FROM claim c
    WHERE c.weak = ANY($1::bigint[]) AND c.day < $2 AND EXISTS (
        SELECT FROM claim d
        WHERE d.weak = c.weak AND d.strong = c.strong AND d.rank = c.rank AND d.source = c.source AND d.day < c.day
    )
    FOR UPDATE SKIP LOCKED
))
"""


async def compact(conn: Connection, strong: list[int], weak: list[int], today: int) -> int:
    """Deletes what is old and not the first of its kind, under these nodes; how many rows. `today`: days since 1970."""
    before = today - HORIZON_DAYS
    pairs = await conn.execute(_PAIRS, strong, before)
    claims = await conn.execute(_CLAIMS, weak, before)
    return _count(pairs) + _count(claims)


def _count(status: str) -> int:
    """Of `DELETE 3`."""
    return int(status.rpartition(" ")[2])
