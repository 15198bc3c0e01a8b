"""The order of a migration: one at a time in a database; roles first, then `access`, then each service as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tern_common.clock import Clock, SystemClock
from tern_common.db import Connection, translated
from tern_common.errors import Misconfigured, Transient
from tern_common.logs import logger
from tern_common.migrate import schema
from tern_common.migrate.roles import ACCESS, open_access, prepare, role_of

_ONE_AT_A_TIME = 0x7465726E
"""Key of the advisory lock: "tern" in ASCII."""

_LOCK_TIMEOUT = "2s"
"""A migration that waits for a lock makes everybody wait behind it; better to give up and try again."""
_LOCK_TRIES = 10
_LOCK_PAUSE_S = 1.0

T = TypeVar("T")


async def migrate(admin_url: str, services: Sequence[str], passwords: Mapping[str, str]) -> None:
    """Roles, schemas and migrations of these services, and of `access`, which every service reads.

    `passwords`: service → password of its role. Raises `Misconfigured` or, when a lock is held too long, `Transient`.
    """
    wanted = [ACCESS, *(name for name in services if name != ACCESS)]
    async with _alone(admin_url) as admin:
        for service in wanted:
            await prepare(admin, service, passwords.get(service))
            await _upgraded(admin_url, service, SystemClock())
            if service != ACCESS:
                await open_access(admin, service)


async def differences(admin_url: str, service: str) -> list[str]:
    """How the migrated schema differs from what the service's `tables.py` declares; empty when it does not."""
    schema.tables_of(service)  # first, since the database knows no role of a service that is not installed
    return await _as_owner(admin_url, service, schema.compared)


async def write_revision(admin_url: str, service: str, message: str) -> None:
    """Writes a service's next migration from what its tables declare and the database lacks."""

    def write(connection: SyncConnection, name: str) -> None:
        schema.new_revision(connection, name, message)

    async with _alone(admin_url) as admin:
        await prepare(admin, service, None)
        await _as_owner(admin_url, service, write)


async def _upgraded(admin_url: str, service: str, clock: Clock) -> None:
    for _ in range(_LOCK_TRIES):
        try:
            before, after = await _as_owner(admin_url, service, schema.upgrade)
        except DBAPIError as wrong:
            if getattr(wrong.orig, "sqlstate", None) != asyncpg.LockNotAvailableError.sqlstate:
                raise
            logger.warning("a table is locked", schema=service)
            await clock.sleep(_LOCK_PAUSE_S)
        else:
            logger.info("migrated", schema=service, before=before, after=after)
            return
    raise Transient(f"schema {service}: a table stayed locked; try again when the load is less")


@asynccontextmanager
async def _alone(admin_url: str) -> AsyncIterator[Connection]:
    """A connection of the administrator, once nobody else is migrating this database."""
    admin = await _connect(admin_url)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _ONE_AT_A_TIME)
        yield cast(Connection, admin)
    finally:
        await admin.close()


async def _as_owner(admin_url: str, service: str, work: Callable[[SyncConnection, str], T]) -> T:
    async def connect() -> Any:
        return await _connect(admin_url, lock_timeout=_LOCK_TIMEOUT)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(f"SET ROLE {role_of(service)}"))
        await connection.commit()
        done = await connection.run_sync(work, service)
        await connection.commit()
    await engine.dispose()
    return done


async def _connect(url: str, **settings: str) -> Any:
    try:
        return await asyncpg.connect(url, timeout=10, server_settings={"application_name": "tern-migrate", **settings})
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise (translated(error, lost=True) or Misconfigured("cannot connect as administrator")) from None
