"""Births do not wait for the disk; what refers to them does."""

from __future__ import annotations

from integration.identity.desk import browser, email, user
from integration.identity.graph_in_database import KEYS, Graphs
from tern_common.db import Connection, connection, transaction
from tern_identity.store.names import names_of
from unit.identity.histories import SHIPPED

WHO = [user(1), email(1), browser(1)]


async def test_a_transaction_that_holds_more_than_births_waits_for_the_disk(graphs: Graphs) -> None:
    rules = (await graphs.store(SHIPPED)).rules
    async with transaction(graphs.pool) as conn:
        before = await _waits(conn)
        await names_of(conn, WHO, KEYS, rules)
        assert await _waits(conn) == before != "off"


async def test_births_by_themselves_leave_the_connection_as_it_was(graphs: Graphs) -> None:
    rules = (await graphs.store(SHIPPED)).rules
    async with connection(graphs.pool) as conn:
        before = await _waits(conn)
        names = await names_of(conn, WHO, KEYS, rules)
        assert len(names.born) == len(WHO)
        assert await _waits(conn) == before != "off"


async def _waits(conn: Connection) -> str:
    return str(await conn.fetchval("SHOW synchronous_commit"))
