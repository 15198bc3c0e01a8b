"""Messages that were decided in a transaction and must be published, whatever happens after its commit.

A service calls `put` inside the transaction and `drain` after it; a loop calls `drain` too, for what a crash left.
At least once: two instances may drain the same rows at the same time. The module knows the table, and no message.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger, Column, LargeBinary, Text

from tern_common import failpoints
from tern_common.bus import Message, Producer
from tern_common.db import Connection, Pool, Row, connection

_ROWS = 1_000

_headers: msgspec.json.Decoder[tuple[tuple[str, bytes], ...]] = msgspec.json.Decoder(tuple[tuple[str, bytes], ...])

_PUT = """
INSERT INTO outbox (topic, key, value, headers)
SELECT topic, key, value, headers
FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS put(topic, key, value, headers, nth)
ORDER BY nth
"""
_READ = "SELECT seq, topic, key, value, headers FROM outbox ORDER BY seq LIMIT $1"
# A deletion that a crash of the database undoes is one more copy: nobody waits for the disk.
_DELETE = """
WITH unhurried AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
DELETE FROM outbox USING unhurried WHERE seq = ANY($1::bigint[])
"""


def outbox_columns() -> list[Column[object]]:
    """The columns of table `outbox`, for a service's `tables.py` and its migration."""
    return [
        Column("seq", BigInteger, primary_key=True, autoincrement=True),
        Column("topic", Text, nullable=False),
        Column("key", LargeBinary, nullable=False),
        Column("value", LargeBinary, nullable=False),
        Column("headers", LargeBinary, nullable=False),
    ]


async def put(conn: Connection, messages: Sequence[Message]) -> None:
    """Stores the messages in the caller's transaction, to be published in this order."""
    if not messages:
        return
    await conn.execute(
        _PUT,
        [message.topic for message in messages],
        [message.key for message in messages],
        [message.value for message in messages],
        [msgspec.json.encode(message.headers) for message in messages],
    )


async def drain(pool: Pool, producer: Producer) -> int:
    """Publishes every visible row in the order of `seq`, and deletes exactly those; how many they were.

    Raises `Transient`: what was published and not deleted is published again. When it returns, all that was visible
    at the call is acknowledged, so the offsets that led to it may be committed.
    """
    drained = 0
    while True:
        async with connection(pool) as conn:
            rows = await conn.fetch(_READ, _ROWS)
        if rows:
            await producer.send([_message(row) for row in rows])
            failpoints.reached("outbox.sent")
            async with connection(pool) as conn:
                await conn.execute(_DELETE, [row[0] for row in rows])
        drained += len(rows)
        if len(rows) < _ROWS:
            return drained


def _message(row: Row) -> Message:
    _, topic, key, value, headers = row
    return Message(topic, key, value, _headers.decode(headers))
