"""Sources and write keys in schema `ingest`. The only SQL of this service; refuses to know HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tern_common.db import Pool, connection, transaction
from tern_common.errors import Refused
from tern_ingest.domain.keys import LIVE_KEYS_PER_KIND, KeyKind, WriteKey


class Source(NamedTuple):
    """Where events come from."""

    source_id: str
    name: str
    created_at: datetime


class KeyRow(NamedTuple):
    """A write key as operators see it: never its secret."""

    key_id: str
    kind: KeyKind
    trusted: bool
    created_at: datetime
    revoked_at: datetime | None


class Store:
    """All calls raise `Transient` when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def live_keys(self) -> list[WriteKey]:
        """Every key that may be used."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(
                "SELECT id, source_id, trusted, secret_hash FROM ingest.write_key WHERE revoked_at IS NULL"
            )
        return [WriteKey(*row) for row in rows]

    async def add_source(self, source: Source) -> None:
        """Raises `Refused` 409 when there is one of that name."""
        async with transaction(self._pool) as conn:
            done = await conn.execute(
                "INSERT INTO ingest.source (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", *source
            )
        if done == "INSERT 0 0":
            raise Refused(409, "source-exists", "there is a source of that name")

    async def sources(self) -> list[Source]:
        """All of them, oldest first."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch("SELECT id, name, created_at FROM ingest.source ORDER BY created_at, id")
        return [Source(*row) for row in rows]

    async def add_key(self, key: WriteKey, kind: KeyKind, created_at: datetime) -> None:
        """Raises `Refused`: 404 without such a source, 409 when it has all the live keys of that kind it may have.

        The source's row is locked, so that two callers cannot both take the last place.
        """
        async with transaction(self._pool) as conn:
            if not await conn.fetchval("SELECT true FROM ingest.source WHERE id = $1 FOR UPDATE", key.source_id):
                raise _no_source()
            live = await conn.fetchval(
                "SELECT count(*) FROM ingest.write_key WHERE source_id = $1 AND kind = $2 AND revoked_at IS NULL",
                key.source_id,
                kind,
            )
            if live >= LIVE_KEYS_PER_KIND:
                raise Refused(409, "too-many-keys", f"a source has at most {LIVE_KEYS_PER_KIND} live {kind} keys")
            await conn.execute(
                "INSERT INTO ingest.write_key (id, source_id, trusted, secret_hash, kind, created_at)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                *key,
                kind,
                created_at,
            )

    async def keys(self, source_id: str) -> list[KeyRow]:
        """A source's keys, revoked ones too, oldest first. Raises `Refused` 404 without such a source."""
        async with connection(self._pool) as conn:
            if not await conn.fetchval("SELECT true FROM ingest.source WHERE id = $1", source_id):
                raise _no_source()
            rows = await conn.fetch(
                "SELECT id, kind, trusted, created_at, revoked_at FROM ingest.write_key WHERE source_id = $1"
                " ORDER BY created_at, id",
                source_id,
            )
        return [KeyRow(*row) for row in rows]

    async def revoke(self, key_id: str, at: datetime) -> None:
        """For good; revoking twice changes nothing. Raises `Refused` 404 without such a key."""
        async with transaction(self._pool) as conn:
            found = await conn.fetchval(
                "UPDATE ingest.write_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 RETURNING true",
                key_id,
                at,
            )
        if not found:
            raise Refused(404, "no-such-key", "there is no write key of that id")


def _no_source() -> Refused:
    return Refused(404, "no-such-source", "there is no source of that id")
