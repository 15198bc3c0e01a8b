"""Processes die with letters in hand: others bring out every one of them once its lease has ended, and none before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from integration.triggers.producers import Died, DiesAfter
from integration.triggers.shop import DAY, HOUR, MINUTE, NOON, READY, Shop, cart, customer, order, profile
from support.running import running
from support.waiting import eventually
from tern_common.clock import SystemClock
from tern_triggers.domain.decisions import Outcome
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.publishing import Publisher
from tern_triggers.store import firing
from unit.triggers.saying import POLICY

IN_A_LOOK, IN_A_CLAIM = 5, 4
PATIENT = OutboxPolicy(batch=IN_A_CLAIM, lease=HOUR, recheck_after=HOUR)
WHO = [f"p{n}" for n in range(6 * IN_A_LOOK)]


def process(shop: Shop, numbers: OutboxPolicy = PATIENT) -> Shop:
    """One of those that share the database: it looks at few and sends few at a time."""
    policy = POLICY.model_copy(update={"fire_batch": IN_A_LOOK, "outbox": numbers})
    found = Shop(shop.pool, shop.broker, policy=policy)
    found.clock.advance(shop.clock.now() - NOON)
    return found


async def all_due(shop: Shop) -> None:
    await shop.meet(*map(profile, WHO))
    await shop.take(*(cart(who, NOON, f"m-{who}", "tea", cart_id=who) for who in WHO))
    shop.clock.advance(READY)
    await shop.safe(NOON + READY)


async def half_looked_at(shop: Shop, numbers: OutboxPolicy = PATIENT) -> None:
    """By three processes, of which each dies before its next look, beside which it would have published."""
    for _ in range(3):
        assert await process(shop, numbers).timing.look() == IN_A_LOOK


async def rest_half_sent(shop: Shop, numbers: OutboxPolicy = PATIENT) -> None:
    """The others were decided about by one that died at its commit; whose letters were claimed by three who died while
    they sent: before the first, in the middle, and before they could delete."""
    dead = process(shop, numbers)
    for _ in range(3):
        await firing.fire_due(shop.pool, dead.writing, await shop.safe_now(), shop.clock.now())
    for sent in (0, IN_A_CLAIM // 2, IN_A_CLAIM):
        with pytest.raises(Died):
            await dead.publisher_by(numbers, DiesAfter(shop.bus.producer, sent)).publish()


async def leases_end(shop: Shop) -> None:
    await shop.execute("UPDATE outbox SET lease = clock_timestamp() - interval '1 s' WHERE lease IS NOT NULL")


async def all_published(*alive: Shop) -> None:
    """Side by side, until nobody finds anything more."""

    async def published(one: Shop) -> None:
        while await one.publisher.publish():
            pass

    await asyncio.gather(*map(published, alive))
    await published(alive[0])


def relay(shop: Shop, numbers: OutboxPolicy) -> Publisher:
    """One that really waits."""
    writing = msgspec.structs.replace(shop.writing, policy=shop.policy.model_copy(update={"outbox": numbers}))
    return Publisher(shop.pool, shop.bus.producer, SystemClock(), writing)


def said(shop: Shop) -> dict[str, list[str]]:
    """By trigger id what was published of it, in order."""
    found: dict[str, list[str]] = {}
    for event in shop.published():
        found.setdefault(event["data"]["trigger_id"], []).append(event["type"].split(".")[2])
    return found


async def fired(shop: Shop, people: Sequence[str] = WHO) -> set[str]:
    mine = set(map(customer, people))
    return {d.trigger_id for d in await shop.decisions() if d.outcome is Outcome.FIRED and d.customer_id in mine}


async def test_whatever_dead_processes_had_in_hand_goes_out_once_their_leases_end(shop: Shop) -> None:
    await all_due(shop)
    await half_looked_at(shop)
    await rest_half_sent(shop)
    alive = (process(shop), process(shop))
    await all_published(*alive)
    in_hand = 3 * IN_A_LOOK + 3 * IN_A_CLAIM
    assert await shop.count("outbox") == in_hand, "all that is leased, and nothing else"
    await leases_end(shop)
    await all_published(*alive)
    assert await shop.count("outbox") == 0
    assert said(shop).keys() == await fired(shop)
    assert len(await fired(shop)) == len(WHO)
    sent_twice = IN_A_CLAIM // 2 + IN_A_CLAIM
    assert sorted(map(len, said(shop).values())) == [1] * (len(WHO) - sent_twice) + [2] * sent_twice


async def test_what_revokes_the_letters_of_dead_processes_comes_out_behind_them(shop: Shop) -> None:
    await all_due(shop)
    await half_looked_at(shop)
    await rest_half_sent(shop)
    who = WHO[::2]
    await shop.take(*(order(one, NOON + READY + MINUTE, f"o-{one}", "tea", cart_id=one) for one in who))
    alive = (process(shop), process(shop))
    await all_published(*alive)
    assert not any("cancelled" in of_one for of_one in said(shop).values())
    await leases_end(shop)
    await all_published(*alive)
    assert await shop.count("outbox") == 0
    assert said(shop).keys() == await fired(shop)
    cancelled = {name for name, of_one in said(shop).items() if "cancelled" in of_one}
    assert cancelled == await fired(shop, who)
    assert all(said(shop)[name][-1] == "cancelled" and said(shop)[name].count("cancelled") == 1 for name in cancelled)


async def test_who_takes_over_from_the_dead_may_die_too(shop: Shop) -> None:
    await all_due(shop)
    await half_looked_at(shop)
    heirs = process(shop).publisher_by(PATIENT, DiesAfter(shop.bus.producer, 0))
    for _ in range(2):
        await leases_end(shop)
        with pytest.raises(Died):
            await heirs.publish()
        assert await process(shop).publisher.publish() == IN_A_CLAIM
    await leases_end(shop)
    await all_published(process(shop))
    assert await shop.count("outbox") == 0
    assert said(shop) == {name: ["fired"] for name in await fired(shop)}


async def test_what_was_asked_about_again_by_one_that_died_then_goes_by_another(shop: Shop) -> None:
    old = OutboxPolicy(batch=IN_A_CLAIM, lease=HOUR, recheck_after=timedelta())
    await all_due(shop)
    await half_looked_at(shop)
    await leases_end(shop)
    with pytest.raises(Died):
        await shop.publisher_by(old, DiesAfter(shop.bus.producer, 0)).publish()
    await leases_end(shop)
    await all_published(process(shop, old))
    assert said(shop) == {name: ["fired"] for name in await fired(shop)}


async def test_leases_end_by_themselves_and_two_relays_bring_all_out(shop: Shop) -> None:
    """By the real clock: domain time stands still."""
    short = OutboxPolicy(batch=IN_A_CLAIM, lease=timedelta(milliseconds=1), recheck_after=HOUR)
    await all_due(shop)
    await half_looked_at(shop, short)
    await rest_half_sent(shop, short)
    async with running(relay(shop, PATIENT).relay(), relay(shop, PATIENT).relay()):
        await eventually(lambda: len(said(shop)) == len(WHO), 20, "the relays publish all")
    assert said(shop).keys() == await fired(shop)


async def test_the_lease_of_a_dead_process_ends_though_the_clock_of_the_database_was_set_back(shop: Shop) -> None:
    brief = OutboxPolicy(lease=timedelta(milliseconds=1), recheck_after=DAY)
    await all_due(shop)
    await half_looked_at(shop)
    await shop.execute("UPDATE outbox SET lease = lease + interval '10 years'")
    async with running(relay(shop, brief).relay()):
        await eventually(lambda: len(said(shop)) == 3 * IN_A_LOOK, 20, "the relay publishes them")
    assert said(shop).keys() == await fired(shop)


async def test_letters_of_later_than_now_are_asked_about_again_before_they_go(shop: Shop) -> None:
    """The clock of the database was set back: nobody knows how old they are."""
    await all_due(shop)
    await half_looked_at(shop)
    await leases_end(shop)
    await shop.execute("UPDATE outbox SET created_at = created_at + interval '1 day'")
    alive = process(shop)
    alive.clock.advance(MINUTE)
    assert await alive.publisher.publish() == 0, "safe time has not passed the moment yet"
    await shop.safe(alive.clock.now())
    await all_published(alive)
    assert said(shop).keys() == await fired(shop)
