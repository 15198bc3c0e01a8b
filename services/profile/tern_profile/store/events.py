"""Rows of `event`: the duplicate check, and what a fragment is folded from again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tern_common.db import Connection
from tern_profile.domain.statements import Filed, MessageKey

_INSERT = """
INSERT INTO event (home_id, message_id, event_time, raw)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::timestamptz[], $4::json[])
ON CONFLICT (home_id, message_id) DO UPDATE SET event_time = excluded.event_time, raw = excluded.raw
WHERE excluded.event_time < event.event_time
RETURNING home_id, message_id, xmax = 0
"""
"""`xmax = 0` holds for a row that was inserted, and not for one that was updated."""

_RAWS = "SELECT home_id, raw FROM event WHERE home_id = ANY($1::bytea[])"


class Inserted(NamedTuple):
    """Messages that count for the first time, and those whose copy came with a smaller time."""

    fresh: set[MessageKey]
    lowered: set[MessageKey]


async def insert(conn: Connection, filed: Mapping[MessageKey, Filed]) -> Inserted:
    """Keeps every message once, with its smallest time. The homes are locked: nobody else files under them."""
    fresh: set[MessageKey] = set()
    lowered: set[MessageKey] = set()
    if filed:
        one = filed.values()
        rows = await conn.fetch(
            _INSERT,
            [key[0] for key in filed],
            [key[1] for key in filed],
            [said.event_time for said in one],
            [said.raw for said in one],
        )
        for home, message_id, new in rows:
            (fresh if new else lowered).add((home, message_id))
    return Inserted(fresh, lowered)


async def raws(conn: Connection, homes: Collection[bytes]) -> dict[bytes, list[str]]:
    """Every event filed under these homes, as JSON text."""
    found: dict[bytes, list[str]] = {home: [] for home in homes}
    if homes:
        for home, raw in await conn.fetch(_RAWS, list(homes)):
            found[home].append(raw)
    return found
