"""Eight workers on one hot set: batches, looks, edits of rules, outcomes and answers take locks in one order.

A deadlock would surface as `Transient`, which fails the test: nobody tries again here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from integration.triggers.shop import HOUR, MINUTE, NOON, READY, Shop, cart, customer, event, moved, order, profile
from tern_common.db import connection, transaction
from tern_common.errors import Transient
from tern_triggers.domain.news import gather, read_resolved
from tern_triggers.domain.reports import HoldAnswered, OutcomeReported
from tern_triggers.domain.rules import RULE, Mode, Rule, reads
from tern_triggers.store import agenda, memberships, reports, rule_edits, rule_plans, rule_seeds
from tern_triggers.store.rule_edits import Author
from tern_triggers.store.rulebook import Rulebook
from unit.triggers.saying import CART, RECALL

WHO = [f"p{n}" for n in range(10)]
HELD = CART.model_copy(update={"steps": (CART.steps[0].model_copy(update={"hold": True}),)})
TICKET = RULE.validate_python(
    {
        "rule": "detractor",
        "kind": "event",
        "family": "service",
        "purpose": "service",
        "of": {"event": "Survey Answered"},
        "steps": [{"act": "ticket", "expires_after": "24h"}, {"after": "1h", "act": "task", "expires_after": "24h"}],
    }
)
RULES: list[Rule] = [HELD, RECALL, TICKET]
BOBS = moved("bob", {"ann": 2}, "ann")
FAMILIES = ("cart", "recall", "service")


def records() -> list[bytes]:
    found = [cart(who, NOON + n * MINUTE, f"c{n}-{who}", "tea", cart_id=f"c-{who}") for who in WHO for n in (0, 1)]
    found += [order(who, NOON + 3 * HOUR, f"o-{who}", "tea", cart_id=f"c-{WHO[n - 1]}") for n, who in enumerate(WHO)]
    found += [event(who, "Survey Answered", NOON + 2 * HOUR, f"s-{who}") for who in WHO]
    return [*found, *(moved(WHO[0], {who: 2}, who) for who in WHO[1:4])]


async def test_eight_workers_meet_without_a_deadlock_and_say_everything_once(shop: Shop) -> None:
    await rule_seeds.seed(shop.pool, RULES, NOON)
    workers = [shop, Shop(shop.pool, shop.broker, RULES)]
    for worker in workers:
        worker.work_by(Rulebook())
        await worker.writing.rulebook.read(shop.pool)
    await shop.meet(*(profile(who) for who in WHO))
    await shop.take(*(cart(who, NOON, f"a-{who}", "tea", cart_id=f"c-{who}") for who in WHO))
    for worker in workers:
        worker.clock.advance(READY + 2 * HOUR)
    await shop.safe(NOON + READY + 2 * HOUR)
    async with asyncio.TaskGroup() as group:
        for seed in range(3):
            group.create_task(stream(workers[seed % 2], seed))
        for worker in workers:
            group.create_task(often(worker.timing.look, 25))
        group.create_task(edit(shop))
        group.create_task(often(lambda: report(shop), 15))
        group.create_task(often(lambda: answer(shop), 15))
    for worker in workers:
        while await worker.timing.look():
            pass
    while await shop.publisher.publish():
        pass
    ids = [one["id"] for family in FAMILIES for one in shop.published(family)]
    assert len(ids) == len(set(ids))
    fired = {one.trigger_id for one in await shop.decisions() if one.outcome == "fired"}
    assert {name for name in ids if "/" not in name} == fired
    assert len([one for one in shop.published("service") if one["data"]["step"] == 0]) == len(WHO)


async def stream(shop: Shop, seed: int) -> None:
    rnd = random.Random(seed)
    left = rnd.sample(records(), len(records()))
    while left:
        some = rnd.randrange(1, 9)
        await shop.replay(*left[:some])
        left = left[some:]


async def often(step: Callable[[], Awaitable[object]], times: int) -> None:
    for _ in range(times):
        await step()


async def edit(shop: Shop) -> None:
    for number in range(8):
        mode: Mode = "paused" if number % 2 else "live"
        await rule_edits.set_mode(shop.pool, RECALL.rule, mode, None, Author("ops", "to see", shop.clock.now()))
        while await rule_plans.plan_page(shop.pool, shop.writing.rulebook, 3):
            pass


async def report(shop: Shop) -> None:
    fired = [one["id"] for family in FAMILIES for one in shop.published(family) if "/" not in one["id"]]
    said = [
        OutcomeReported(trigger_id=name, status=status, at=NOON, channel="email")
        for name in fired
        for status in ("failed", "sent")
    ]
    await reports.take_outcomes(shop.pool, said, shop.clock.now())


async def answer(shop: Shop) -> None:
    async with connection(shop.pool) as conn:
        asked = [str(row[0]) for row in await conn.fetch("SELECT hold_id FROM hold")]
    said = [HoldAnswered(hold_id=name, status="confirmed", until=NOON + 9 * HOUR) for name in asked]
    await reports.take_answers(shop.pool, said, shop.clock.now())


async def test_a_home_that_moves_while_a_report_waits_is_found_by_looking_again(shop: Shop) -> None:
    await remind(shop)
    async with transaction(shop.pool) as conn:
        await conn.execute("SELECT FROM agenda FOR UPDATE")
        taking = asyncio.ensure_future(failed(shop))
        await shop.until_blocked()
        await memberships.raise_to(conn, gather([read_resolved(BOBS, reads([]))]).memberships.values())
    await taking
    looked_at = await shop.rows("SELECT customer_id FROM agenda WHERE next_live = 'epoch'")
    assert [str(row[0]) for row in looked_at] == [customer("bob")], "whoever holds the home now is looked at"


async def test_without_looking_again_the_new_holder_would_wait(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def once(conn: object, plans: dict[str, object], wider: object) -> None:
        holders = await reports._holders(conn, plans)  # type: ignore[arg-type]
        await agenda.lock_and_plan(conn, {who: plans[home] for home, who in holders.items()})  # type: ignore[arg-type, misc]

    monkeypatch.setattr(reports, "_lock", once)
    with pytest.raises(AssertionError, match="whoever holds"):
        await test_a_home_that_moves_while_a_report_waits_is_found_by_looking_again(shop)


async def test_a_report_that_is_overtaken_without_end_is_tried_again_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remind(shop)
    monkeypatch.setattr(reports, "REPEATS", 0)
    with pytest.raises(Transient):
        await failed(shop)


async def remind(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + READY)


async def failed(shop: Shop) -> None:
    (fired,) = shop.published()
    said = OutcomeReported(trigger_id=fired["id"], status="failed", at=NOON, channel="email")
    await reports.take_outcomes(shop.pool, [said], shop.clock.now())
