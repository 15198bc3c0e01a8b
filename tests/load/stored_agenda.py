"""Triggers' tables made empty, or filled with customers who are no part of the traffic: the bench's SQL about them.

A stored customer has one home, whose id is also its own, one cart with one product in it, and a row of the agenda. Of
those who are due the profile is known too: they may be written to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from load.rig import Rig
from tern_common.commerce import Item
from tern_common.db import COMMAND_TIMEOUT_S, Connection, connection, open_pool
from tern_triggers.domain.facts import Body, encode_body
from tern_triggers.tables import SCHEMA, metadata

KEPT = ("rule", "rule_audit", "ruleset")
"""What triggers are told, and do not learn from what they read."""
RULE = "cart_abandoned"
_LIMIT_S = 10 * COMMAND_TIMEOUT_S

_BODY = encode_body(Body(how="add", items=(Item("mug", 1, Decimal("9.5")),)))
_VERDICTS = (
    b'{"consent":{"marketing":{"email":true}},"contacts":{"email":{"value":"stored@shop.example","trusted":true}}}'
)

_CUSTOMER = "CREATE TEMP TABLE customer AS SELECT n, gen_random_uuid() AS id FROM {series} ORDER BY id"
_MEMBERSHIP = "INSERT INTO membership (home_id, customer_id, version, shared) SELECT id, id, n, false FROM customer"
_FACT = """
INSERT INTO fact (home_id, kind, key, message_id, at, passive, body)
SELECT id, 'cart', 'stored-' || n, 'stored-' || n, $1, false, $2 FROM customer
"""
_CART = """
INSERT INTO cart_key (cart_id, newest_at, newest_message, newest_home)
SELECT 'stored-' || n, $1, 'stored-' || n, id FROM customer
"""
_PROFILE = "INSERT INTO profile_copy (customer_id, rev, verdicts) SELECT id, 1, $1 FROM customer"
_AGENDA = """
INSERT INTO agenda (customer_id, next_live, oldest_at, newest_at)
SELECT id, $1::timestamptz + (n - $4::int) * $2::interval, $3, $3 FROM customer
"""

_DECIDED = """
SELECT count(*), count(*) FILTER (WHERE outcome = 'fired') FROM decision
WHERE rule = $1 AND key >= 'stored-' AND key < 'stored.'
"""
_COUNTED = """
SELECT (SELECT count(*) FROM fact), (SELECT count(*) FROM fact WHERE kind IN ('cart', 'checkout', 'order')),
       (SELECT count(*) FROM decision)
"""
_TAKEN_IN = "SELECT coalesce(sum(next), 0)::bigint FROM position WHERE topic = $1"


class Counted(NamedTuple):
    """Rows there are: of facts, of those about carts, and of decisions."""

    facts: int
    of_carts: int
    decisions: int


class Decided(NamedTuple):
    """Customers for whom the rule has decided, and those for whom it fired."""

    all: int
    fired: int


async def empty(rig: Rig) -> None:
    """Empties the tables. Triggers must be at rest."""
    names = ", ".join(table.name for table in metadata.tables.values() if table.name not in KEPT)
    async with connected(rig) as conn:
        await conn.execute(f"TRUNCATE {names}", timeout=_LIMIT_S)
        await conn.execute("CHECKPOINT", timeout=_LIMIT_S)


async def fill(rig: Rig, count: int, due: datetime) -> None:
    """So many customers whose reminders are due from then on, one a second. Triggers must be at rest."""
    filled = due - timedelta(hours=1)
    async with connected(rig) as conn:
        await conn.execute("SET statement_timeout = 0")
        await _store(conn, 1, count, filled)
        await conn.execute(_AGENDA, due, timedelta(seconds=1), filled, 1, timeout=_LIMIT_S)
        for table in metadata.tables.values():
            await conn.execute(f"VACUUM (ANALYZE) {table.name}", timeout=_LIMIT_S)
        await conn.execute("CHECKPOINT", timeout=_LIMIT_S)


async def add_due(rig: Rig, first: int, count: int, filled: datetime, due: datetime) -> None:
    """So many more, whose carts were filled then and whose reminders fall due within one second of `due`."""
    async with connected(rig) as conn:
        await _store(conn, first, count, filled)
        await conn.execute(_PROFILE, _VERDICTS)
        await conn.execute(_AGENDA, due, timedelta(seconds=1) / count, filled, first)


async def counted(rig: Rig) -> Counted:
    """What is stored now."""
    async with connected(rig) as conn:
        row = await conn.fetchrow(_COUNTED)
    return Counted(*row) if row is not None else Counted(0, 0, 0)


async def decided(conn: Connection) -> Decided:
    """What has been decided about the stored carts so far."""
    row = await conn.fetchrow(_DECIDED, RULE)
    return Decided(*row) if row is not None else Decided(0, 0)


async def taken_in(conn: Connection, topic: str) -> int:
    """Records of the topic that triggers have stored."""
    return int(await conn.fetchval(_TAKEN_IN, topic))


async def _store(conn: Connection, first: int, count: int, filled: datetime) -> None:
    """All but the looks, which come last: nobody is looked at before everything about him is there."""
    last = first + count - 1
    await conn.execute(_CUSTOMER.format(series=f"generate_series({first}, {last}) AS n"), timeout=_LIMIT_S)
    await conn.execute(_MEMBERSHIP, timeout=_LIMIT_S)
    await conn.execute(_FACT, filled, _BODY, timeout=_LIMIT_S)
    await conn.execute(_CART, filled, timeout=_LIMIT_S)


@asynccontextmanager
async def connected(rig: Rig) -> AsyncIterator[Connection]:
    """One connection to triggers' tables: to open one costs the database more than to ask it."""
    pool = await open_pool(rig.platform.postgres, service=SCHEMA, size=1)
    try:
        async with connection(pool) as conn:
            yield conn
    finally:
        await pool.close()
