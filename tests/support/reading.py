"""How much a transaction has read: by PostgreSQL's own count, which is not settled before the transaction ends."""

from __future__ import annotations

from tern_common.db import Connection

_READ = """
SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0)::bigint FROM pg_class
WHERE oid = ANY($1::text[]::regclass[])
   OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY($1::text[]::regclass[]))
"""


async def rows_read(conn: Connection, *tables: str) -> int:
    """Entries of indexes, and rows of scanned tables, that this transaction has read of these."""
    found: int = await conn.fetchval(_READ, list(tables))
    return found
