"""Sources, write keys and signing keys in schema `ingest`. The only SQL of this service; refuses to know HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tern_common.db import Connection, Pool, connection, transaction
from tern_common.errors import Misconfigured, Refused, Unusable
from tern_common.logs import logger
from tern_common.sealing import Sealer
from tern_ingest.domain.keys import LIVE_KEYS_PER_KIND, REVOKED_KEYS_KNOWN, KeyKind, WriteKey
from tern_ingest.domain.tokens import LIVE_KEYS_PER_SOURCE, Signer
from tern_ingest.domain.vouching import SourceRule

_SOURCES = (
    "SELECT id, name, created_at, login_needs_token, origins, server_events_per_s, browser_events_per_s, testers"
    " FROM ingest.source ORDER BY created_at, id"
)
_SOURCE_OF_ID = (
    "SELECT id, name, created_at, login_needs_token, origins, server_events_per_s, browser_events_per_s, testers"
    " FROM ingest.source WHERE id = $1 FOR UPDATE"
)


class Source(NamedTuple):
    """Where events come from. `login_needs_token`: whether its browsers' logins count only when they are signed.

    `origins`: the pages that may send; none listed means all. The rates are of each key of that kind; None means the
    policy's. `testers`: e-mail addresses, and domains from their `@` on, whose events are tests.
    """

    source_id: str
    name: str
    created_at: datetime
    login_needs_token: bool = False
    origins: tuple[str, ...] = ()
    server_events_per_s: float | None = None
    browser_events_per_s: float | None = None
    testers: tuple[str, ...] = ()


class KeyRow(NamedTuple):
    """A write key as operators see it: never its secret."""

    key_id: str
    kind: KeyKind
    trusted: bool
    created_at: datetime
    revoked_at: datetime | None


class UserKeyRow(NamedTuple):
    """A signing key as operators see it: never the key itself."""

    key_id: str
    created_at: datetime
    revoked_at: datetime | None


class Store:
    """All calls raise `Transient` when the database is away."""

    def __init__(self, pool: Pool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer
        self._opened: dict[str, Signer | None] = {}

    async def write_keys(self) -> list[WriteKey]:
        """Every write key that may be used, with the rule of its source; and the last that no longer may."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(
                "SELECT k.id, k.source_id, k.trusted, k.secret_hash, s.login_needs_token, k.kind, s.origins,"
                " CASE k.kind WHEN 'server' THEN s.server_events_per_s ELSE s.browser_events_per_s END, s.testers"
                " FROM ingest.write_key k JOIN ingest.source s ON s.id = k.source_id WHERE k.revoked_at IS NULL"
            )
            revoked = await conn.fetch(
                "SELECT id, source_id, trusted, secret_hash FROM ingest.write_key WHERE revoked_at IS NOT NULL"
                " ORDER BY revoked_at DESC LIMIT $1",
                REVOKED_KEYS_KNOWN,
            )
            signers = await self._signers(conn)
        live = [
            WriteKey(
                key_id,
                source_id,
                trusted,
                digest,
                SourceRule(tuple(signers.get(source_id, ())), needs, frozenset(testers)),
                kind,
                tuple(pages),
                rate,
            )
            for key_id, source_id, trusted, digest, needs, kind, pages, rate, testers in rows
        ]
        return live + [
            WriteKey(key_id, whose, trusted, digest, revoked=True) for key_id, whose, trusted, digest in revoked
        ]

    async def _signers(self, conn: Connection) -> dict[str, list[Signer]]:
        """The live signing keys by source. Each is opened once in the life of this process."""
        rows = await conn.fetch("SELECT id, source_id, sealed FROM ingest.user_key WHERE revoked_at IS NULL")
        self._opened = {
            key_id: self._opened[key_id] if key_id in self._opened else await self._open(conn, key_id, sealed)
            for key_id, _, sealed in rows
        }
        found: dict[str, list[Signer]] = {}
        for key_id, source_id, _ in rows:
            if signer := self._opened[key_id]:
                found.setdefault(source_id, []).append(signer)
        return found

    async def _open(self, conn: Connection, key_id: str, sealed: bytes) -> Signer | None:
        """None for one that cannot be opened: its tokens then count for nothing, and the door stays open for events.

        What was opened is sealed anew, so that after a restart no key hangs on a sealing key that is to go.
        """
        try:
            text = self._sealer.open(sealed)
        except (Misconfigured, Unusable) as wrong:
            logger.error("a signing key cannot be opened", key_id=key_id, why=str(wrong))
            return None
        await conn.execute(
            "UPDATE ingest.user_key SET sealed = $3 WHERE id = $1 AND sealed = $2",
            key_id,
            sealed,
            self._sealer.seal(text),
        )
        return Signer(text.encode())

    async def add_source(self, source: Source) -> None:
        """Raises `Refused` 409 when there is one of that name."""
        async with transaction(self._pool) as conn:
            done = await conn.execute(
                "INSERT INTO ingest.source (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                *source[:3],
            )
        if done == "INSERT 0 0":
            raise Refused(409, "source-exists", "there is a source of that name")

    async def sources(self) -> list[Source]:
        """All of them, oldest first."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_SOURCES)
        return [_source(*row) for row in rows]

    async def change_source(self, source_id: str, change: Mapping[str, Any]) -> Source:
        """Sets what `change` names of `Source`, and returns the source as it is then. Raises `Refused` 404 without such
        a source."""
        async with transaction(self._pool) as conn:
            row = await conn.fetchrow(_SOURCE_OF_ID, source_id)
            if row is None:
                raise _no_source()
            source = _source(*row)._replace(**change)
            await conn.execute(
                "UPDATE ingest.source SET login_needs_token = $2, origins = $3, server_events_per_s = $4,"
                " browser_events_per_s = $5, testers = $6 WHERE id = $1",
                source_id,
                *source[3:],
            )
        return source

    async def add_key(self, key: WriteKey, kind: KeyKind, created_at: datetime) -> None:
        """Raises `Refused`: 404 without such a source, 409 when it has all the live keys of that kind it may have.

        The source's row is locked, so that two callers cannot both take the last place.
        """
        async with transaction(self._pool) as conn:
            await _lock(conn, key.source_id)
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
                *key[:4],
                kind,
                created_at,
            )

    async def keys(self, source_id: str) -> list[KeyRow]:
        """A source's keys, revoked ones too, oldest first. Raises `Refused` 404 without such a source."""
        async with connection(self._pool) as conn:
            await _see(conn, source_id)
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

    async def add_user_key(self, source_id: str, key_id: str, text: str, at: datetime) -> None:
        """Raises `Refused`: 404 without such a source, 409 when it has all the live signing keys it may have."""
        async with transaction(self._pool) as conn:
            await _lock(conn, source_id)
            live = await conn.fetchval(
                "SELECT count(*) FROM ingest.user_key WHERE source_id = $1 AND revoked_at IS NULL", source_id
            )
            if live >= LIVE_KEYS_PER_SOURCE:
                raise Refused(409, "too-many-keys", f"a source has at most {LIVE_KEYS_PER_SOURCE} live signing keys")
            await conn.execute(
                "INSERT INTO ingest.user_key (id, source_id, sealed, created_at) VALUES ($1, $2, $3, $4)",
                key_id,
                source_id,
                self._sealer.seal(text),
                at,
            )

    async def user_keys(self, source_id: str) -> list[UserKeyRow]:
        """A source's signing keys, revoked ones too, oldest first. Raises `Refused` 404 without such a source."""
        async with connection(self._pool) as conn:
            await _see(conn, source_id)
            rows = await conn.fetch(
                "SELECT id, created_at, revoked_at FROM ingest.user_key WHERE source_id = $1 ORDER BY created_at, id",
                source_id,
            )
        return [UserKeyRow(*row) for row in rows]

    async def revoke_user_key(self, source_id: str, key_id: str, at: datetime) -> None:
        """For good, and the key is forgotten; twice changes nothing. Raises `Refused` 404 without such a key."""
        async with transaction(self._pool) as conn:
            found = await conn.fetchval(
                "UPDATE ingest.user_key SET revoked_at = coalesce(revoked_at, $3), sealed = NULL"
                " WHERE id = $2 AND source_id = $1 RETURNING true",
                source_id,
                key_id,
                at,
            )
        if not found:
            raise Refused(404, "no-such-key", "there is no signing key of that id")


def _source(source_id: str, name: str, created_at: datetime, needs: bool, *more: Any) -> Source:
    origins, server_rate, browser_rate, testers = more
    return Source(source_id, name, created_at, needs, tuple(origins), server_rate, browser_rate, tuple(testers))


async def _see(conn: Connection, source_id: str) -> None:
    """Raises `Refused` 404 without such a source."""
    if not await conn.fetchval("SELECT true FROM ingest.source WHERE id = $1", source_id):
        raise _no_source()


async def _lock(conn: Connection, source_id: str) -> None:
    """The same, and holds the source's row until the transaction ends."""
    if not await conn.fetchval("SELECT true FROM ingest.source WHERE id = $1 FOR UPDATE", source_id):
        raise _no_source()


def _no_source() -> Refused:
    return Refused(404, "no-such-source", "there is no source of that id")
