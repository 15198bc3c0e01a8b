"""Every migration goes down as well as up: what is left is the schema of before, to the last comment."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from support.databases import connected
from tern_common.errors import Misconfigured
from tern_common.migrate import differences, discovered, migrate, role_of
from tern_common.migrate.roles import ACCESS, prepare
from tern_common.migrate.schema import package_of
from tern_common.shipped import shipped

CATALOGUE = """
WITH relation AS (
  SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.reloptions FROM pg_class c
  WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname NOT LIKE 'schema_version%'
)
SELECT format('relation %s %s %s %s %s %s', relname, relkind, relpersistence, reloptions, obj_description(oid),
              CASE relkind WHEN 'i' THEN pg_get_indexdef(oid) WHEN 'p' THEN pg_get_partkeydef(oid) END) FROM relation
UNION ALL
SELECT format('column %s.%s %s null:%s %s %s %s %s %s', r.relname, a.attname, format_type(a.atttypid, a.atttypmod),
              NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attstorage,
              CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation END,
              col_description(r.oid, a.attnum))
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
WHERE r.relkind <> 'i'
UNION ALL
SELECT format('constraint %s.%s %s', r.relname, c.conname, pg_get_constraintdef(c.oid))
FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
ORDER BY 1
"""


class Owner:
    """A service's role at an empty database; moves between the service's revisions."""

    def __init__(self, admin_url: str, service: str) -> None:
        self._admin_url = admin_url
        self.service = service

    @property
    def revisions(self) -> list[str]:
        """From the oldest on."""
        scripts = ScriptDirectory.from_config(self._config()).walk_revisions()
        return [script.revision for script in scripts][::-1]

    async def up(self, revision: str) -> None:
        await self._run(lambda connection: command.upgrade(self._config(connection), revision))

    async def down(self, revision: str) -> None:
        await self._run(lambda connection: command.downgrade(self._config(connection), revision))

    async def schema(self) -> list[str]:
        """All that the catalogue knows of the service's schema. The order of columns does not count."""
        found: list[str] = []

        def read(connection: SyncConnection) -> None:
            found.extend(connection.execute(text(CATALOGUE), {"schema": self.service}).scalars())

        await self._run(read)
        return found

    def _config(self, connection: SyncConnection | None = None) -> Config:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(shipped(package_of(self.service), "migrations")))
        config.set_main_option("path_separator", "os")
        return config

    async def _run(self, work: Callable[[SyncConnection], None]) -> None:
        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(self._admin_url), poolclass=NullPool
        )
        try:
            async with engine.connect() as connection:
                await connection.execute(text(f"SET ROLE {role_of(self.service)}"))
                await connection.commit()
                await connection.run_sync(work)
                await connection.commit()
        finally:
            await engine.dispose()


@pytest.mark.parametrize("service", discovered())
async def test_every_migration_takes_back_all_that_it_did(service: str, empty_database: str) -> None:
    owner = Owner(empty_database, service)
    async with connected(empty_database) as admin:
        await prepare(admin, service, None)
    passed = {"base": await owner.schema()}
    assert passed["base"] == []
    for revision in owner.revisions:
        await owner.up(revision)
        passed[revision] = await owner.schema()
    for revision in [*passed][-2::-1]:
        await owner.down(revision)
        assert await owner.schema() == passed[revision], f"{service}: back at {revision}"
    await owner.up("head")
    assert await owner.schema() == passed[owner.revisions[-1]]
    assert await differences(empty_database, service) == []


async def test_identity_goes_down_only_when_no_message_waits_in_a_parcel(empty_database: str) -> None:
    await migrate(empty_database, [ACCESS, "identity"], {})
    owner = Owner(empty_database, "identity")
    at_head = await owner.schema()
    async with connected(empty_database) as admin:
        await admin.execute("INSERT INTO identity.parcel (messages) VALUES ('a parcel')")
        with pytest.raises(Misconfigured, match="not published yet: let one process of identity run"):
            await owner.down("0003")
        assert await admin.fetchval("SELECT count(*) FROM identity.parcel") == 1
        assert await owner.schema() == at_head
        await admin.execute("DELETE FROM identity.parcel")
    await owner.down("0003")
    assert not any("parcel" in line for line in await owner.schema())


async def test_nodes_keep_their_second_tokens_on_the_way_down_and_up(empty_database: str) -> None:
    """Of most there is none; and none is there twice, whichever version looks after it."""
    node = (
        "INSERT INTO identity.node (node_id, hash, ns, kind, token, shared_token) VALUES ($1, $2, 'a', 'weak', $3, $4)"
    )
    tokens = {1: None, 2: None, 3: UUID(int=7)}
    await migrate(empty_database, [ACCESS, "identity"], {})
    owner = Owner(empty_database, "identity")
    async with connected(empty_database) as admin:
        for number, shared in tokens.items():
            await admin.execute(node, number, bytes([number]), UUID(int=number), shared)
        for move, revision in ((owner.down, "0002"), (owner.up, "head")):
            await move(revision)
            assert dict(await admin.fetch("SELECT node_id, shared_token FROM identity.node")) == tokens
            with pytest.raises(asyncpg.UniqueViolationError):
                await admin.execute(node, 4, b"4", UUID(int=4), UUID(int=7))
