"""Several instances on one database: no deadlock, one decision, and nobody waits for somebody else's customer."""

from __future__ import annotations

import asyncio
import random

import pytest

from integration.triggers.shop import (
    HOUR,
    MINUTE,
    NOON,
    READY,
    Shop,
    cart,
    customer,
    moved,
    new_broker,
    order,
    profile,
)
from support.running import running
from support.waiting import eventually
from tern_common.db import Pool, connection, transaction
from tern_common.errors import Transient
from tern_triggers import timing
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.news import Membership, gather, read_resolved
from tern_triggers.domain.rounds import Safe
from tern_triggers.domain.rules import reads
from tern_triggers.store import agenda, batch, facts, memberships, rulesets
from tern_triggers.timing import Timing
from unit.triggers import saying

WHO = [f"p{n}" for n in range(12)]


async def test_two_instances_decide_once_for_everybody_while_a_stream_runs_beside_them(shop: Shop) -> None:
    other = Shop(shop.pool, shop.broker)
    await shop.meet(*(profile(who) for who in WHO))
    await shop.take(*(cart(who, NOON, f"m-{who}", "tea", cart_id=f"c-{who}") for who in WHO))
    for one in (shop, other):
        one.clock.advance(READY)
    await shop.safe(NOON + READY)
    records = [order(who, NOON + READY + MINUTE, f"o-{who}", "tea", cart_id=f"c-{who}") for who in WHO]
    records += [cart(who, NOON + READY + 2 * MINUTE, f"n-{who}", "pot", cart_id=f"d-{who}") for who in WHO]
    async with asyncio.TaskGroup() as group:
        for seed in range(3):
            group.create_task(_stream(shop if seed % 2 else other, records, seed))
        for one in (shop, other):  # each by one loop, as a process has it: what a look leaves unsaid the next one says
            group.create_task(_fire(one))
    for one in (shop, other):
        while await one.timing.look():
            pass
    fired = [d for d in await shop.decisions() if d.outcome == "fired" and d.key.startswith("c-")]
    ended = [d for d in await shop.decisions() if d.outcome == "ended"]
    assert sorted(d.key for d in [*fired, *ended]) == sorted(f"c-{who}" for who in WHO)
    ids = [event["id"] for event in shop.published() if event["type"] == "tern.trigger.fired.v1"]
    assert len(ids) == len(set(ids)) == len([d for d in await shop.decisions() if d.outcome == "fired"])


async def _stream(shop: Shop, records: list[bytes], seed: int) -> None:
    rnd = random.Random(seed)
    left = rnd.sample(records, len(records))
    while left:
        some = rnd.randrange(1, 8)
        await shop.replay(*left[:some])
        left = left[some:]


async def _fire(shop: Shop) -> None:
    for _ in range(10):
        await shop.timing.look()


async def test_a_locked_customer_is_skipped_until_it_is_overdue_and_then_waited_for(shop: Shop) -> None:
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(cart("ann", NOON, "m1", "tea"), cart("bob", NOON, "m2", "tea", cart_id="c2"))
    shop.clock.advance(READY)
    await shop.safe(NOON + READY)
    async with transaction(shop.pool) as conn:
        await agenda.wait_for(conn, customer("ann"), await shop.safe_now())
        assert await shop.timing.look() == 1
        assert await shop.timing.look() == 0, "ann is locked, and not overdue yet"
        await shop.safe(NOON + READY + MINUTE)
        waiting = asyncio.ensure_future(shop.timing.look())
        await shop.until_blocked()
    assert await waiting == 1
    assert await shop.timing.look() == 0
    assert len(shop.published()) == 2


async def test_an_overdue_customer_that_somebody_else_has_decided_is_left_alone(shop: Shop) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.safe(NOON + READY + MINUTE)
    async with transaction(shop.pool) as conn:
        await agenda.wait_for(conn, customer("ann"), await shop.safe_now())
        waiting = asyncio.ensure_future(shop.timing.look())
        await shop.until_blocked()
        await conn.execute("UPDATE agenda SET next_live = NULL")
    assert await waiting == 0


async def test_a_home_that_moves_while_a_batch_waits_is_found_by_looking_again(shop: Shop) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"))
    async with transaction(shop.pool) as conn:
        await agenda.wait_for(conn, customer("ann"), Safe(NOON, NOON))
        batch_ = asyncio.ensure_future(shop.take(cart("ann", NOON + MINUTE, "m2", "pot", cart_id="c2")))
        await shop.until_blocked()
        await memberships.raise_to(conn, _memberships(moved("bob", {"ann": 2}, "ann")))
    await batch_
    assert await shop.planned() >= {customer("ann"), customer("bob")}


async def test_a_home_that_two_instances_meet_first_is_planned_for_whom_it_belongs_to(shop: Shop) -> None:
    async with transaction(shop.pool) as conn:
        await memberships.add(conn, _memberships(moved("bob", {"ann": 2})))
        batch_ = asyncio.ensure_future(shop.take(cart("ann", NOON, "m1", "tea")))
        await shop.until_blocked()
    await batch_
    assert customer("bob") in await shop.planned()
    await shop.meet(profile("bob"))
    await shop.at(NOON + READY)
    assert [event["subject"] for event in shop.published()] == [customer("bob")]


async def test_a_cart_that_two_instances_meet_first_is_known_to_both(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    async with transaction(shop.pool) as conn:
        await conn.execute(
            "INSERT INTO cart_key (cart_id, order_at, order_message) VALUES ('c1', $1, 'o1')", NOON + MINUTE
        )
        batch_ = asyncio.ensure_future(shop.take(cart("ann", NOON, "m1", "tea")))
        await shop.until_blocked()
    await batch_
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == ["cart_abandoned ended ordered"]


async def test_a_batch_that_keeps_being_overtaken_is_written_in_halves(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "REPEATS", 0)
    halved = batch._halved
    sizes: list[int] = []

    async def once(*args: object) -> object:
        sizes.append(len(args[2]))  # type: ignore[arg-type]
        monkeypatch.setattr(batch, "REPEATS", 5 if len(sizes) > 1 else 0)
        return await halved(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(batch, "_halved", once)
    await shop.take(*(cart("ann", NOON + n * MINUTE, f"m{n}", "tea", cart_id=f"c{n}") for n in range(4)))
    assert sizes == [4, 2]
    assert await shop.count("fact") == 4
    assert await shop.position() == 4


@pytest.mark.parametrize("records", [0, 1, 5])
async def test_a_batch_that_is_overtaken_without_end_is_tried_again_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    monkeypatch.setattr(batch, "REPEATS", 0)
    with pytest.raises(Transient):
        await shop.take(*(cart("ann", NOON, f"m{n}", "tea") for n in range(records)))


async def test_a_look_that_was_asked_for_at_once_is_not_overdue_for_that(shop: Shop) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.take(cart("ann", NOON - MINUTE, "m0", "tea"))
    await shop.safe(NOON)
    async with transaction(shop.pool) as conn:
        assert await agenda.wait_for(conn, customer("ann"), Safe(NOON, NOON)) == [customer("ann")]
        assert await asyncio.wait_for(shop.timing.look(), 10) == 0, "ann is locked, so she is being looked at"


async def test_neither_lane_waits_while_the_other_is_backed_up(shop: Shop) -> None:
    async with transaction(shop.pool) as conn:
        await agenda.lock_and_plan(conn, {customer(who): Plan(NOON - HOUR, None) for who in WHO[:8]})
        await agenda.lock_and_plan(conn, {customer(who): Plan(None, NOON) for who in WHO[8:]})
        due = await agenda.take_due(conn, Safe(NOON, NOON), 4)
        long = {customer(who) for who in WHO[8:]}
        assert [one in long for one in due] == [False, True, False, True]
        assert len(await agenda.take_due(conn, Safe(NOON, NOON), 100)) == len(WHO)


class _Watching(Timing):
    """Notes before each look how many customers are planned to be looked at at once."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.pool, shop.writing, shop.publisher, shop.clock)
        self.planned: list[int] = []

    async def look(self) -> int:
        async with connection(self._pool) as conn:
            self.planned.append(await conn.fetchval("SELECT count(*) FROM agenda WHERE next_live = 'epoch'"))
        return await super().look()


async def test_nobody_who_is_due_waits_until_everybody_is_planned_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "_PAGE", 2)
    await shop.take(*(cart(who, NOON, f"m-{who}", "tea", cart_id=who) for who in WHO))
    watching = _Watching(shop)
    async with running(watching.run("other numbers")):
        await eventually(lambda: shop.count("ruleset"), 10, "all are planned")
    assert watching.planned[:3] == [2, 4, 6]


async def test_where_more_are_due_than_one_look_takes_two_decide_and_neither_waits_for_the_other(pool: Pool) -> None:
    shop = Shop(pool, new_broker(), policy=saying.POLICY.model_copy(update={"fire_batch": 2}))
    await shop.meet(*map(profile, WHO))
    await shop.take(*(cart(who, NOON + n * MINUTE, f"m-{who}", "tea", cart_id=who) for n, who in enumerate(WHO)))
    async with transaction(pool) as conn:
        await rulesets.note(conn, "known")
    await shop.safe(NOON + HOUR + READY)
    async with running(shop.timing.run("known")):
        async with transaction(pool) as conn:
            await facts.locked_carts(conn, [WHO[4]])
            await eventually(lambda: _all_decided_but(shop, 2), 10, "one waits for a cart, the other goes on")
        await eventually(lambda: _all_decided_but(shop, 0), 10, "the cart is free")
        await eventually(lambda: _is_empty(shop, "outbox"), 10, "all is said")
    assert sorted(event["data"]["reason"]["key"] for event in shop.published()) == sorted(WHO)


async def _all_decided_but(shop: Shop, waiting: int) -> bool:
    return await shop.count("decision") == len(WHO) - waiting


async def _is_empty(shop: Shop, table: str) -> bool:
    return await shop.count(table) == 0


def _memberships(value: bytes) -> list[Membership]:
    return list(gather([read_resolved(value, reads([]))]).memberships.values())
