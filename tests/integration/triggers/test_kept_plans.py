"""What is asked about a few customers reads what those few have, however much others have by then.

PostgreSQL keeps the plans that it made while tables were small. One that may join them in any order then reads the
facts of everybody for each question: more with each day, for the same answer.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from integration.triggers.shop import NOON, Shop
from support.reading import rows_read
from tern_common.db import Connection, transaction
from tern_triggers.domain.news import Membership
from tern_triggers.domain.touched import Enough
from tern_triggers.store import facts, memberships

MOVED = 50_000
"""To look for each among all others would take longer than a statement may."""
FIRST, ASKED, CUSTOMERS, EACH = 50, 30, 2_000, 4
OFTEN = 7
"""Of so many calls the first ones are planned for themselves, the last ones by a plan that is kept."""
TIMES = 3
"""At most so many rows are read for each fact of those who are asked about: in its index, itself, and whose it is."""
WANTED = Enough("Product Viewed", b"p-1", EACH, timedelta(hours=1))
TABLES = "fact", "membership"
SOME = [str(UUID(int=number)) for number in range(1, ASKED + 1)]


async def fill_memberships(conn: Connection, begin: int, end: int) -> None:
    """Customers of one home each."""
    await conn.execute(
        """
        INSERT INTO membership (home_id, customer_id, version, shared)
        SELECT id, id, 1, false
        FROM (SELECT lpad(to_hex(n), 32, '0')::uuid FROM generate_series($1::int, $2::int) AS n) AS made (id)
        """,
        begin,
        end,
    )


async def fill(conn: Connection, begin: int, end: int) -> None:
    """The same, all of whom have looked at the same product several times, an hour apart."""
    await fill_memberships(conn, begin, end)
    await conn.execute(
        """
        INSERT INTO fact (home_id, kind, key, message_id, at, passive, body)
        SELECT home_id, 'event', $1, n, $2::timestamptz + n * interval '1 h', false, $3
        FROM membership, generate_series(1, $4::int) AS n
        ON CONFLICT DO NOTHING
        """,
        WANTED.event,
        NOON,
        WANTED.part,
        EACH,
    )


async def test_whether_there_are_enough_events_is_told_from_the_facts_of_those_asked_about(shop: Shop) -> None:
    prompts = dict.fromkeys(SOME, (WANTED,))
    async with transaction(shop.pool) as conn:
        await fill(conn, 1, FIRST)
        for _ in range(OFTEN):
            await facts.enough(conn, prompts)
        await fill(conn, FIRST + 1, CUSTOMERS)
        before = await rows_read(conn, *TABLES)
        assert await facts.enough(conn, prompts) == set(SOME)
        assert await rows_read(conn, *TABLES) - before <= TIMES * ASKED * EACH


async def test_facts_are_counted_by_reading_those_of_the_customers_asked_about(shop: Shop) -> None:
    async with transaction(shop.pool) as conn:
        await fill(conn, 1, FIRST)
        for _ in range(OFTEN):
            await facts.counts(conn, SOME, CUSTOMERS)
        await fill(conn, FIRST + 1, CUSTOMERS)
        before = await rows_read(conn, *TABLES)
        assert await facts.counts(conn, SOME, CUSTOMERS) == dict.fromkeys(SOME, EACH)
        assert await rows_read(conn, *TABLES) - before <= TIMES * ASKED * EACH


async def test_as_many_homes_as_a_batch_of_changes_names_are_raised_within_a_statement(shop: Shop) -> None:
    homes = [f"{n:032x}" for n in range(1, MOVED + 1)]
    async with transaction(shop.pool) as conn:
        await fill_memberships(conn, 1, MOVED)
        await memberships.raise_to(conn, [Membership(home_id, homes[0], 2, False) for home_id in homes])
        assert await conn.fetchval("SELECT count(*) FROM membership WHERE customer_id = $1", UUID(homes[0])) == MOVED
