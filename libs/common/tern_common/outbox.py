"""Messages that were decided in a transaction and must be published, whatever happens after its commit.

A service calls `put` inside the transaction and `drain` after it; a loop calls `drain` too, for what a crash left.
At least once: two instances may drain the same rows at the same time. The module knows its tables, and no message.

A row of `parcel` holds many messages: one for each would cost several times as much. Processes of the version before
write such rows, in `outbox`; they are published before any parcel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import BigInteger, Column, LargeBinary, Text

from tern_common import failpoints
from tern_common.bus import Message, Producer
from tern_common.db import UNHURRIED, Connection, Pool, Row, connection

MESSAGES_PER_PARCEL = 100
_PARCELS = 10
_ROWS = 1_000

_headers: msgspec.json.Decoder[tuple[tuple[str, bytes], ...]] = msgspec.json.Decoder(tuple[tuple[str, bytes], ...])
_packing = msgspec.msgpack.Encoder()
_unpacking: msgspec.msgpack.Decoder[list[Message]] = msgspec.msgpack.Decoder(list[Message])

_PUT = "INSERT INTO parcel (messages) SELECT unnest($1::bytea[])"
_READ = """
SELECT NULL::bigint, NULL::bytea WHERE EXISTS (SELECT FROM outbox)
UNION ALL (SELECT seq, messages FROM parcel ORDER BY seq LIMIT $1)
"""
_READ_SINGLE = "SELECT seq, topic, key, value, headers FROM outbox ORDER BY seq LIMIT $1"
# A deletion that a crash of the database undoes is one more copy: nobody waits for the disk.
_DELETE_SINGLE, _DELETE_PARCELS = (
    f"WITH {UNHURRIED} DELETE FROM {table} USING unhurried WHERE seq = ANY($1::bigint[])"  # noqa: S608
    for table in ("outbox", "parcel")
)


def outbox_columns() -> list[Column[object]]:
    """The columns of table `outbox`, for a service's `tables.py` and its migration. Nothing is written there now."""
    return [
        Column("seq", BigInteger, primary_key=True, autoincrement=True),
        Column("topic", Text, nullable=False),
        Column("key", LargeBinary, nullable=False),
        Column("value", LargeBinary, nullable=False),
        Column("headers", LargeBinary, nullable=False),
    ]


def parcel_columns() -> list[Column[object]]:
    """The columns of table `parcel`. Its migration sets the storage of `messages` to EXTERNAL: rows that live for a
    moment are not worth compressing."""
    return [
        Column("seq", BigInteger, primary_key=True, autoincrement=True),
        Column("messages", LargeBinary, nullable=False),
    ]


async def put(conn: Connection, messages: Sequence[Message]) -> None:
    """Stores the messages in the caller's transaction, to be published in this order."""
    if messages:
        starts = range(0, len(messages), MESSAGES_PER_PARCEL)
        await conn.execute(_PUT, [_packing.encode(messages[start : start + MESSAGES_PER_PARCEL]) for start in starts])


async def drain(pool: Pool, producer: Producer) -> int:
    """Publishes every visible message in the order in which they were put, and deletes exactly those; how many.

    Raises `Transient`: what was published and not deleted is published again. When it returns, all that was visible
    at the call is acknowledged, so the offsets that led to it may be committed.
    """
    drained = 0
    while True:
        async with connection(pool) as conn:
            rows = await conn.fetch(_READ, _PARCELS)
        if rows and rows[0][0] is None:
            drained += await _drain_single(pool, producer)
            continue
        messages = list(_unpacked(rows))
        await _publish(pool, producer, messages, (_DELETE_PARCELS, [row[0] for row in rows]))
        drained += len(messages)
        if len(rows) < _PARCELS:
            return drained


async def _drain_single(pool: Pool, producer: Producer) -> int:
    """Some of the messages that stand in rows of their own."""
    async with connection(pool) as conn:
        rows = await conn.fetch(_READ_SINGLE, _ROWS)
    messages = [Message(topic, key, value, _headers.decode(headers)) for _, topic, key, value, headers in rows]
    await _publish(pool, producer, messages, (_DELETE_SINGLE, [row[0] for row in rows]))
    return len(messages)


async def _publish(
    pool: Pool, producer: Producer, messages: Sequence[Message], deletion: tuple[str, Sequence[int]]
) -> None:
    if messages:
        await producer.send(messages)
        failpoints.reached("outbox.sent")
        async with connection(pool) as conn:
            await conn.execute(*deletion)


def _unpacked(rows: Sequence[Row]) -> Iterator[Message]:
    for _, packed in rows:
        yield from _unpacking.decode(packed)
