"""Sweeps away what nothing can read any more, in small pages, beside everything else."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from tern_common.db import Connection


async def sweep_facts(
    conn: Connection, before: datetime, spared: Collection[str], after: UUID | None, limit: int
) -> UUID | None:
    """Deletes facts from before a moment, unless of a spared kind, of the next `limit` homes. The last home; None when
    there is no further one."""
    rows = await conn.fetch(
        "SELECT DISTINCT home_id FROM fact WHERE $1::uuid IS NULL OR home_id > $1 ORDER BY home_id LIMIT $2",
        after,
        limit,
    )
    homes = [row[0] for row in rows]
    await conn.execute(
        "DELETE FROM fact WHERE home_id = ANY($1::uuid[]) AND at < $2 AND kind <> ALL($3::text[])",
        homes,
        before,
        sorted(spared),
    )
    return homes[-1] if len(homes) == limit else None


async def sweep_decisions(conn: Connection, before: datetime, limit: int) -> bool:
    """Deletes up to `limit` decisions taken before a moment, and all that came back about them. Whether it may have
    left some."""
    rows = await conn.fetch(
        """
        DELETE FROM decision WHERE id = ANY(ARRAY(
          SELECT id FROM decision WHERE decided_at < $1 ORDER BY decided_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )) RETURNING trigger_id
        """,
        before,
        limit,
    )
    gone = [row[0] for row in rows]
    await conn.execute("DELETE FROM outcome WHERE trigger_id = ANY($1::uuid[])", gone)
    await conn.execute("DELETE FROM hold WHERE trigger_id = ANY($1::uuid[])", gone)
    return len(gone) == limit
