"""What a look decides is published beside the next look, and never said to be out before it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from integration.triggers.shop import MINUTE, NOON, READY, Shop, cart, order, profile
from tern_common.errors import Transient
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.publishing import Publisher

AWAY = Transient("the broker is away")
LATE = NOON + 30 * MINUTE


async def due(shop: Shop, *who: str) -> None:
    """Their carts were left, and their reminders are due now."""
    await shop.meet(*map(profile, who))
    await shop.take(*(cart(one, shop.clock.now(), f"m-{one}", "tea", cart_id=one) for one in who))
    shop.clock.advance(READY)
    await shop.safe(shop.clock.now())


def kinds(shop: Shop) -> list[str]:
    return [event["type"].split(".")[2] for event in shop.published()]


async def unseen(shop: Shop) -> list[bool]:
    """Of each letter that waits, whether it is certain that nobody has seen it."""
    return [row[0] for row in await shop.rows("SELECT attempted_at IS NULL FROM outbox ORDER BY seq")]


async def test_a_look_is_published_beside_the_next_and_until_then_the_clock_waits(shop: Shop) -> None:
    await due(shop, "ann")
    assert await shop.timing.look() == 1
    assert (shop.published(), await unseen(shop)) == ([], [False])
    assert await shop.next_look() == AT_ONCE
    assert await shop.timing.look() == 0
    assert (kinds(shop), await unseen(shop)) == (["fired"], [])
    assert await shop.next_look() != AT_ONCE


async def test_what_a_look_left_behind_when_its_process_died_is_published_when_its_lease_ends(shop: Shop) -> None:
    await due(shop, "ann")
    assert await shop.timing.look() == 1
    other = Publisher(shop.pool, shop.bus.producer, shop.clock, shop.writing)
    assert await other.publish() == 0, "it is leased"
    await shop.execute("UPDATE outbox SET lease = clock_timestamp() - interval '1 s'")
    assert await other.publish() == 1
    assert [one["id"] for one in shop.published()] == [d.trigger_id for d in await shop.decisions()]


async def test_what_revokes_a_trigger_waits_until_it_is_out(shop: Shop) -> None:
    await due(shop, "ann")
    assert await shop.timing.look() == 1
    await shop.take(order("ann", LATE, "o1", "tea"))
    assert await shop.publisher.publish() == 0
    assert kinds(shop) == []
    assert await shop.timing.look() >= 0
    assert kinds(shop) == ["fired"]
    assert await shop.publisher.publish() == 1
    assert kinds(shop) == ["fired", "retracted"]


async def test_what_a_dead_process_left_behind_goes_with_what_revokes_it_behind_it(shop: Shop) -> None:
    """Nobody can tell whether it was sent: so it goes, once all that may revoke it is known."""
    await due(shop, "ann")
    assert await shop.timing.look() == 1
    shop.clock.advance(MINUTE)
    await shop.take(order("ann", shop.clock.now(), "o1", "tea"))
    await shop.execute("UPDATE outbox SET lease = clock_timestamp() - interval '1 s' WHERE lease IS NOT NULL")
    other = shop.publisher_by(OutboxPolicy(recheck_after=timedelta()))
    assert await other.publish() == 0, "safe time has not passed the moment yet"
    await shop.safe(shop.clock.now())
    assert [await other.publish(), await other.publish()] == [1, 1]
    assert kinds(shop) == ["fired", "cancelled"]


async def test_while_the_broker_is_away_nothing_more_is_noted_as_attempted(shop: Shop) -> None:
    """So that what an order ends meanwhile is withdrawn, and nobody hears of it."""
    await due(shop, "ann")
    shop.broker.fail_with(AWAY)
    assert [await shop.timing.look(), await shop.timing.look()] == [1, 0]
    await due(shop, "bob")
    await shop.timing.look()
    assert await unseen(shop) == [False, True]
    await shop.take(order("bob", shop.clock.now() - READY + MINUTE, "o1", "tea"))
    assert "cart_abandoned withdrawn ordered" in await shop.outcomes("bob")
    shop.broker.recover()
    await due(shop, "cat")
    while await shop.timing.look():
        pass
    await due(shop, "dan")
    await shop.timing.look()
    assert await unseen(shop) == [False], "the broker was heard of again"


async def test_what_was_decided_too_long_ago_is_asked_about_again_before_it_goes(shop: Shop) -> None:
    await due(shop, "ann")
    assert await shop.timing.look() == 1
    shop.clock.advance(MINUTE)
    await shop.timing.look()
    assert kinds(shop) == []
    assert await shop.publisher.publish() == 0, "safe time has not passed the moment yet"
    await shop.safe(shop.clock.now() + MINUTE)
    assert await shop.publisher.publish() == 1
    assert kinds(shop) == ["fired"]


async def test_a_look_that_fails_loses_no_letters(shop: Shop) -> None:
    await due(shop, "ann")
    assert await shop.timing.look() == 1
    async with shop.transaction() as conn:
        await conn.execute("LOCK TABLE agenda IN ACCESS EXCLUSIVE MODE")
        failing = asyncio.ensure_future(shop.timing.look())
        await shop.until_blocked()
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with pytest.raises(Transient):
            await failing
    assert kinds(shop) == ["fired"]
    assert await shop.count("outbox") == 0
