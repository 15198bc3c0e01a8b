"""A letter that was held back is asked about again before it goes: by then it may be refused, too late, or night."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from integration.triggers.producers import TakesNothingFrom
from integration.triggers.shop import DAY, HOUR, MINUTE, NOON, READY, Shop, cart, customer, erased, moved, profile
from tern_common.errors import Transient
from tern_common.events import Contact, PublicProfile, encode
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.policy import Arbiter, Cap, OutboxPolicy, Policy, QuietHours
from tern_triggers.domain.rules import Rule
from tern_triggers.publishing import Publisher
from tern_triggers.store import revoking
from unit.triggers.saying import CART

AWAY = Transient("the broker is away")
NIGHTS = Policy(version=1, arbiter=Arbiter(caps=(), quiet=QuietHours()))
ONE_A_DAY = Policy(version=1, arbiter=Arbiter(caps=(Cap(contacts=1, window=DAY),)))
BY_PHONE = CART.model_copy(update={"channels": ("sms",)})
PATIENT = CART.model_copy(update={"steps": (CART.steps[0].model_copy(update={"expires_after": 3 * DAY}),)})


def impatient(shop: Shop) -> Publisher:
    """To whom every letter is one that was held back."""
    return shop.publisher_by(OutboxPolicy(recheck_after=timedelta()))


def by_phone(who: str) -> bytes:
    granted = {"marketing": {"sms": True}}
    contacts = {"phone": Contact(value="+491700000000", trusted=True)}
    return encode(PublicProfile(customer_id=customer(who), profile_version=1, consent=granted, contacts=contacts))


async def unpublished(shop: Shop, said: bytes | None = None, at: datetime = NOON) -> None:
    await shop.meet(said or profile("ann"))
    await shop.take(cart("ann", at, "m1", "tea"))
    await shop.unpublished_at(at + READY)
    assert await shop.outcomes() == ["cart_abandoned fired -"]


async def attempted(shop: Shop) -> None:
    """Somebody may have it, or nobody."""
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    shop.broker.fail_with(AWAY)
    await shop.at(NOON + READY)
    shop.broker.recover()


async def passed(shop: Shop, publisher: Publisher, by: timedelta) -> int:
    """What leaves the outbox once the clock and safe time have moved on."""
    shop.clock.advance(by)
    assert await publisher.publish() == 0
    await shop.safe(shop.clock.now())
    return await publisher.publish()


async def test_what_was_refused_between_firing_and_sending_is_withdrawn(shop: Shop) -> None:
    await unpublished(shop)
    await shop.meet(profile("ann", 2, email=False))
    assert await passed(shop, impatient(shop), MINUTE) == 0
    assert await shop.outcomes("ann") == ["cart_abandoned withdrawn no-consent"]
    assert (shop.published(), await shop.count("outbox")) == ([], 0)


async def test_what_is_granted_still_goes(shop: Shop) -> None:
    await unpublished(shop)
    assert await passed(shop, impatient(shop), MINUTE) == 1
    assert await shop.outcomes() == ["cart_abandoned fired -"]


async def test_what_somebody_who_was_merged_in_meanwhile_refused_is_withdrawn(shop: Shop) -> None:
    await unpublished(shop)
    await shop.meet(profile("wife", email=False))
    await shop.take(moved("wife", {"ann": 2}, "ann"))
    assert await passed(shop, impatient(shop), MINUTE) == 0
    assert await shop.outcomes() == ["cart_abandoned withdrawn no-consent"]


async def test_what_was_tried_is_sent_no_more_once_it_is_refused_and_keeps_its_slot(shop: Shop) -> None:
    await attempted(shop)
    await shop.meet(profile("ann", 2, email=False))
    assert await passed(shop, shop.publisher, MINUTE) == 0
    assert (shop.published(), await shop.count("outbox")) == ([], 0)
    assert await shop.outcomes("ann") == ["cart_abandoned fired -"], "somebody may have seen it"


async def test_what_was_tried_is_sent_no_more_once_it_has_expired(shop: Shop) -> None:
    await attempted(shop)
    assert await passed(shop, shop.publisher, 25 * HOUR) == 0
    assert (shop.published(), await shop.count("outbox")) == ([], 0)


async def test_what_was_held_back_into_the_night_waits_for_the_morning(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [BY_PHONE], NIGHTS)
    await unpublished(shop, by_phone("ann"))
    assert await passed(shop, impatient(shop), 11 * HOUR) == 0
    assert shop.clock.now() == NOON + READY + 11 * HOUR
    morning = (NOON + DAY).replace(hour=8)
    assert await shop.next_look() == morning, "a clock that waits for this service goes on"
    assert await passed(shop, impatient(shop), morning - shop.clock.now()) == 1
    assert len(shop.published()) == 1


async def test_what_would_expire_in_the_night_is_withdrawn(shop: Shop) -> None:
    hasty: Rule = BY_PHONE.model_copy(
        update={"steps": (CART.steps[0].model_copy(update={"expires_after": 12 * HOUR}),)}
    )
    shop = Shop(shop.pool, shop.broker, [hasty], NIGHTS)
    await unpublished(shop, by_phone("ann"))
    assert await passed(shop, impatient(shop), 11 * HOUR) == 0
    assert await shop.outcomes("ann") == ["cart_abandoned withdrawn quiet-hours"]


async def test_what_is_withdrawn_for_a_refusal_frees_its_slot_for_the_one_that_waits(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [PATIENT], ONE_A_DAY)
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"), cart("ann", NOON, "m2", "pot", "cup", cart_id="c2"))
    await shop.unpublished_at(NOON + READY)
    assert [why for why, _ in await shop.deferred()] == ["capped"]
    await shop.meet(profile("ann", 2, email=False))
    await passed(shop, impatient(shop), MINUTE)
    await shop.at(shop.clock.now() + 2 * MINUTE)
    assert await shop.outcomes("ann") == ["cart_abandoned withdrawn no-consent", "cart_abandoned suppressed no-consent"]


async def test_what_was_tried_about_the_erased_is_sent_no_more_and_called_back(shop: Shop) -> None:
    await attempted(shop)
    await shop.take(erased("token", {"ann": 2}, "ann"))
    await passed(shop, shop.publisher, MINUTE)
    assert await shop.count("outbox") == 0
    assert [one["type"].split(".")[2] for one in shop.published()] == ["cancelled"]


async def test_a_trigger_that_changes_hands_while_it_is_taken_back_is_tried_again(shop: Shop) -> None:
    await unpublished(shop)
    (fired,) = await shop.decisions("ann")

    async def withdraw() -> None:
        async with shop.transaction() as conn:
            await revoking.withdraw(conn, {fired.trigger_id: Why.NO_CONSENT}, shop.clock.now())

    async with shop.transaction() as merging:
        await merging.execute("SELECT FROM agenda WHERE customer_id = $1 FOR UPDATE", customer("ann"))
        withdrawing = asyncio.ensure_future(withdraw())
        await shop.until_blocked()
        await merging.execute("UPDATE membership SET customer_id = $1", customer("wife"))
    with pytest.raises(Transient):
        await withdrawing
    assert await shop.outcomes() == ["cart_abandoned fired -"]


async def test_what_no_broker_takes_frees_its_slot_for_the_one_that_waits(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [PATIENT], ONE_A_DAY)
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"), cart("ann", NOON, "m2", "pot", "cup", cart_id="c2"))
    await shop.unpublished_at(NOON + READY)
    refusing = shop.publisher_by(OutboxPolicy(), TakesNothingFrom(shop.bus.producer, "ann"))
    await refusing.publish()
    assert await shop.outcomes("ann") == ["cart_abandoned withdrawn unpublishable"]
    await shop.at(shop.clock.now() + MINUTE)
    assert [one["data"]["reason"]["key"] for one in shop.published()] == ["c1"]
