"""Databases for tests: migrated once, then copied, so that each test can have its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from support.names import unique

ROOT = Path(__file__).parents[2]


def in_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def migrated_services() -> list[str]:
    """The services that have migrations."""
    return sorted(path.parents[1].name for path in ROOT.glob("services/*/migrations/env.py"))


@asynccontextmanager
async def database(admin_url: str, template: str | None = None) -> AsyncIterator[str]:
    """The URL of a new database, copied from `template`; dropped afterwards, whoever is still connected."""
    name = unique("test")
    await _execute(admin_url, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    try:
        yield in_database(admin_url, name)
    finally:
        await _execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)")


async def migrate(url: str) -> None:
    """Brings every service's schema up to date, as an operator would: one command a service, all at once."""
    async with asyncio.TaskGroup() as tasks:
        for service in migrated_services():
            tasks.create_task(_migrate(url, service))


async def _migrate(url: str, service: str) -> None:
    command = (sys.executable, "-m", "tern_common.migrate", service)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, "TERN_DATABASE_URL": url}, stdout=asyncio.subprocess.PIPE, stderr=-2
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, f"migrating {service} failed:\n{output.decode()}"


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
