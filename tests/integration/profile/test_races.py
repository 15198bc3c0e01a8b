"""Two transactions at the worst moment: what one has not committed yet, the other must not miss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from integration.profile.world import HASHER, Wire, Worker, World, customer, home, speaking, subject_of
from support.waiting import eventually
from tern_common.bus import Record
from tern_common.db import Connection, Pool, connection, transaction
from tern_profile.consumer import ProfileHandler
from tern_profile.domain.statements import plan
from tern_profile.store import batch
from tern_profile.store.records import Basis
from unit.profile.saying import ANN, BOB, POLICY, identify, track


@pytest.fixture
def world() -> World:
    world = World()
    world.place("member", "ann")
    world.place("till", "nobody")
    world.file("member", identify(1, trusted=True, email=ANN))
    world.file("till", track("Consent Granted", 2, trusted=True, channel="email", email=ANN))
    return world


@asynccontextmanager
async def delivering(pool: Pool, worker: Worker, records: Sequence[Record]) -> AsyncIterator[None]:
    """The block runs while the delivery waits for a lock; afterwards the delivery must get through."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.deliver(records))
        await eventually(lambda: _somebody_waits(pool), 10, "the delivery waits for a lock")
        yield


async def _somebody_waits(pool: Pool) -> bool:
    async with connection(pool) as conn:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(await conn.fetchval(waiting))


async def uncommitted(conn: Connection, records: Sequence[Record]) -> None:
    """Another instance's batch, in a transaction that is still open."""
    decode = ProfileHandler(cast(Pool, None), Wire(), HASHER, POLICY).decode
    await batch._apply(conn, plan(map(decode, records)), Basis(subject_of, POLICY), set())


async def test_a_home_that_moves_while_its_customer_is_locked_is_looked_at_again(
    pool: Pool, worker: Worker, world: World
) -> None:
    await worker.deliver(world.said)
    withdrawn = world.file("till", track("Consent Withdrawn", 3, channel="email", email=ANN))
    async with transaction(pool) as other:
        await other.execute("SELECT 1 FROM profile WHERE customer_id = $1::uuid FOR UPDATE", customer("ann"))
        waiting = delivering(pool, worker, [withdrawn])
        await waiting.__aenter__()
        world.move("bob", "member")
        await other.execute(
            "UPDATE home SET customer_id = $1::uuid WHERE home_id = $2", customer("bob"), bytes.fromhex(home("member"))
        )
    await waiting.__aexit__(None, None, None)
    assert worker.wire.newest()[customer("bob")].consent == {"marketing": {"email": False}}


async def test_a_contact_said_at_the_same_moment_is_bound_by_the_withdrawal(
    pool: Pool, worker: Worker, world: World
) -> None:
    await worker.deliver(world.said)
    world.place("phone", "bob")
    typed = world.file("phone", identify(2, trusted=True, email=ANN))
    withdrawn = world.file("till", track("Consent Withdrawn", 3, channel="email", email=ANN))
    async with transaction(pool) as other:
        await uncommitted(other, [typed])
        waiting = delivering(pool, worker, [withdrawn])
        await waiting.__aenter__()
    await waiting.__aexit__(None, None, None)
    assert worker.wire.newest()[customer("bob")].consent == {"marketing": {"email": False}}


async def test_two_homes_of_one_customer_changed_at_once_are_both_in_the_record(
    pool: Pool, worker: Worker, world: World
) -> None:
    world.place("other", "ann")
    plan_said = world.file("other", identify(4, plan="a"))
    city_said = world.file("member", identify(5, city="Riga"))
    async with transaction(pool) as other:
        await uncommitted(other, [plan_said])
        waiting = delivering(pool, worker, [*world.said[:2], city_said])
        await waiting.__aenter__()
    await waiting.__aexit__(None, None, None)
    assert speaking(worker.wire.newest()) == world.expected()


async def test_a_home_filed_under_at_once_waits_for_the_other(pool: Pool, worker: Worker, world: World) -> None:
    first = world.file("member", identify(4, email=BOB))
    second = world.file("member", identify(5, plan="a"))
    async with transaction(pool) as other:
        await uncommitted(other, [first])
        waiting = delivering(pool, worker, [second, *world.said[:2]])
        await waiting.__aenter__()
    await waiting.__aexit__(None, None, None)
    assert speaking(worker.wire.newest()) == world.expected()
