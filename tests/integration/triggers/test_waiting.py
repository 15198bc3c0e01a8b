"""What waits is a row: it survives restarts, goes wherever its customer goes, and ends when what it waits for comes."""

from __future__ import annotations

import asyncio

import pytest

from integration.triggers.shop import DAY, HOUR, MINUTE, NOON, READY, Shop, cart, customer, moved, order, profile
from tern_triggers.domain.policy import Arbiter, Cap, Policy
from tern_triggers.domain.reports import OutcomeReported
from tern_triggers.domain.rules import Rule
from tern_triggers.store import reports, rulebook
from unit.triggers.saying import CART

ONE_A_DAY = Policy(version=1, arbiter=Arbiter(caps=(Cap(contacts=1, window=DAY),)))
PATIENT = CART.model_copy(update={"steps": (CART.steps[0].model_copy(update={"expires_after": 3 * DAY}),)})
HALF = CART.model_copy(update={"holdout": 0.5})
SHADOW = CART.model_copy(update={"mode": "shadow"})


def capped(shop: Shop) -> Shop:
    return Shop(shop.pool, shop.broker, [PATIENT], ONE_A_DAY)


async def two_carts(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"), cart("ann", NOON, "m2", "pot", "cup", cart_id="c2"))
    await shop.at(NOON + READY)


async def test_of_two_carts_one_speaks_and_the_other_waits_for_a_slot(shop: Shop) -> None:
    shop = capped(shop)
    await two_carts(shop)
    assert [one["data"]["reason"]["key"] for one in shop.published()] == ["c2"], "the most valuable"
    assert await shop.deferred() == [("capped", NOON + READY + DAY)]


async def test_what_waits_survives_a_restart_and_is_gone_once_it_is_decided(shop: Shop) -> None:
    await two_carts(capped(shop))
    again = capped(shop)
    await again.at(NOON + READY + DAY - MINUTE)
    assert len(again.published()) == 1
    await again.at(NOON + READY + DAY)
    assert [one["data"]["reason"]["key"] for one in again.published()] == ["c2", "c1"]
    assert await again.deferred() == []


async def test_what_waits_is_forgotten_when_its_reason_goes(shop: Shop) -> None:
    shop = capped(shop)
    await two_carts(shop)
    await shop.take(order("ann", NOON + 2 * HOUR, "o1", "soap", cart_id="c1"))
    await shop.at(NOON + READY + DAY)
    assert (len(shop.published()), await shop.deferred()) == (1, [])


@pytest.mark.parametrize("status", ["failed", "skipped"])
async def test_a_contact_that_never_went_frees_its_slot_for_the_one_that_waits(shop: Shop, status: str) -> None:
    shop = capped(shop)
    await two_carts(shop)
    (fired,) = shop.published()
    await report(shop, fired["id"], status)
    await shop.at(shop.clock.now() + MINUTE)
    assert [one["data"]["reason"]["key"] for one in shop.published()] == ["c2", "c1"]


async def test_silence_and_success_keep_the_slot(shop: Shop) -> None:
    shop = capped(shop)
    await two_carts(shop)
    (fired,) = shop.published()
    await report(shop, fired["id"], "sent", "delivered", "opened", "clicked", "failed")
    await shop.at(shop.clock.now() + HOUR)
    assert len(shop.published()) == 1


@pytest.mark.parametrize("order_", [("failed", "delivered"), ("delivered", "failed")])
async def test_reports_may_come_in_any_order_and_any_number_of_times(shop: Shop, order_: tuple[str, str]) -> None:
    shop = capped(shop)
    await two_carts(shop)
    (fired,) = shop.published()
    for status in order_ * 2:
        await report(shop, fired["id"], status)
    (decision,) = [one for one in await shop.decisions() if one.outcome == "fired"]
    assert (decision.released_at, await shop.count("outcome")) == (None, 2)


async def test_of_copies_of_a_report_the_earliest_stays(shop: Shop) -> None:
    await two_carts(shop)
    name = shop.published()[0]["id"]
    for minute in (5, 3, 9):
        said = OutcomeReported(trigger_id=name, status="sent", at=NOON + minute * MINUTE, channel="email")
        assert await reports.take_outcomes(shop.pool, [said], shop.clock.now()) == (1, 0)
    (row,) = await shop.rows("SELECT at FROM outcome")
    assert row[0] == NOON + 3 * MINUTE


async def test_reports_about_triggers_that_are_not_known_are_counted_and_left_out(shop: Shop) -> None:
    said = OutcomeReported(trigger_id=customer("nobody"), status="failed", at=NOON)
    assert await reports.take_outcomes(shop.pool, [said], NOON) == (0, 1)
    assert await shop.count("outcome") == 0


async def report(shop: Shop, trigger_id: str, *statuses: str) -> None:
    said = [
        OutcomeReported(trigger_id=trigger_id, status=status, at=shop.clock.now(), channel="email")  # type: ignore[arg-type]
        for status in statuses
    ]
    await reports.take_outcomes(shop.pool, said, shop.clock.now())


async def test_a_withdrawn_trigger_frees_its_slot_for_the_one_that_waits(shop: Shop) -> None:
    shop = capped(shop)
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"), cart("ann", NOON, "m2", "pot", "cup", cart_id="c2"))
    await shop.unpublished_at(NOON + READY)
    await shop.take(order("ann", NOON + HOUR, "o1", "soap", cart_id="c2"))
    await shop.at(shop.clock.now() + MINUTE)
    assert [one["data"]["reason"]["key"] for one in shop.published()] == ["c1"]


async def test_caps_hold_over_four_workers_merges_and_many_carts(shop: Shop) -> None:
    workers = [capped(shop) for _ in range(4)]
    people = [f"p{n}" for n in range(8)]
    await shop.meet(*(profile(who) for who in people))
    for who in people:
        for n in range(4):
            await shop.take(cart(who, NOON, f"{who}-{n}", "tea", cart_id=f"{who}-{n}"))
    merges = [moved(people[0], {who: 2}, who) for who in people[1:4]]
    for worker in workers:
        worker.clock.advance(READY)
    await shop.safe(NOON + READY)
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(look_often(worker))
        for merge in merges:
            group.create_task(workers[0].replay(merge))
    before_merges = len(people)
    fired = [one for one in await shop.decisions() if one.outcome == "fired"]
    by_holder = {who: [one for one in fired if one.customer_id == customer(who)] for who in people}
    assert all(len(found) == 1 for found in by_holder.values() if found)
    assert len(fired) <= before_merges
    for one in workers:
        await one.at(NOON + READY + DAY - MINUTE)
    assert [one for one in await shop.decisions(people[0]) if one.round > NOON + READY] == [], (
        "both halves' slots count"
    )


async def look_often(worker: Shop) -> None:
    for _ in range(12):
        await worker.timing.look()


async def test_a_side_of_the_hold_out_is_kept_over_merge_and_split(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [HALF])
    people = [f"p{n}" for n in range(24)]
    await shop.meet(*(profile(who) for who in people))
    await shop.take(*(cart(who, NOON, f"m-{who}", "tea", cart_id=who) for who in people))
    await shop.at(NOON + READY)
    before = {one.customer_id: str(one.outcome) for one in await shop.decisions()}
    treated = [who for who in people if before[customer(who)] == "fired"]
    control = [who for who in people if before[customer(who)] == "held_out"]
    assert treated
    assert control
    await shop.take(moved(treated[0], {control[0]: 2}, control[0]), moved(control[1], {control[2]: 2}, control[2]))
    later = shop.clock.now() + 8 * DAY
    again = [treated[0], control[1]]
    await shop.take(*(cart(who, later, f"n-{who}", "tea", cart_id=f"n-{who}") for who in again))
    await shop.at(later + READY)
    await shop.take(moved(control[2], {control[2]: 3}))
    last = later + 8 * DAY
    await shop.take(cart(control[2], last, "l", "tea", cart_id="l", version=3))
    await shop.at(last + READY)
    after = {one.key: str(one.outcome) for one in await shop.decisions()}
    assert after[f"n-{treated[0]}"] == "fired", "who was ever treated stays treated"
    assert after[f"n-{control[1]}"] == "held_out"
    assert after["l"] == "held_out", "its side stayed with its home"


async def test_after_a_split_what_was_held_out_is_decided_once_under_each_home(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [CART.model_copy(update={"holdout": 1.0})])
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(
        cart("ann", NOON, "m1", "tea", cart_id=None),
        cart("ann", NOON + MINUTE, "m2", "tea", "cup", cart_id=None, home_of="second"),
    )
    await shop.at(NOON + READY + MINUTE)
    await shop.take(cart("ann", NOON, "m1", "pot", cart_id=None, home_of="second"), moved("bob", {"second": 2}, "ann"))
    await shop.at(NOON + 3 * HOUR)
    assert await shop.outcomes("ann") == ["cart_abandoned held_out -"]
    assert await shop.outcomes("bob") == ["cart_abandoned suppressed already"]


async def test_a_shadow_decides_and_says_nothing(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [SHADOW], ONE_A_DAY)
    await two_carts(shop)
    assert sorted(await shop.outcomes()) == ["cart_abandoned fired -", "cart_abandoned suppressed capped"]
    await shop.take(order("ann", NOON + HOUR, "o1", "soap", cart_id="c2"))
    await shop.at(shop.clock.now() + HOUR)
    assert (shop.published(), await shop.count("outbox")) == ([], 0)
    (first, *_) = [one for one in await shop.decisions() if one.key == "c2"]
    assert (first.mode, first.retracted_at is not None) == ("shadow", True), "what would have been"


async def test_a_rule_that_pauses_decides_nothing_more_but_what_it_said_can_still_end(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + READY)
    paused: list[Rule] = [CART.model_copy(update={"mode": "paused"})]
    again = Shop(shop.pool, shop.broker, paused)
    await again.take(cart("ann", NOON + 2 * HOUR, "m2", "pot", cart_id="c2"), order("ann", NOON + HOUR, "o1", "tea"))
    await again.at(NOON + 2 * HOUR + READY)
    assert [one["type"].split(".")[2] for one in again.published()] == ["fired", "retracted"]


async def test_a_fire_transaction_works_by_the_rules_of_its_own_moment(shop: Shop) -> None:
    """An edit waits for who works by the old rules, and comes before all who begin after it."""
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    async with shop.transaction() as conn:
        await rulebook.hold_still(conn)
        taking = asyncio.ensure_future(shop.take(cart("ann", NOON + MINUTE, "m2", "pot", cart_id="c2")))
        await shop.until_blocked()
        assert not taking.done()
    await taking
    assert await shop.count("fact") == 2
