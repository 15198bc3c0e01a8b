"""Old days of the ledger are forgotten without anybody noticing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from integration.identity.graph_in_database import Graphs
from integration.identity.graph_jobs import desk, done, finished
from integration.identity.shop_talk import Worker
from tern_common.clock import ManualClock
from tern_common.db import connection
from tern_identity.domain.canonical import canonical
from tern_identity.domain.reading import day_of
from tern_identity.domain.rules import Rules
from tern_identity.store.jobs import Jobs
from tern_identity.store.walks.compacting import HORIZON_DAYS
from tern_identity.store.walks.steps import Chores
from unit.identity.histories import HASTY, SHIPPED, START, TIGHT, Said

DAY = 24
TODAY = START + timedelta(days=200)


def history(random: Random, length: int) -> list[Said]:
    """Two hundred days in which few persons come again and again."""
    return [
        Said(
            message=number,
            hours=random.randint(0, 200 * DAY),
            user=random.choice([0, random.randint(1, 4)]),
            phone=random.choice([0, random.randint(1, 4)]),
            email=random.choice([0, random.randint(1, 4)]),
            browser=random.choice([0, random.randint(1, 4)]),
            trusted=random.random() < 0.8,
        )
        for number in range(1, length)
    ]


def today(graphs: Graphs, rules: Rules) -> Chores:
    return Chores(desk(graphs, rules)._replace(clock=ManualClock(TODAY)))


async def compacted(graphs: Graphs, rules: Rules) -> int:
    """How many rows went."""
    work = today(graphs, rules)
    await work.plan()
    [job] = await Jobs(graphs.pool).newest(1)
    return (await finished(graphs, work, job)).changed


@pytest.mark.parametrize("rules", [TIGHT, HASTY, SHIPPED], ids=["tight", "hasty", "shipped"])
@pytest.mark.parametrize("seed", range(4))
async def test_what_is_forgotten_changes_nothing(graphs: Graphs, rules: Rules, seed: int) -> None:
    worker, said = Worker(graphs, rules=rules), history(Random(seed), 120)
    await worker.hear(*said)
    ledger, before = await graphs.ledger(), await graphs.found()
    gone = await compacted(graphs, rules)
    rest = await graphs.ledger()
    assert gone > 10
    assert gone == len(ledger.pairs) + len(ledger.claims) - len(rest.pairs) - len(rest.claims)
    for by in (rules, rules.model_copy(update={"distrusted": frozenset({"shop"})})):
        assert canonical(rest, by) == canonical(ledger, by)
    recent = day_of(TODAY) - HORIZON_DAYS
    assert {key for key in ledger.pairs if key[2] >= recent} <= rest.pairs.keys()
    assert {key for key in ledger.claims if key[3] >= recent} <= set(rest.claims)
    assert (await done(graphs, rules, "check")).report["drift"] == {}
    await worker.hear(*said)
    assert await graphs.found() == before


async def test_each_sources_first_word_stays(graphs: Graphs) -> None:
    """So that not to trust one of them, later, is exact."""
    await Worker(graphs, rules=SHIPPED).hear(*(Said(day, day * DAY, user=1, phone=1) for day in range(1, 5)))
    async with connection(graphs.pool) as conn:
        await conn.execute("UPDATE pair SET source = 'till' WHERE day = (SELECT max(day) FROM pair)")
    ledger = await graphs.ledger()
    await compacted(graphs, SHIPPED)
    rest = await graphs.ledger()
    assert sorted(key[3] for key in rest.pairs) == ["shop", "till"]
    by = SHIPPED.model_copy(update={"distrusted": frozenset({"shop"})})
    assert canonical(replace(rest, homes={}), by) == canonical(replace(ledger, homes={}), by)


async def test_it_is_asked_for_once_a_day_by_whoever_is_there(graphs: Graphs) -> None:
    await graphs.store(SHIPPED)
    clock = ManualClock(TODAY)
    crew = [Chores(desk(graphs, SHIPPED)._replace(clock=clock)) for _ in range(2)]
    for one in (*crew, *crew):
        await one.plan()
    assert [job.kind for job in await Jobs(graphs.pool).newest(9)] == ["compact"]
    clock.advance(timedelta(days=1))
    for one in crew:
        await one.plan()
    assert len(await Jobs(graphs.pool).newest(9)) == 2
