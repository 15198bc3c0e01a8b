"""What the database's errors mean, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from support.waiting import eventually
from tern_common import db
from tern_common.clock import SystemClock
from tern_common.db import Pool, _is_lost, connection, open_pool, transaction
from tern_common.errors import Misconfigured, Transient, Unusable


@pytest.fixture
async def pool(empty_database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(empty_database, service="public", size=4)
    yield opened
    await opened.close()


async def run(pool: Pool, query: str, *arguments: Any) -> Any:
    async with transaction(pool) as conn:
        return await conn.fetch(query, *arguments)


async def test_a_connection_has_the_platforms_limits(empty_database: str) -> None:
    pool = await open_pool(empty_database, service="ingest", size=1)
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT current_setting('search_path')") == "ingest"
        for name, value in db.SERVER_SETTINGS.items():
            assert await conn.fetchval("SELECT current_setting($1)", name) == value
    await db.check(pool)
    await pool.close()


async def test_a_look_up_by_key_is_no_scan_however_small_the_table_is(pool: Pool) -> None:
    """What is planned now is kept while the table grows."""
    await run(pool, "CREATE TABLE thing (id int PRIMARY KEY)")
    plan = await run(pool, "EXPLAIN SELECT FROM thing WHERE id = ANY($1::int[])", [1, 2, 3])
    assert "Index Cond" in " ".join(line for (line,) in plan)


async def test_a_session_is_cleaned_after_a_block_that_broke_and_no_other_is_asked_anything(
    empty_database: str,
) -> None:
    pool, watching = [await open_pool(empty_database, service="public", size=1) for _ in range(2)]

    async def last_asked(number: int) -> str:
        async with connection(watching) as conn:
            return str(await conn.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", number))

    async def break_in_the_middle() -> None:
        async with connection(pool) as conn:
            await conn.execute("SET statement_timeout = '1min'")
            raise LookupError

    async with connection(pool) as conn:
        number = await conn.fetchval("SELECT pg_backend_pid()")
    assert await last_asked(number) == "SELECT pg_backend_pid()"
    with pytest.raises(LookupError):
        await break_in_the_middle()
    assert "RESET ALL" in await last_asked(number)
    async with connection(pool) as conn:
        assert await conn.fetchval("SHOW statement_timeout") == db.SERVER_SETTINGS["statement_timeout"]
    await pool.close()
    await watching.close()


async def test_json_is_text_in_both_directions(pool: Pool) -> None:
    odd = '{ "a" : 1.0, "a": "\\u0000 \\ud800" }'
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT $1::json", odd) == odd


@pytest.mark.parametrize(
    ("query", "argument"),
    [
        ("SELECT $1::text", "a\0b"),
        ("SELECT $1::text", "\ud800"),
        ("SELECT $1::int", 10**30),
        ("SELECT $1::timestamptz", "no time"),
        ("SELECT ($1::text)::int", "ann@example.com"),
        ("INSERT INTO thing VALUES ($1)", "ann@example.com"),
        ("INSERT INTO thing VALUES ($1)", None),
        ("INSERT INTO wide VALUES ($1)", "ann@example.com"),
    ],
)
async def test_data_that_can_never_be_stored_is_unusable_and_not_quoted(pool: Pool, query: str, argument: Any) -> None:
    async with connection(pool) as conn:
        await conn.execute("CREATE TABLE thing (value text PRIMARY KEY)")
        await conn.execute("INSERT INTO thing VALUES ('ann@example.com')")
        await conn.execute("CREATE TABLE wide (value text CHECK (value NOT LIKE '%@%'))")
    with pytest.raises(Unusable) as told:
        await run(pool, query, argument)
    assert told.value.reason == "data-refused-by-database"
    assert "ann" not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


async def test_a_transaction_that_fails_leaves_nothing(pool: Pool) -> None:
    await run(pool, "CREATE TABLE thing (value int)")

    class Bug(Exception): ...

    async def fail() -> None:
        async with transaction(pool) as conn:
            await conn.execute("INSERT INTO thing VALUES (1)")
            raise Bug

    with pytest.raises(Bug):
        await fail()
    assert [row["count"] for row in await run(pool, "SELECT count(*) FROM thing")] == [0]


async def test_a_deadlock_may_be_tried_again(pool: Pool) -> None:
    await run(pool, "CREATE TABLE thing (id int PRIMARY KEY)")
    await run(pool, "INSERT INTO thing VALUES (1), (2)")
    barrier = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with transaction(pool) as conn:
            await conn.execute("SELECT 1 FROM thing WHERE id = $1 FOR UPDATE", first)
            await barrier.wait()
            await conn.execute("SELECT 1 FROM thing WHERE id = $1 FOR UPDATE", second)

    ended = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ended) == ["NoneType", "Transient"]


@pytest.mark.parametrize(
    "query",
    [
        "DO $$BEGIN RAISE SQLSTATE '40001'; END$$",
        "DO $$BEGIN RAISE SQLSTATE '53100'; END$$",
        "DO $$BEGIN RAISE SQLSTATE '55P03'; END$$",
        "SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)",
        "SET TRANSACTION READ ONLY; CREATE TABLE thing (n int)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ],
)
async def test_what_may_pass_by_itself_is_transient(pool: Pool, query: str) -> None:
    with pytest.raises(Transient):
        async with transaction(pool) as conn:
            await conn.execute(query)
    await db.check(pool)


async def test_a_connection_that_broke_between_two_statements_is_transient(pool: Pool) -> None:
    async def use_after_the_end() -> None:
        async with connection(pool) as mine, connection(pool) as other:
            number = await mine.fetchval("SELECT pg_backend_pid()")
            await other.fetchval("SELECT pg_terminate_backend($1)", number)
            await eventually(lambda: _is_lost(mine), 5, "the connection is seen to be gone")
            await mine.fetchval("SELECT 1")

    with pytest.raises(Transient):
        await use_after_the_end()


async def test_an_operating_systems_error_of_ones_own_is_not_the_databases(pool: Pool) -> None:
    async def read_a_file_that_is_not_there() -> None:
        async with transaction(pool) as conn:
            await conn.fetchval("SELECT 1")
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await read_a_file_that_is_not_there()
    await db.check(pool)


async def test_an_operating_systems_error_on_a_lost_connection_is_transient(pool: Pool) -> None:
    async def lose_it() -> None:
        async with connection(pool) as mine:
            cast(Any, mine).terminate()
            raise ConnectionResetError

    with pytest.raises(Transient):
        await lose_it()
    await db.check(pool)


async def test_what_must_be_set_up_differently_is_misconfigured(pool: Pool) -> None:
    with pytest.raises(Misconfigured, match=r"nowhere.*run the migrations"):
        await run(pool, "SELECT * FROM nowhere")
    await run(pool, "CREATE ROLE test_without_rights")
    await run(pool, "CREATE TABLE closed (n int)")
    with pytest.raises(Misconfigured, match="permission denied"):
        async with transaction(pool) as conn:
            await conn.execute("SET LOCAL ROLE test_without_rights; SELECT * FROM closed")
    await run(pool, "DROP ROLE test_without_rights")


async def test_a_bug_stays_a_bug(pool: Pool) -> None:
    with pytest.raises(Exception, match="syntax error"):
        await run(pool, "SELEC 1")
    async with connection(pool) as conn:
        ended = await asyncio.gather(*(conn.fetchval("SELECT 1") for _ in range(2)), return_exceptions=True)
    assert "another operation is in progress" in str(ended)


async def test_a_bug_is_not_hidden_by_a_connection_that_cannot_be_given_back(pool: Pool) -> None:
    class Bug(Exception): ...

    async def fail() -> None:
        async with connection(pool) as conn:
            asyncio.ensure_future(conn.fetchval("SELECT pg_sleep(0.1)")).add_done_callback(asyncio.Future.exception)
            await SystemClock().sleep(0)
            raise Bug

    with pytest.raises(Bug):
        await fail()
    await db.check(pool)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("postgresql://u:p@127.0.0.1:1/none", Transient),
        ("nonsense", Misconfigured),
        ("http://127.0.0.1", Misconfigured),
    ],
)
async def test_a_pool_opens_without_a_database_and_says_so_when_used(url: str, meant: type[Exception]) -> None:
    pool = await open_pool(url, service="public", size=1)
    with pytest.raises(meant) as told:
        await db.check(pool)
    assert "u:p" not in str(told.value)
    await pool.close()


async def test_a_wrong_password_is_misconfigured(empty_database: str) -> None:
    pool = await open_pool(empty_database.replace("@", "wrong@", 1), service="public", size=1)
    with pytest.raises(Misconfigured):
        await db.check(pool)
    await pool.close()


async def test_a_pool_without_a_free_connection_is_transient(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await open_pool(empty_database, service="public", size=1)
    async with connection(pool):
        monkeypatch.setattr(db, "ACQUIRE_TIMEOUT_S", 0.05)  # only now: connecting has to fit into it too
        with pytest.raises(Transient):
            await db.check(pool)
    pool.terminate()
    with pytest.raises(Transient):
        await db.check(pool)
