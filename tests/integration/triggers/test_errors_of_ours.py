"""An error of ours about one customer: he waits, or his record is set aside, and nobody else waits for him (ADR 30)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from integration.triggers.shop import HOUR, MINUTE, NOON, READY, Shop, cart, customer, event, home, order, profile
from support.running import running
from support.waiting import eventually
from tern_common.blaming import IN_A_ROW, PUT_OFF
from tern_common.bus import Message
from tern_common.clock import ManualClock
from tern_common.consume import consume
from tern_common.fetching import OUR_ERROR, Pacing
from tern_common.rejecting import Rejecting
from tern_common.topics import REJECTED, RESOLVED
from tern_triggers.consumer import GROUP, TOPICS
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.domain.rules import RULE
from unit.triggers.saying import CART

VIEWED = RULE.validate_python(
    {
        "rule": "viewed_often",
        "kind": "count",
        "family": "browse",
        "purpose": "marketing",
        "channels": ["email"],
        "of": {"event": "Product Viewed"},
        "at_least": 3,
        "within": "24h",
        "cooldown": "7d",
        "steps": [{"expires_after": "4h"}],
    }
)
SURVEYED = RULE.validate_python(
    {
        "rule": "surveyed",
        "kind": "event",
        "family": "service",
        "purpose": "service",
        "of": {"event": "Survey Answered"},
        "steps": [{"act": "ticket", "expires_after": "24h"}],
    }
)
BEYOND_TIME = "UPDATE fact SET at = '0001-01-01 00:00Z' WHERE message_id = 'bob-0'"
"""No window ends then: counting back from it leaves the calendar, which only damage can bring."""


def view(who: str, minute: int) -> bytes:
    return event(who, "Product Viewed", NOON + minute * MINUTE, f"{who}-{minute}", product_id="tea")


async def damage_facts_of(shop: Shop, who: str) -> None:
    await shop.execute(f"UPDATE fact SET body = 'no JSON' WHERE home_id = '{UUID(home(who))}'")


async def test_a_decision_at_once_that_errs_waits_for_a_look_and_the_fact_is_kept(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [VIEWED])
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(*(view(who, minute) for minute in (0, 1) for who in ("ann", "bob")))
    await shop.execute(BEYOND_TIME)
    await shop.take(view("bob", 2), view("ann", 2))
    assert [one["subject"] for one in shop.published("browse")] == [customer("ann")]
    assert (await shop.count("fact"), shop.bus.sent(REJECTED)) == (6, [])
    assert await shop.next_look() == NOON + PUT_OFF
    await shop.execute(f"UPDATE fact SET at = '{NOON}' WHERE message_id = 'bob-0'")
    await shop.at(NOON + PUT_OFF)
    assert {one["subject"] for one in shop.published("browse")} == {customer("ann"), customer("bob")}


async def test_a_decision_whose_event_is_its_reason_waits_too(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [VIEWED, SURVEYED])
    await shop.take(view("bob", 0), view("ann", 0))
    await shop.execute(BEYOND_TIME)
    await shop.take(*(event(who, "Survey Answered", NOON, f"s-{who}", score=3) for who in ("ann", "bob")))
    assert [one["subject"] for one in shop.published("service")] == [customer("ann")]
    await shop.at(NOON + PUT_OFF)
    assert await shop.next_look() == NOON + 2 * PUT_OFF, "put off again"


async def test_facts_of_one_customer_that_cannot_be_read_keep_nobody_else_waiting(shop: Shop) -> None:
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(cart("bob", NOON, "m1", "tea", cart_id="c1"), cart("ann", NOON, "m2", "tea", cart_id="c2"))
    await damage_facts_of(shop, "bob")
    await shop.at(NOON + READY)
    assert [one["subject"] for one in shop.published()] == [customer("ann")]
    assert await shop.next_look() == NOON + READY + PUT_OFF


async def test_a_few_whose_facts_cannot_be_read_while_nobody_else_is_due_are_put_off_too(shop: Shop) -> None:
    await shop.take(cart("bob", NOON, "m1", "tea", cart_id="c1"), cart("ann", NOON, "m2", "tea", cart_id="c2"))
    await shop.execute("UPDATE fact SET body = 'no JSON'")
    await shop.at(NOON + READY)
    assert await shop.next_look() == NOON + READY + PUT_OFF


async def test_where_the_facts_of_none_of_many_can_be_read_the_process_ends_and_nobody_is_put_off(shop: Shop) -> None:
    names = [f"shopper{number}" for number in range(IN_A_ROW + 1)]
    await shop.take(*(cart(who, NOON, f"m-{who}", "tea", cart_id=who) for who in names))
    await shop.execute("UPDATE fact SET body = 'no JSON'")
    with pytest.raises(msgspec.DecodeError):
        await shop.at(NOON + READY)
    assert await shop.next_look() == NOON + READY


async def test_a_record_that_errs_while_it_is_applied_is_set_aside_with_its_bytes(shop: Shop) -> None:
    """What led to a reminder that is out cannot be read any more: whatever comes of its customer may end it."""
    carts = [cart(who, NOON, f"m-{who}", "tea", cart_id=who) for who in ("bob", "ann")]
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(*carts)
    await shop.at(NOON + READY)
    await damage_facts_of(shop, "bob")
    orders = [order(who, NOON + 2 * HOUR, f"o-{who}", "tea") for who in ("bob", "ann")]
    consumer = await shop.bus.subscribe(GROUP, TOPICS)
    rejecting = Rejecting(shop.bus.producer, "triggers")
    async with running(consume(consumer, shop.handler, rejecting, ManualClock(), pace=Pacing(100))):
        await shop.bus.producer.send([Message(RESOLVED, b"k", value) for value in orders])

        async def all_in() -> bool:
            return sum((await shop.bus.log.committed(GROUP, RESOLVED)).values()) == len([*carts, *orders])

        await eventually(all_in, 10, "all of it is committed, the carts a second time")
    assert [(one.header("reason"), one.value) for one in shop.bus.sent(REJECTED)] == [
        (OUR_ERROR, value) for value in (carts[0], orders[0])
    ]
    assert [one["subject"] for one in shop.published() if "cancelled" in one["type"]] == [customer("ann")]


async def test_a_letter_that_was_held_back_and_errs_is_put_off_and_keeps_no_other_back(shop: Shop) -> None:
    """Its rule is unknown to this instance."""
    await shop.meet(profile("ann"), profile("bob"))
    other = CART.model_copy(update={"rule": "other"})
    await Shop(shop.pool, shop.broker, [other]).take(cart("bob", NOON, "m1", "tea", cart_id="c1"))
    await Shop(shop.pool, shop.broker, [other]).unpublished_at(NOON + READY)
    await shop.take(cart("ann", NOON, "m2", "tea", cart_id="c2"))
    await shop.unpublished_at(NOON + READY)
    publisher = shop.publisher_by(OutboxPolicy(recheck_after=timedelta()))
    assert await publisher.publish() == 1
    assert [one["subject"] for one in shop.published()] == [customer("ann")]
    assert (await shop.rows("SELECT checked_at FROM outbox"))[0][0] == shop.clock.now() + PUT_OFF
