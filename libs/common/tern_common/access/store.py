"""SQL of schema `access`. Expiry is judged by the database's clock: a token's life is real time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from tern_common.db import Pool, connection

Role = Literal["read", "pii:read", "admin"]


class StoredToken(NamedTuple):
    """A token that is valid now."""

    digest: bytes
    role: Role
    label: str


class ListedToken(NamedTuple):
    """A token as an operator sees it."""

    token_id: str
    role: Role
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def find(pool: Pool, token_id: str) -> StoredToken | None:
    """The token, unless it is unknown, expired or revoked."""
    async with connection(pool) as conn:
        row = await conn.fetchrow(
            """SELECT digest, role, label FROM access.token
               WHERE token_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())""",
            token_id,
        )
    return StoredToken(row["digest"], row["role"], row["label"]) if row else None


async def create(pool: Pool, token_id: str, token: StoredToken, lives_for: timedelta | None) -> None:
    """Stores a new token that expires `lives_for` from now, or never."""
    async with connection(pool) as conn:
        await conn.execute(
            """INSERT INTO access.token (token_id, digest, role, label, expires_at)
               VALUES ($1, $2, $3, $4, now() + $5::interval)""",
            token_id,
            token.digest,
            token.role,
            token.label,
            lives_for,
        )


async def listed(pool: Pool) -> list[ListedToken]:
    """All tokens, the newest first."""
    async with connection(pool) as conn:
        rows = await conn.fetch(
            """SELECT token_id, role, label, created_at, expires_at, revoked_at FROM access.token
               ORDER BY created_at DESC, token_id"""
        )
    return [ListedToken(*row.values()) for row in rows]


async def revoke(pool: Pool, token_id: str) -> bool:
    """Ends a token. False when there is none that is not revoked already."""
    async with connection(pool) as conn:
        done = await conn.execute(
            "UPDATE access.token SET revoked_at = now() WHERE token_id = $1 AND revoked_at IS NULL", token_id
        )
    return done == "UPDATE 1"
