"""Rows of `event`: the duplicate check, and what a fragment is folded from again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_profile.domain.statements import Filed, MessageKey

_INSERT = """
INSERT INTO event (home_id, message_id, event_time, raw)
SELECT * FROM unnest($1::text::bytea[], $2::text::text[], $3::text::timestamptz[], $4::json[])
ON CONFLICT (home_id, message_id) DO UPDATE SET event_time = excluded.event_time, raw = excluded.raw
WHERE excluded.event_time < event.event_time
RETURNING home_id, message_id, xmax = 0
"""
"""`xmax = 0` holds for a row that was inserted, and not for one that was updated."""

PAGE = 1000
"""Events read at once: an idle transaction is ended, and a home may hold any number."""

_FIRST = "SELECT message_id, raw FROM event WHERE home_id = $1 ORDER BY message_id LIMIT $2"

_NEXT = "SELECT message_id, raw FROM event WHERE home_id = $1 AND message_id > $3 ORDER BY message_id LIMIT $2"


class Inserted(NamedTuple):
    """Messages that count for the first time, and those whose copy came with a smaller time."""

    fresh: set[MessageKey]
    lowered: set[MessageKey]


async def insert(conn: Connection, filed: Mapping[MessageKey, Filed]) -> Inserted:
    """Keeps every message once, with its smallest time. The homes are locked: nobody else files under them."""
    fresh: set[MessageKey] = set()
    lowered: set[MessageKey] = set()
    if filed:
        names = columns((*key, said.event_time) for key, said in filed.items())
        rows = await conn.fetch(_INSERT, *names, [said.raw for said in filed.values()])
        for home, message_id, new in rows:
            (fresh if new else lowered).add((home, message_id))
    return Inserted(fresh, lowered)


async def pages(conn: Connection, home: bytes) -> AsyncIterator[list[str]]:
    """Every event filed under this home, as JSON text."""
    rows = await conn.fetch(_FIRST, home, PAGE)
    yield [raw for _, raw in rows]
    while len(rows) == PAGE:
        rows = await conn.fetch(_NEXT, home, PAGE, rows[-1][0])
        yield [raw for _, raw in rows]
