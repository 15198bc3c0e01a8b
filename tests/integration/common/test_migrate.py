"""Roles, schemas and migrations on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from support.databases import connected
from support.waiting import eventually
from tern_common.db import SERVER_SETTINGS
from tern_common.errors import Misconfigured
from tern_common.migrate import differences, discovered, migrate, role_of, service_url
from tern_common.migrate.__main__ import parse, passwords_for, work
from tern_common.migrate.roles import prepare, scram_verifier

PASSWORD = "a password of tests: 'quoted' %s @ /"


@pytest.mark.parametrize("service", discovered())
async def test_migrations_build_exactly_the_declared_tables(service: str, empty_database: str) -> None:
    await migrate(empty_database, [service], {})
    assert await differences(empty_database, service) == []


async def test_a_table_that_no_migration_builds_is_found(empty_database: str) -> None:
    await migrate(empty_database, ["access"], {})
    async with connected(empty_database) as admin:
        await admin.execute("ALTER TABLE access.token DROP COLUMN label")
    [difference] = await differences(empty_database, "access")
    assert "add_column" in difference
    assert "label" in difference


async def test_partitions_stand_for_no_table_of_their_own(empty_database: str) -> None:
    await migrate(empty_database, ["access"], {})
    async with connected(empty_database) as admin:
        await admin.execute("SET ROLE tern_access")
        await admin.execute("CREATE TABLE access.parted (home int) PARTITION BY HASH (home)")
        await admin.execute(
            "CREATE TABLE access.parted_0 PARTITION OF access.parted FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
        )
    assert [found for found in await differences(empty_database, "access") if "parted_0" in found] == []


async def test_many_migrations_at_once_are_one(empty_database: str) -> None:
    await asyncio.gather(*(migrate(empty_database, ["access"], {"access": "secret"}) for _ in range(4)))
    async with connected(empty_database) as admin:
        assert await admin.fetchval("SELECT version_num FROM access.schema_version") == "0001"


async def test_a_role_gets_its_password_and_the_platforms_limits(empty_database: str) -> None:
    await migrate(empty_database, ["access"], {"access": PASSWORD})
    async with connected(service_url(empty_database, "access", PASSWORD)) as owner:
        assert await owner.fetchval("SELECT current_user") == role_of("access")
        for name, value in SERVER_SETTINGS.items():
            assert await owner.fetchval("SELECT current_setting($1)", name) == value
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(service_url(empty_database, "access", "another"))


async def test_a_service_reads_tokens_and_nothing_else_of_its_neighbours(empty_database: str) -> None:
    """Two made-up services, since the grants are the same for all."""
    services = ("stranger_a", "stranger_b")
    async with connected(empty_database) as admin:
        await migrate(empty_database, ["access"], {})
        for service in services:
            await prepare(admin, service, PASSWORD)
            await admin.execute(f"GRANT USAGE ON SCHEMA access TO {role_of(service)}")
        try:
            async with connected(service_url(empty_database, "stranger_a", PASSWORD)) as one:
                await one.execute("CREATE TABLE stranger_a.mine (n int)")
                for forbidden in ("CREATE TABLE stranger_b.x (n int)", "CREATE TABLE public.x (n int)"):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await one.execute(forbidden)
            async with connected(service_url(empty_database, "stranger_b", PASSWORD)) as other:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await other.execute("SELECT * FROM stranger_a.mine")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await other.execute("INSERT INTO access.token VALUES ('a', '', 'admin', '')")
        finally:
            for service in services:
                await admin.execute(f"DROP OWNED BY {role_of(service)}")
                await admin.execute(f"DROP ROLE {role_of(service)}")


@pytest.mark.parametrize("service", discovered()[1:])
async def test_every_service_reads_tokens_and_makes_none(service: str, empty_database: str) -> None:
    await migrate(empty_database, [service], {service: PASSWORD})
    async with connected(service_url(empty_database, service, PASSWORD)) as role:
        assert await role.fetchval("SELECT count(*) FROM access.token") == 0
        for forbidden in ("DELETE FROM access.token", "TRUNCATE access.token", "SELECT * FROM access.schema_version"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await role.execute(forbidden)


async def test_an_administrator_need_not_be_a_superuser(empty_database: str) -> None:
    database = empty_database.rpartition("/")[2]
    async with connected(empty_database) as admin:
        await admin.execute("CREATE ROLE test_operator LOGIN CREATEROLE PASSWORD 'operator'")
        await admin.execute(f"ALTER DATABASE {database} OWNER TO test_operator")
        await admin.execute("GRANT tern_access TO test_operator WITH ADMIN OPTION")
        try:
            place = empty_database.rpartition("@")[2]
            await migrate(f"postgresql://test_operator:operator@{place}", ["access"], {"access": "new"})
            assert await admin.fetchval("SELECT count(*) FROM access.token") == 0
        finally:
            await admin.execute(f"ALTER DATABASE {database} OWNER TO CURRENT_USER")
            await admin.execute("DROP OWNED BY test_operator")
            await admin.execute("DROP ROLE test_operator")


async def test_a_locked_table_is_waited_for_in_short_tries(empty_database: str) -> None:
    await migrate(empty_database, ["access"], {})
    async with connected(empty_database) as admin:
        await admin.execute("DROP TABLE access.token; DELETE FROM access.schema_version")
        with capture_logs() as logs:
            async with admin.transaction():
                await admin.execute("LOCK TABLE access.schema_version IN ACCESS EXCLUSIVE MODE")
                task = asyncio.ensure_future(migrate(empty_database, ["access"], {}))
                await eventually(lambda: "a table is locked" in str(logs), 10, "a try was given up")
            await task
        assert await admin.fetchval("SELECT count(*) FROM access.token") == 0


async def test_a_migration_that_cannot_begin_says_why(empty_database: str) -> None:
    with pytest.raises(Misconfigured, match="nobody"):
        await migrate(service_url(empty_database, "nobody", "x"), ["access"], {})
    with pytest.raises(Misconfigured, match="not installed"):
        await work(parse(["unheard_of", "--admin-url", empty_database]))
    with pytest.raises(Misconfigured, match="declares no tables"):
        await differences(empty_database, "unheard_of")


async def test_the_command_migrates_and_checks(empty_database: str, tmp_path: Path) -> None:
    secrets = tmp_path / "passwords.json"
    secrets.write_text(json.dumps({"access": "from a file"}))
    for arguments in (["--passwords-file", str(secrets)], ["--check"]):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tern_common.migrate", "access", "--admin-url", empty_database, *arguments)
        )
        assert await process.wait() == 0
    async with connected(service_url(empty_database, "access", "from a file")) as owner:
        await owner.execute("ALTER TABLE access.token DROP COLUMN label")
    assert await work(parse(["access", "--check", "--admin-url", empty_database])) == 1


def test_passwords_come_from_the_file_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    file.write_text('{"ingest": "a"}')
    environment = {"TERN_INGEST_DB_PASSWORD": "b", "TERN_PROFILE_DB_PASSWORD": "c"}
    assert passwords_for(["ingest", "profile", "identity"], file, environment) == {"ingest": "a", "profile": "c"}
    file.write_text("[]")
    with pytest.raises(Misconfigured, match="must look like"):
        passwords_for([], file, {})
    with pytest.raises(Misconfigured, match="not a readable JSON file"):
        passwords_for([], tmp_path / "none", {})


def test_a_password_that_postgres_would_read_otherwise_is_refused() -> None:
    for password in ("", "pässword"):
        with pytest.raises(Misconfigured):
            scram_verifier(password, b"salt")
