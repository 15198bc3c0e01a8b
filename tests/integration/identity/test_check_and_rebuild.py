"""The check sees every fault and nothing else; a rebuild mends them all, with the same ids, and moves nobody else."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from integration.identity.desk import FIRST_DAY, Desk, browser, email, phone, user
from integration.identity.graph_in_database import Graphs
from integration.identity.graph_jobs import ask, chores, done, finished
from integration.identity.shop_talk import Worker
from integration.identity.test_store_equals_specification import history
from support.waiting import eventually
from tern_common.db import connection
from tern_common.events import MembershipChange
from tern_identity.domain.rules import Rules
from tern_identity.store.jobs import Jobs
from unit.identity.histories import HASTY, SHIPPED, TIGHT, Said

STRONG = "kind <> 'weak'"
DAMAGES = {
    "guard": f"UPDATE node SET guard = 'velocity' WHERE {STRONG} AND node_id % 3 = 0",
    "freed": f"UPDATE node SET guard = NULL WHERE {STRONG}",
    "group": f"UPDATE node SET grp = (SELECT max(grp) FROM grp) WHERE {STRONG} AND node_id % 2 = 0",
    "groups-apart": f"UPDATE node SET grp = node_id WHERE {STRONG}",
    "lost": f"UPDATE node SET grp = NULL, core = NULL, crowded = NULL WHERE {STRONG} AND node_id % 4 = 0",
    "no-row": "DELETE FROM grp WHERE grp % 2 = 0",
    "core": f"UPDATE node SET core = node_id WHERE {STRONG}",
    "foreign-core": f"UPDATE node SET core = (SELECT min(node_id) FROM node WHERE {STRONG}) WHERE {STRONG}",
    "clean": "UPDATE grp SET contested = false, newest_at = NULL, newest_event = NULL, newest_place = NULL",
    "crowded": f"UPDATE node SET crowded = NOT crowded WHERE {STRONG} AND node_id % 2 = 0",
    "browser": "UPDATE node SET holder = NULL, shared_from = NULL WHERE kind = 'weak'",
    "home": "UPDATE home SET customer_id = (SELECT min(token::text)::uuid FROM node)",
    "stranger": "UPDATE home SET customer_id = gen_random_uuid() WHERE NOT is_door",
    "shared": "UPDATE home SET shared = NOT shared",
}


async def shop(graphs: Graphs, rules: Rules, seed: int = 1) -> None:
    worker = Worker(graphs, rules=rules)
    random = Random(seed)
    for _ in range(4):
        await worker.hear(*history(random, 25, persons=8))
    await graphs.assert_canonical(rules)


@pytest.mark.parametrize("rules", [TIGHT, HASTY, SHIPPED], ids=["tight", "hasty", "shipped"])
async def test_a_sound_graph_has_no_drift(graphs: Graphs, rules: Rules) -> None:
    await shop(graphs, rules)
    report = (await done(graphs, rules, "check")).report
    assert report["drift"] == {}
    assert report["examples"] == []
    assert (report["nodes"], report["homes"], report["owed"]) == (*await counted(graphs), 0)


async def counted(graphs: Graphs) -> tuple[int, int]:
    async with connection(graphs.pool) as conn:
        return await conn.fetchval("SELECT count(*) FROM node"), await conn.fetchval("SELECT count(*) FROM home")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("rules", [TIGHT, HASTY], ids=["tight", "hasty"])
async def test_what_was_damaged_is_reported_and_mended(graphs: Graphs, rules: Rules, damage: str) -> None:
    await shop(graphs, rules)
    before = await graphs.found()
    async with connection(graphs.pool) as conn:
        await conn.execute(DAMAGES[damage])
    drift = (await done(graphs, rules, "check")).report["drift"]
    assert drift
    assert all(drift.values())

    job = await done(graphs, rules, "rebuild")
    await graphs.assert_canonical(rules)
    assert (await done(graphs, rules, "check")).report["drift"] == {}
    after = await graphs.found()
    assert {home: it.customer_id for home, it in after.members.items()} == {
        home: it.customer_id for home, it in before.members.items()
    }
    assert (after.core_of, after.guards, after.tokens) == (before.core_of, before.guards, before.tokens)
    moved = {home for home, it in after.members.items() if it.version != before.members[home].version}
    assert job.changed >= len(moved)
    assert {home.home_id for change in await told(graphs) for home in (*change.homes, *change.doors)} == moved


async def told(graphs: Graphs) -> list[MembershipChange]:
    """What waits to be published, as somebody else publishes it."""
    somebody = Worker(graphs)
    await somebody.take([])
    return somebody.changes()


async def test_a_rebuild_of_a_sound_graph_publishes_nothing(graphs: Graphs) -> None:
    await shop(graphs, TIGHT)
    before = await graphs.found()
    assert (await done(graphs, TIGHT, "rebuild")).changed == 0
    assert await graphs.found() == before
    assert await told(graphs) == []


async def test_a_job_goes_on_where_it_was(graphs: Graphs) -> None:
    await shop(graphs, TIGHT)
    job = await ask(graphs, "rebuild")
    first = chores(graphs, TIGHT)
    await first.step()
    await first.step()
    half = await Jobs(graphs.pool).find(job.job_id)
    assert half is not None
    assert 0 < half.cursor < half.last
    assert 0 < half.progress < 1
    ended = await finished(graphs, chores(graphs, TIGHT), job)
    assert (ended.cursor, ended.progress) == (ended.last, 1.0)


async def test_jobs_are_done_in_order_by_one_process_at_a_time(graphs: Graphs) -> None:
    await shop(graphs, TIGHT)
    first, second = await ask(graphs, "check"), await ask(graphs, "check")
    crew = [chores(graphs, TIGHT) for _ in range(3)]

    async def all_ended() -> bool:
        await asyncio.gather(*(one.step() for one in crew))
        found = await Jobs(graphs.pool).find(second.job_id)
        return found is not None and found.ended_at is not None

    await eventually(all_ended, 30, "both jobs end")
    ended = [await Jobs(graphs.pool).find(job.job_id) for job in (first, second)]
    assert [one.report["nodes"] for one in ended if one] == [(await counted(graphs))[0]] * 2
    assert [one.job_id for one in await Jobs(graphs.pool).newest(2)] == [second.job_id, first.job_id]


async def test_the_check_blames_nobody_while_the_graph_is_in_use(graphs: Graphs) -> None:
    await shop(graphs, TIGHT)
    other = Worker(graphs, rules=TIGHT)
    random = Random(5)
    todo = [history(random, 10, persons=8) for _ in range(20)]

    async def hearing() -> None:
        while todo:
            await other.hear(*todo.pop())

    async def checking() -> None:
        while todo:
            assert (await done(graphs, TIGHT, "check")).report["drift"] == {}

    await asyncio.gather(hearing(), checking())


async def test_a_rebuild_beside_the_traffic_ends_canonical(graphs: Graphs) -> None:
    await shop(graphs, TIGHT)
    other = Worker(graphs, rules=TIGHT)
    random = Random(6)
    todo = [history(random, 10, persons=8) for _ in range(20)]

    async def hearing() -> None:
        while todo:
            await other.hear(*todo.pop())

    async def rebuilding() -> None:
        while todo:
            await done(graphs, TIGHT, "rebuild")

    await asyncio.gather(hearing(), rebuilding())
    await graphs.assert_canonical(TIGHT)


async def test_what_operators_did_is_no_drift_and_outlives_a_rebuild(graphs: Graphs) -> None:
    desk = Desk(graphs, TIGHT)
    random = Random(9)
    await desk.hear(*history(random, 60, persons=6))
    kept = [
        await desk.do("block", (phone(1),)),
        await desk.do("block", (browser(1),)),
        await desk.do("retire", (phone(2),), day=FIRST_DAY + 1),
        await desk.do("retire", (browser(2),), day=FIRST_DAY + 1),
        await desk.do("allow", (phone(3),)),
        await desk.do("cannot-link", (user(1),), (email(1),)),
        await desk.do("cannot-link", (user(2),), (browser(3),)),
    ]
    for one in kept[::3]:
        await desk.undo(one.control_id)
    await desk.do("erase", (email(2),))
    await desk.do("erase", (browser(4),))
    await desk.hear(*history(random, 30, persons=6))
    before = await graphs.found()
    assert (await done(graphs, TIGHT, "check")).report["drift"] == {}
    assert (await done(graphs, TIGHT, "rebuild")).changed == 0
    assert await graphs.found() == before

    async with connection(graphs.pool) as conn:
        for damage in ("core", "browser", "home", "freed"):
            await conn.execute(DAMAGES[damage])
    await done(graphs, TIGHT, "rebuild")
    assert (await done(graphs, TIGHT, "check")).report["drift"] == {}
    after = await graphs.found()
    assert (after.core_of, after.guards, after.held) == (before.core_of, before.guards, before.held)


async def test_an_empty_ledger_is_checked_at_once(graphs: Graphs) -> None:
    await graphs.store(TIGHT)
    job = await done(graphs, TIGHT, "check")
    assert (job.report["nodes"], job.progress) == (0, 1.0)
    await Worker(graphs, rules=TIGHT).hear(Said(1, 0, user=1))
