"""Acts that move facts lock in the order of all others: what would be a deadlock otherwise is forced, and is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from integration.identity.desk import ACT, FIRST_DAY, TODAY, Desk, browser, phone
from integration.identity.graph_in_database import KEYS, Graphs
from support.waiting import eventually
from tern_common.db import Connection, connection, transaction
from tern_common.errors import Refused
from tern_common.identifiers import Identifier
from tern_identity.store.acting import Wish
from tern_identity.store.controls import Kind
from unit.identity.histories import Said, heard

DAY = 24
_ROW = "SELECT 1 FROM {table} WHERE {key} = $1 FOR UPDATE"
_CLAIM = """
INSERT INTO claim (weak, strong, rank, day, source, at, event_id) VALUES ($1, $2, 1, $3, 'shop', now(), 'm-9')
"""

# All that a transaction of the store writes: whoever wants more than to read waits.
_NOBODY_ELSE = """
LOCK TABLE node, grp, pair, claim, home, home_node, refusal, merge, outbox, parcel, ruleset IN EXCLUSIVE MODE
"""

Step = Callable[[Connection], Awaitable[None]]


@pytest.fixture
def desk(graphs: Graphs) -> Desk:
    return Desk(graphs)


async def node(conn: Connection, named: Identifier) -> int:
    return int(await conn.fetchval("SELECT node_id FROM node WHERE hash = $1", KEYS.hasher.identifier(*named)))


async def hold(conn: Connection, table: str, key: object) -> None:
    await conn.execute(_ROW.format(table=table, key={"home": "home_id", "grp": "grp"}.get(table, "node_id")), key)


async def waiting(desk: Desk, sessions: int) -> None:
    """Until so many sessions wait for a lock."""

    async def reached() -> bool:
        async with connection(desk.graphs.pool) as conn:
            count = await conn.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        return bool(count == sessions)

    await eventually(reached, 10, f"{sessions} sessions wait")


async def beside(desk: Desk, wish: Wish, first: Step, then: Step) -> None:
    """Another session locks `first`, the act begins and waits for it, and then that session wants more."""
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, transaction(desk.graphs.pool) as conn:
        await first(conn)
        tasks.create_task(desk.operators.act(wish, ACT))
        await waiting(desk, 1)
        await then(conn)
    await desk.graphs.assert_canonical(desk.rules)


@pytest.mark.parametrize("kind", ["retire", "erase"])
async def test_browsers_are_locked_in_order_whichever_is_meant(desk: Desk, kind: Kind) -> None:
    await desk.hear(Said(1, 0, user=1, browser=1), Said(2, 5 * DAY, user=1, browser=2))

    async def lower(conn: Connection) -> None:
        await hold(conn, "node", await node(conn, browser(1)))

    async def higher(conn: Connection) -> None:
        await hold(conn, "node", await node(conn, browser(2)))

    await beside(desk, Wish(kind, (browser(2),), (), FIRST_DAY + 3), lower, higher)


async def test_homes_are_locked_in_order_whichever_move(desk: Desk) -> None:
    await desk.hear(*(Said(number, number * DAY, browser=1) for number in range(8)))
    async with connection(desk.graphs.pool) as conn:
        homes = await conn.fetch("SELECT home_id, day FROM home ORDER BY home_id")
    stay = next(home_id for home_id, day in homes if day < FIRST_DAY + 4)
    moved = next(home_id for home_id, day in homes if day >= FIRST_DAY + 4 and home_id > stay)

    async def lower(conn: Connection) -> None:
        await hold(conn, "home", stay)

    async def higher(conn: Connection) -> None:
        await hold(conn, "home", moved)

    await beside(desk, Wish("retire", (browser(1),), (), FIRST_DAY + 4), lower, higher)


@pytest.mark.parametrize("kind", ["retire", "erase"])
async def test_who_claims_a_browser_meanwhile_is_locked_before_it(desk: Desk, kind: Kind) -> None:
    """The claim is there when the browser is ours at last; its account is another's, who wants the browser next."""
    await desk.hear(Said(1, 0, user=1, browser=1), Said(2, 0, user=2))
    async with connection(desk.graphs.pool) as conn:
        weak = await node(conn, browser(1))
        [strong] = [row[0] for row in await conn.fetch("SELECT grp FROM node WHERE ns = 'user_id' ORDER BY 1 OFFSET 1")]
    wish = Wish(kind, (browser(1),), (), FIRST_DAY + 3)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, transaction(desk.graphs.pool) as owner:
        await hold(owner, "grp", strong)
        async with transaction(desk.graphs.pool) as claimant:
            await hold(claimant, "node", weak)
            tasks.create_task(desk.operators.act(wish, ACT))
            await waiting(desk, 1)
            await claimant.execute(_CLAIM, weak, strong, FIRST_DAY + 4)
        await waiting(desk, 1)
        await hold(owner, "node", weak)
    await desk.graphs.assert_canonical(desk.rules)


@pytest.mark.parametrize("named", [phone(1), browser(1)], ids=["phone", "browser"])
async def test_of_two_who_say_the_same_at_once_one_is_told_of_the_other(desk: Desk, named: Identifier) -> None:
    await desk.hear(Said(1, 0, phone=1), Said(2, 0, browser=1))
    wish = Wish("block", (named,), (), TODAY)
    done = await asyncio.gather(*(desk.operators.act(wish, ACT) for _ in range(4)), return_exceptions=True)
    assert [one.code for one in done if isinstance(one, Refused)] == ["already-in-force"] * 3


async def test_a_home_that_was_erased_while_it_was_waited_for_is_left_alone(desk: Desk) -> None:
    """It is filed under nothing by then, so nobody can say whose it is."""
    await desk.hear(Said(1, 0, browser=1, device=1))
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, transaction(desk.graphs.pool) as conn:
        await hold(conn, "home", await conn.fetchval("SELECT home_id FROM home WHERE cardinality(nodes) = 2"))
        tasks.create_task(desk.operators.act(Wish("erase", (browser(1),), (), TODAY), ACT))
        await waiting(desk, 1)
        tasks.create_task(desk.hear(Said(2, 30, user=5, device=1)))
        await waiting(desk, 2)
    await desk.graphs.assert_canonical(desk.rules)


async def test_events_that_are_known_take_no_lock(desk: Desk) -> None:
    said = (Said(1, 0, user=1, email=1, browser=1), Said(2, DAY, browser=1), Said(3, DAY, user=2, phone=2))
    await desk.hear(*said)
    filed = await desk.store.file(heard(said))
    async with asyncio.timeout(10), transaction(desk.graphs.pool) as conn:
        await conn.execute(_NOBODY_ELSE)
        assert await desk.store.file(heard(said)) == filed
