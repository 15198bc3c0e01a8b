"""Operators act while several workers file events about a few persons: as the specification says, without deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from integration.identity.desk import ACT, FIRST_DAY, Desk, browser, email, phone, user
from integration.identity.graph_in_database import Graphs
from integration.identity.shop_talk import Reader, Worker
from tern_common.db import connection
from tern_common.errors import Refused, Transient
from tern_common.identifiers import Identifier
from tern_common.topics import RESOLVED
from tern_identity.domain.rules import Rules
from tern_identity.store.acting import Wish
from tern_identity.store.controls import Kind
from unit.identity.histories import SHIPPED, TIGHT, Said, saying

EVENTS, ACTS = 300, 60
KINDS: Sequence[Kind] = ("revert", "cannot-link", "cannot-link", "block", "allow", "retire", "retire", "split")


def _anything(random: Random) -> Identifier:
    return random.choice([user, phone, phone, email, browser])(random.randint(1, 4))


def _wish(random: Random) -> Wish:
    kind, day = random.choice(KINDS), FIRST_DAY + random.randint(0, 4)
    one, other = _anything(random), _anything(random)
    match kind:
        case "revert" | "cannot-link":
            return Wish(kind, (one,), (other,), day)
        case "split":
            return Wish(kind, (user(random.randint(1, 4)),), (phone(random.randint(1, 4)),), day)
        case _:
            return Wish(kind, (one,), (), day)


async def _operate(desk: Desk, random: Random, done: list[str]) -> None:
    controls: list[int] = []
    for _ in range(ACTS):
        try:
            if controls and random.random() < 0.35:
                await desk.operators.undo(controls.pop(random.randrange(len(controls))), ACT)
                done.append("undo")
            else:
                wish = _wish(random)
                controls.append((await desk.operators.act(wish, ACT)).control_id)
                done.append(wish.kind)
        except Refused:
            continue


async def _file(worker: Worker, batches: list[list[Said]]) -> None:
    """As the consumer's loop does it: what may succeed later is tried again."""
    while batches:
        batch = batches.pop()
        try:
            await worker.hear(*batch)
        except Transient as wrong:
            if "faster" not in str(wrong):
                raise  # a deadlock, or whatever else the database asks to try again
            batches.append(batch)


def _batches(random: Random, size: int) -> list[list[Said]]:
    said = [saying(random, EVENTS * 2, persons=4) for _ in range(EVENTS)]
    said += random.sample(said, EVENTS // 3)
    random.shuffle(said)
    return [said[start : start + size] for start in range(0, len(said), size)]


@pytest.mark.parametrize(("rules", "size"), [(TIGHT, 4), (SHIPPED, 12), (SHIPPED, 40)], ids=["tight", "small", "large"])
async def test_acts_among_concurrent_workers_equal_the_specification(graphs: Graphs, rules: Rules, size: int) -> None:
    random = Random(size)
    crew = [Worker(graphs, rules=rules) for _ in range(4)]
    desks = [Desk(graphs, rules) for _ in range(2)]
    todo, done = _batches(random, size), list[str]()
    async with asyncio.timeout(120):
        await asyncio.gather(
            *(_file(worker, todo) for worker in crew),
            *(_operate(desk, Random(number), done) for number, desk in enumerate(desks)),
        )
    _, found = await graphs.assert_canonical(rules)
    assert {"cannot-link", "block", "retire", "undo"} <= set(done)

    delivered = [one for worker in (*crew, *(desk.worker for desk in desks)) for one in worker.bus.sent(RESOLVED)]
    random.shuffle(delivered)
    reader = Reader()
    reader.read(delivered)
    assert reader.members == {
        home_id: (it.version, str(it.customer_id), it.shared) for home_id, it in found.members.items()
    }


async def test_an_erasure_among_concurrent_workers_leaves_nothing(graphs: Graphs) -> None:
    random = Random(7)
    crew = [Worker(graphs, rules=SHIPPED) for _ in range(4)]
    desk = Desk(graphs)
    todo = _batches(random, 4)
    await crew[0].hear(Said(1, 0, user=1, phone=1, email=1, browser=1))

    async def erase() -> None:
        for named in (email(1), browser(1), phone(2), user(2)):
            await desk.operators.act(Wish("erase", (named,), (), FIRST_DAY), ACT)

    await crew[0].hear(Said(2, 0, user=2, phone=2))
    async with asyncio.timeout(120):
        await asyncio.gather(erase(), *(_file(worker, todo) for worker in crew))
    await graphs.assert_canonical(SHIPPED)
    async with connection(graphs.pool) as conn:
        erased = "(SELECT node_id FROM node WHERE original IS NULL)"
        assert await conn.fetchval(f"SELECT count(*) FROM {erased} AS it") == 4
        assert await conn.fetchval(f"SELECT count(*) FROM pair WHERE a IN {erased} OR b IN {erased}") == 0
        assert await conn.fetchval(f"SELECT count(*) FROM claim WHERE weak IN {erased} OR strong IN {erased}") == 0
        assert await conn.fetchval(f"SELECT count(*) FROM home_node WHERE node_id IN {erased}") == 0
