"""Databases for tests: migrated once, then copied, so that each test can have its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from support.names import unique
from tern_common.migrate import discovered, migrate


def in_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@asynccontextmanager
async def database(admin_url: str, template: str | None = None) -> AsyncIterator[str]:
    """The URL of a new database, copied from `template`; dropped afterwards, whoever is still connected."""
    name = unique("test")
    copied = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""  # the log of it would cost a third more
    await _execute(admin_url, f"CREATE DATABASE {name}{copied}")
    try:
        yield in_database(admin_url, name)
    finally:
        await _execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)")


async def migrated(url: str) -> None:
    """Brings every service's schema up to date."""
    await migrate(url, discovered(), {})


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection, closed afterwards."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _execute(url: str, statement: str) -> None:
    async with connected(url) as connection:
        await connection.execute(statement)
