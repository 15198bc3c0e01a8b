"""However much waits, to be published or to be forgotten: a batch of it is taken, and each row is read a few times.

PostgreSQL keeps the plans that it made while nothing waited. One that looks for what is to be locked anew for each row
takes more than was asked for, and the square of what waits, just when a broker comes back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from integration.triggers.shop import NOON, Shop
from support.reading import rows_read
from tern_common.db import Connection, transaction
from tern_triggers.domain.contract import FIRED
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.store import keeping, outbox
from tern_triggers.store.outbox import Letter

WAITING = 600
POLICY = OutboxPolicy(batch=200)
ENOUGH = 7
"""Of so many calls the first ones are planned for themselves, the last ones by a plan that is kept."""
TIMES = 5
"""At most so often a row is read: where it is looked for, where it is locked, where it is changed."""


async def claimed(conn: Connection) -> list[str]:
    return [one.letter.message_id for one in await outbox.claim(conn, [], POLICY)]


def letters(count: int) -> list[Letter]:
    return [Letter(str(UUID(int=n)), FIRED, "tern.triggers.cart.v1", b"key", f"m-{n}", b"value") for n in range(count)]


@pytest.fixture(autouse=True)
async def counted_while_empty(shop: Shop) -> None:
    """As they are after a quiet night."""
    await shop.execute("VACUUM (ANALYZE) outbox")
    await shop.execute("VACUUM (ANALYZE) decision")


async def test_a_claim_takes_the_first_of_a_batch_and_no_more(shop: Shop) -> None:
    async with transaction(shop.pool) as conn:
        for _ in range(ENOUGH):
            await claimed(conn)
        await outbox.put(conn, letters(WAITING))
        taken = [await claimed(conn) for _ in range(4)]
    assert [len(one) for one in taken] == [200, 200, 200, 0]
    assert [letter for one in taken for letter in one] == [letter.message_id for letter in letters(WAITING)]


async def test_decisions_are_forgotten_by_reading_each_a_few_times_at_most(shop: Shop) -> None:
    late = datetime(2036, 1, 1, tzinfo=UTC)
    async with transaction(shop.pool) as conn:
        for _ in range(ENOUGH):
            await keeping.sweep_decisions(conn, late, WAITING)
        await conn.execute(
            """
            INSERT INTO decision (id, trigger_id, rule, rule_version, key, step, home_id, customer_id, cycle_ref,
              started, anchor, due, round, expires, outcome, decided_at, facts)
            SELECT gen_random_uuid(), gen_random_uuid(), 'r', 1, 'k', 1, gen_random_uuid(), gen_random_uuid(), 'c',
              $1, $1, $1, $1, $1, 'fired', $1, '' FROM generate_series(1, $2::int)
            """,
            NOON,
            WAITING,
        )
        before = await rows_read(conn, "decision")
        assert await keeping.sweep_decisions(conn, late, WAITING)
        assert await rows_read(conn, "decision") - before <= TIMES * WAITING
