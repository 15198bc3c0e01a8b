"""The one row of `ruleset`: what the agenda was planned with."""

from __future__ import annotations

from tern_common.db import Connection

_NAME = "live"


async def planned_with(conn: Connection) -> str | None:
    """The digest of the rules that the agenda was last planned with."""
    found = await conn.fetchval("SELECT digest FROM ruleset WHERE name = $1", _NAME)
    return None if found is None else str(found)


async def note(conn: Connection, digest: str) -> None:
    """Notes that the agenda has been planned with these rules."""
    await conn.execute(
        "INSERT INTO ruleset (name, digest) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET digest = excluded.digest",
        _NAME,
        digest,
    )
