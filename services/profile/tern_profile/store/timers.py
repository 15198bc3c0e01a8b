"""Rows of `timer`: when a customer's record may change although nothing happens. Written under the customer's lock.

A row without a next moment stays: it says up to where the record was made knowing what did not happen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from tern_common.db import Connection, Pool, connection

_KEEP = """
INSERT INTO timer (customer_id, next_at, passed)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS said (customer_id) ORDER BY said.customer_id
ON CONFLICT (customer_id) DO UPDATE SET next_at = excluded.next_at, passed = excluded.passed
"""

_FORGET = "DELETE FROM timer WHERE customer_id = ANY($1::uuid[])"
_PASSED = "SELECT customer_id::text, passed FROM timer WHERE customer_id = ANY($1::uuid[])"
_DUE = "SELECT customer_id::text FROM timer WHERE next_at <= $1 ORDER BY next_at LIMIT $2"

_HOLD = """
INSERT INTO timer (customer_id, next_at) SELECT said, $2 FROM unnest($1::uuid[]) AS said ORDER BY said
ON CONFLICT (customer_id) DO UPDATE SET next_at = excluded.next_at
"""
_NEXT = "SELECT min(next_at) FROM timer"


class Timer(NamedTuple):
    """`next_at`: when the record may change; None: never, as things are. `passed`: up to where absence was certain."""

    next_at: datetime | None
    passed: datetime | None


async def keep(conn: Connection, found: Mapping[str, Timer | None]) -> None:
    """Of locked customers. None: nothing about him ever changes by absence."""
    timers = {customer: timer for customer, timer in found.items() if timer is not None}
    if timers:
        rows = timers.values()
        await conn.execute(_KEEP, list(timers), [one.next_at for one in rows], [one.passed for one in rows])
    if timers.keys() != found.keys():
        await conn.execute(_FORGET, list(found.keys() - timers.keys()))


async def passed(conn: Connection, customers: Collection[str]) -> dict[str, datetime | None]:
    """Of locked customers that have a timer."""
    rows = await conn.fetch(_PASSED, list(customers))
    return {row[0]: row[1] for row in rows}


async def due(conn: Connection, moment: datetime, most: int) -> list[str]:
    """Customers whose record may have changed by then."""
    return [row[0] for row in await conn.fetch(_DUE, moment, most)]


async def hold(conn: Connection, customers: Collection[str], moment: datetime) -> None:
    """These, locked, are due again at once: what was made of them is yet to be published."""
    await conn.execute(_HOLD, list(customers), moment)


async def next_at(pool: Pool) -> datetime | None:
    """The earliest of all."""
    async with connection(pool) as conn:
        found: datetime | None = await conn.fetchval(_NEXT)
        return found
