"""What follows from declarations that changed: everybody is due once, since nothing else may ever happen to him."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from tern_common.db import Pool, connection, transaction

PAGE = 5000
"""Customers that one statement makes due."""

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
_BEFORE_ALL = UUID(int=0)

_KNOWN = "SELECT fingerprint FROM declared"

_DUE = """
INSERT INTO timer (customer_id, next_at)
SELECT customer_id, $3::timestamptz FROM profile
WHERE customer_id > $1 AND record IS NOT NULL ORDER BY customer_id LIMIT $2
ON CONFLICT (customer_id) DO UPDATE SET next_at = excluded.next_at
RETURNING customer_id
"""

_NOTE = """
INSERT INTO declared (one_row, fingerprint) VALUES (true, $1)
ON CONFLICT (one_row) DO UPDATE SET fingerprint = excluded.fingerprint
"""


async def notice(pool: Pool, fingerprint: str) -> None:
    """Makes everybody due whose record was made with other declarations; an empty fingerprint: there are none.

    Noted when all are due: whoever dies before begins anew.
    """
    async with connection(pool) as conn:
        known: str = await conn.fetchval(_KNOWN) or ""
    if known == fingerprint:
        return
    last: UUID | None = _BEFORE_ALL
    while last is not None:
        async with transaction(pool) as conn:
            last = max((row[0] for row in await conn.fetch(_DUE, last, PAGE, AT_ONCE)), default=None)
    async with transaction(pool) as conn:
        await conn.execute(_NOTE, fingerprint)
