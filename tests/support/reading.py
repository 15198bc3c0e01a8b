"""How much a transaction reads, by PostgreSQL's own count."""

from __future__ import annotations

from tern_common.db import Connection

_READ = """
SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0)::bigint FROM pg_class
WHERE oid = ANY($1::text[]::regclass[])
   OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY($1::text[]::regclass[]))
"""


async def rows_read(conn: Connection, *tables: str) -> int:
    """Entries of indexes, and rows of scanned tables, that were read of these, by this session and since it reported
    last, which it does between transactions: what one reads is the difference between two counts within it."""
    found: int = await conn.fetchval(_READ, list(tables))
    return found
