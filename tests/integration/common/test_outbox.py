"""The outbox: what a transaction decided is published, in order, at least once, and not if it was rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.schema import CreateTable

from support import databases
from tern_common.bus import SEND_TIMEOUT_S, Message, Producer
from tern_common.db import Pool, connection, open_pool, transaction
from tern_common.errors import Transient
from tern_common.memory import MemoryBus
from tern_common.outbox import drain, outbox_columns, parcel_columns, put
from tern_common.topics import IDENTITY, RESOLVED


@pytest.fixture
async def pool(postgres_admin_url: str) -> AsyncIterator[Pool]:
    """A database with nothing but an outbox and its parcels, in the schema `post`."""
    metadata = MetaData(schema="post")
    tables = [Table("outbox", metadata, *outbox_columns()), Table("parcel", metadata, *parcel_columns())]
    async with databases.database(postgres_admin_url) as url:
        admin = await asyncpg.connect(url)
        await admin.execute("CREATE SCHEMA post")
        dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy has no type for it
        for table in tables:
            await admin.execute(str(CreateTable(table).compile(dialect=dialect)))
        await admin.close()
        opened = await open_pool(url, service="post", size=4)
        yield opened
        await opened.close()


def message(key: str, text: str) -> Message:
    return Message(RESOLVED, key.encode(), text.encode(), (("message-id", text.encode()), ("mode", b"\xff\x00")))


async def waiting(pool: Pool) -> int:
    async with connection(pool) as conn:
        found: int = await conn.fetchval("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM parcel)")
        return found


async def test_what_was_put_is_published_in_order_and_deleted(pool: Pool) -> None:
    bus = MemoryBus()
    async with transaction(pool) as conn:
        await put(conn, [message("ann", "1"), message("ann", "2")])
        await put(conn, [Message(IDENTITY, b"bob", b"", ()), message("ann", "3")])
        await put(conn, [])
    assert await drain(pool, bus.producer) == 4
    assert [record.value for record in bus.sent(RESOLVED)] == [b"1", b"2", b"3"]
    assert bus.sent(RESOLVED)[0].headers == (("message-id", b"1"), ("mode", b"\xff\x00"))
    assert [record.headers for record in bus.sent(IDENTITY)] == [()]
    assert await waiting(pool) == 0
    assert await drain(pool, bus.producer) == 0


async def test_more_than_one_portion_is_published_in_one_go(pool: Pool) -> None:
    bus = MemoryBus()
    async with transaction(pool) as conn:
        await put(conn, [message("ann", str(n)) for n in range(2_500)])
    assert await drain(pool, bus.producer) == 2_500
    assert [record.value for record in bus.sent(RESOLVED)] == [str(n).encode() for n in range(2_500)]


async def test_what_the_version_before_put_comes_first(pool: Pool) -> None:
    bus = MemoryBus()
    async with transaction(pool) as conn:
        await put(conn, [message("ann", "2"), message("ann", "3")])
        await conn.execute(
            "INSERT INTO outbox (topic, key, value, headers) VALUES ($1, $2, $3, $4)",
            *(RESOLVED, b"ann", b"1", b'[["message-id","MQ=="]]'),
        )
    assert await drain(pool, bus.producer) == 3
    assert [record.value for record in bus.sent(RESOLVED)] == [b"1", b"2", b"3"]
    assert bus.sent(RESOLVED)[0].headers == (("message-id", b"1"),)
    assert await waiting(pool) == 0


async def test_what_was_rolled_back_is_never_published(pool: Pool) -> None:
    async def fail() -> None:
        async with transaction(pool) as conn:
            await put(conn, [message("ann", "1")])
            raise Transient("away")

    bus = MemoryBus()
    with pytest.raises(Transient):
        await fail()
    assert await drain(pool, bus.producer) == 0
    assert bus.sent(RESOLVED) == []


async def test_what_could_not_be_published_stays(pool: Pool) -> None:
    bus = MemoryBus()
    async with transaction(pool) as conn:
        await put(conn, [message("ann", "1")])
    bus.fail_with(Transient("broker away"))
    with pytest.raises(Transient):
        await drain(pool, bus.producer)
    assert await waiting(pool) == 1
    bus.recover()
    assert await drain(pool, bus.producer) == 1


async def test_two_that_drain_at_once_lose_nothing_and_delete_only_what_they_published(pool: Pool) -> None:
    bus = MemoryBus()

    class Latecomer:
        """While it sends, another row is stored."""

        async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
            async with transaction(pool) as conn:
                await put(conn, [message("late", f"after {len(messages)}")])
            await bus.producer.send(messages, timeout_s)

    async with transaction(pool) as conn:
        await put(conn, [message("ann", str(n)) for n in range(3)])
    late: Producer = Latecomer()
    await asyncio.gather(drain(pool, late), drain(pool, late))
    await drain(pool, bus.producer)
    texts = [record.value for record in bus.sent(RESOLVED)]
    assert set(texts) >= {b"0", b"1", b"2"}
    assert sum(text.startswith(b"after") for text in texts) >= 2
    assert await waiting(pool) == 0


async def test_only_deletions_do_without_the_disk(pool: Pool) -> None:
    bus = MemoryBus()
    async with transaction(pool) as conn:
        await put(conn, [message("ann", "1")])
    await drain(pool, bus.producer)
    async with connection(pool) as conn:
        assert await conn.fetchval("SHOW synchronous_commit") == "on"
