"""Old days of the ledger are forgotten without anybody noticing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from integration.identity import graph_jobs
from integration.identity.desk import Desk, browser, phone
from integration.identity.graph_in_database import KEYS, Found, Graphs
from integration.identity.graph_jobs import done, finished
from integration.identity.shop_talk import Worker
from tern_common.clock import ManualClock
from tern_common.db import connection, transaction
from tern_identity.domain.canonical import canonical
from tern_identity.domain.reading import day_of
from tern_identity.domain.rules import Rules
from tern_identity.store import jobs
from tern_identity.store.jobs import Jobs
from tern_identity.store.operators import Operators
from tern_identity.store.ruleset import Act
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


async def compacted(graphs: Graphs, rules: Rules) -> int:
    """How many rows went on that day."""
    async with transaction(graphs.pool) as conn:
        job = await jobs.begin(conn, "compact", Act("tern", "every day", TODAY))
    return (await finished(graphs, graph_jobs.chores(graphs, rules), job)).changed


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
    clock = ManualClock(KEYS.clock.now())
    crew = [Chores(graph_jobs.desk(graphs, SHIPPED)._replace(clock=clock)) for _ in range(2)]
    await graphs.store(SHIPPED)
    for days in range(3):
        for one in (*crew, *crew):
            await one.plan()
        assert [job.kind for job in await Jobs(graphs.pool).newest(9)] == ["compact"] * days
        clock.advance(timedelta(days=1, seconds=1))


async def test_a_retirement_is_the_same_with_and_without_the_days_that_are_forgotten(graphs: Graphs) -> None:
    said = history(Random(7), 120)
    with_all = await _retired(graphs, said, forget=False)
    await graphs.empty()
    assert await _retired(graphs, said, forget=True) == with_all


async def _retired(graphs: Graphs, said: list[Said], *, forget: bool) -> set[frozenset[str]]:
    """Homes by customer, after a phone and a browser became another person's."""
    desk = Desk(graphs)
    desk.operators = Operators(
        graphs.pool, desk.keys._replace(clock=ManualClock(TODAY)), desk.store, desk.worker.bus.producer
    )
    await desk.hear(*said)
    before = by_customer(await graphs.found())
    if forget:
        assert await compacted(graphs, SHIPPED) > 10
    done = [
        await desk.do("retire", (one,), day=day_of(TODAY) - back) for one, back in ((phone(1), 90), (browser(2), 40))
    ]
    after = by_customer(await graphs.found())
    assert after != before
    for one in done:
        await desk.undo(one.control_id)
    assert by_customer(await graphs.found()) == before
    return after


def by_customer(found: Found) -> set[frozenset[str]]:
    homes: dict[UUID, set[str]] = {}
    for home_id, membership in found.members.items():
        homes.setdefault(membership.customer_id, set()).add(home_id)
    return {frozenset(together) for together in homes.values()}
