"""The tests' own ground: a broker and databases that work."""

from __future__ import annotations

import asyncpg

from support.databases import database as new_database


async def test_a_database_is_a_copy_of_its_template_and_gone_afterwards(postgres_admin_url: str) -> None:
    async with new_database(postgres_admin_url) as original:
        connection = await asyncpg.connect(original)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
        template = original.rsplit("/", 1)[1]
        async with new_database(postgres_admin_url, template) as copy:
            connection = await asyncpg.connect(copy)
            assert await connection.fetchval("SELECT answer FROM kept") == 42
    connection = await asyncpg.connect(postgres_admin_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", template) == 0
    await connection.close()


async def test_the_broker_answers(kafka_bootstrap: str) -> None:
    host, port = kafka_bootstrap.split(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


async def test_every_test_finds_the_schemas_of_all_services(database: str) -> None:
    connection = await asyncpg.connect(database)
    schemas = {row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
    await connection.close()
    assert schemas >= {"access", "ingest"}
