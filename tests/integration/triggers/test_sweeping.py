"""What nothing can read any more is swept away, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from integration.triggers.shop import DAY, HOUR, NOON, READY, Shop, cart, order, profile
from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured
from tern_triggers.domain.policy import Keep
from tern_triggers.domain.reports import OutcomeReported
from tern_triggers.store import keeping, reports
from tern_triggers.store.reports import Taken
from tern_triggers.sweeping import Sweeping, check
from unit.triggers.saying import CART, RECALL


async def swept(shop: Shop, days: int) -> None:
    shop.clock.advance(days * DAY)
    await Sweeping(shop.pool, shop.writing, shop.clock).sweep()


async def test_facts_go_when_no_rule_can_read_them_and_orders_stay(shop: Shop) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"), order("bob", NOON, "o1", "tea"))
    await swept(shop, 30)
    assert await shop.count("fact") == 2
    await swept(shop, 400)
    (kept,) = await shop.rows("SELECT kind FROM fact")
    assert kept[0] == "order"


async def test_without_a_rule_that_counts_orders_they_go_too(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [CART])
    await shop.take(order("bob", NOON, "o1", "tea"))
    await swept(shop, 100)
    assert await shop.count("fact") == 0


async def test_without_rules_nothing_is_said_about_what_may_go(shop: Shop) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await swept(Shop(shop.pool, shop.broker, []), 500)
    assert await shop.count("fact") == 1


async def test_decisions_go_after_their_time_with_what_came_back_about_them(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + READY)
    (fired,) = shop.published()
    said = OutcomeReported(trigger_id=fired["id"], status="sent", at=NOON + 2 * HOUR, channel="email")
    await reports.take_outcomes(shop.pool, [said], NOON + 2 * HOUR)
    await swept(shop, 399)
    assert (await shop.count("decision"), await shop.count("outcome")) == (1, 1)
    await swept(shop, 2)
    assert (await shop.count("decision"), await shop.count("outcome")) == (0, 0)
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(shop.clock.now() + DAY)
    assert len(shop.published()) == 1, "long expired"


async def test_a_report_that_comes_while_its_decision_is_swept_away_waits_for_that_and_is_left_out(shop: Shop) -> None:
    """Both take the decision first: neither holds what the other waits for."""
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + READY)
    (fired,) = shop.published()

    async def sent(at: datetime) -> Taken:
        said = OutcomeReported(trigger_id=fired["id"], status="sent", at=at, channel="email")
        return await reports.take_outcomes(shop.pool, [said], NOON + 3 * HOUR)

    assert await sent(NOON + 3 * HOUR) == (1, 0)
    async with shop.transaction() as sweeping:
        await sweeping.execute("SELECT FROM decision FOR UPDATE")
        reporting = asyncio.ensure_future(sent(NOON + 2 * HOUR))
        await shop.until_blocked()
        await keeping.sweep_decisions(sweeping, NOON + DAY, 10)
    assert await reporting == (0, 1)
    assert (await shop.count("decision"), await shop.count("outcome")) == (0, 0)


async def test_every_page_has_its_turn(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tern_triggers.sweeping._PAGE", 2)
    shop = Shop(shop.pool, shop.broker, [CART, RECALL])
    await shop.take(*(cart(f"p{n}", NOON, f"m{n}", "tea", cart_id=f"c{n}") for n in range(7)))
    shop.clock.advance(500 * DAY)
    sweeping = Sweeping(shop.pool, shop.writing, Hurried(shop.clock.now()))
    await sweeping.sweep()
    assert await shop.count("fact") == 0


class Hurried(ManualClock):
    """Nobody waits."""

    async def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))


def test_decisions_must_outlive_the_events_that_led_to_them() -> None:
    check(Keep())
    with pytest.raises(Misconfigured, match="more than 30d"):
        check(Keep(decisions=30 * DAY))
