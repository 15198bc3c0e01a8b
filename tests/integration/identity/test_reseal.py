"""Keys can be rotated: all values are sealed anew, and the old key can be dropped."""

from __future__ import annotations

import pytest

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.graph_jobs import ask, chores, finished
from integration.identity.shop_talk import Worker
from tern_common.db import connection, transaction
from tern_common.errors import Misconfigured
from tern_common.sealing import Sealer
from tern_identity.store.jobs import Jobs
from unit.identity.histories import SHIPPED, Said

OLD, NEW = {"test": bytes(32)}, {"next": bytes([1] * 32)}
BOTH = Sealer({**NEW, **OLD}, "next")
PEOPLE = [Said(number, number, user=number, phone=number, email=number, browser=number) for number in range(1, 5)]


async def originals(graphs: Graphs) -> list[bytes]:
    async with connection(graphs.pool) as conn:
        return [row[0] for row in await conn.fetch("SELECT original FROM node ORDER BY node_id")]


async def test_after_resealing_the_old_key_can_be_dropped(graphs: Graphs) -> None:
    await Worker(graphs, rules=SHIPPED).hear(*PEOPLE)
    before = await originals(graphs)
    values = [KEYS.sealer.open(sealed) for sealed in before]
    job = await finished(graphs, chores(graphs, SHIPPED, BOTH), await ask(graphs, "reseal"))
    assert job.changed == len(values)
    after = await originals(graphs)
    assert [Sealer(NEW, "next").open(sealed) for sealed in after] == values
    with pytest.raises(Misconfigured):
        KEYS.sealer.open(after[0])
    again = await finished(graphs, chores(graphs, SHIPPED, BOTH), await ask(graphs, "reseal"))
    assert again.changed == 0
    assert await originals(graphs) == after


async def test_who_is_at_work_on_a_row_is_not_waited_for_and_not_forgotten(graphs: Graphs) -> None:
    await Worker(graphs, rules=SHIPPED).hear(*PEOPLE)
    job, work = await ask(graphs, "reseal"), chores(graphs, SHIPPED, BOTH)
    async with transaction(graphs.pool) as conn:
        [first] = await conn.fetch("SELECT node_id FROM node ORDER BY node_id LIMIT 1 FOR UPDATE")
        for _ in range(len(PEOPLE)):
            await work.step()
        waiting = await Jobs(graphs.pool).find(job.job_id)
        assert waiting is not None
        assert (waiting.cursor, waiting.ended_at) == (first[0] - 1, None)
    await finished(graphs, work, job)
    assert all(sealed.startswith(BOTH.head) for sealed in await originals(graphs))


async def test_what_was_erased_stays_erased(graphs: Graphs) -> None:
    await Worker(graphs, rules=SHIPPED).hear(*PEOPLE)
    async with connection(graphs.pool) as conn:
        await conn.execute("UPDATE node SET original = NULL WHERE node_id % 2 = 0")
    await finished(graphs, chores(graphs, SHIPPED, BOTH), await ask(graphs, "reseal"))
    async with connection(graphs.pool) as conn:
        assert await conn.fetchval("SELECT bool_and((original IS NULL) = (node_id % 2 = 0)) FROM node")


async def test_a_key_that_is_missing_ends_the_job_and_is_said(graphs: Graphs) -> None:
    await Worker(graphs, rules=SHIPPED).hear(*PEOPLE)
    job = await finished(graphs, chores(graphs, SHIPPED, Sealer(NEW, "next")), await ask(graphs, "reseal"))
    assert "add it to the sealing keys" in job.report["failed"]
    assert job.changed == 0
