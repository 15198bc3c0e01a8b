"""What happens to a trigger whose reason goes: withdrawn while nobody has seen it, else retracted or cancelled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integration.triggers.producers import Died, DiesAfter, TakesNothingFrom
from integration.triggers.shop import DAY, HOUR, MINUTE, NOON, READY, Shop, cart, customer, moved, order, profile
from support.running import running
from support.waiting import eventually
from tern_common.bus import Record
from tern_common.clock import SystemClock
from tern_common.consume import Batch
from tern_common.errors import Transient
from tern_common.lanes import LIVE
from tern_common.topics import REJECTED, RESOLVED
from tern_triggers.consumer import TriggersHandler
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.domain.rules import Lane
from tern_triggers.publishing import Publisher
from tern_triggers.store import firing, positions
from tern_triggers.timing import Timing

AWAY = Transient("the broker is away")
LATE = NOON + 30 * MINUTE


async def reminded(shop: Shop, broker_is_away: bool = False) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    if broker_is_away:
        shop.broker.fail_with(AWAY)
    await shop.at(NOON + READY)


async def unpublished(shop: Shop) -> None:
    """A trigger that was decided by a process which died before it could publish."""
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    shop.clock.advance(READY)
    await shop.safe(NOON + READY)
    done = await firing.fire_due(shop.pool, shop.writing, await shop.safe_now(), shop.clock.now())
    assert [decision.outcome for decision in done.decisions] == ["fired"]


def kinds(shop: Shop) -> list[str]:
    return [event["type"].split(".")[2] for event in shop.published()]


async def test_what_nobody_has_seen_is_withdrawn(shop: Shop) -> None:
    await unpublished(shop)
    await shop.take(order("ann", LATE, "o1", "tea"))
    assert await shop.publisher.publish() == 0
    assert await shop.outcomes("ann") == ["cart_abandoned withdrawn ordered"]
    assert shop.published() == []


async def test_a_late_order_retracts_once_after_its_trigger_and_under_its_key(shop: Shop) -> None:
    await reminded(shop)
    await shop.take(order("ann", LATE, "o1", "tea"))
    await shop.take(order("ann", LATE, "o1", "tea"), order("ann", LATE, "o2", "tea"))
    assert kinds(shop) == ["fired", "retracted"]
    fired, retracted = shop.published()
    assert retracted["id"] == f"{fired['id']}/retracted"
    assert retracted["data"]["trigger_id"] == fired["id"]
    (decision,) = await shop.decisions("ann")
    assert (decision.outcome, decision.retracted_at) == ("fired", shop.clock.now())


async def test_an_order_after_the_firing_cancels_once(shop: Shop) -> None:
    await reminded(shop)
    shop.clock.advance(10 * MINUTE)
    await shop.take(order("ann", NOON + READY + MINUTE, "o1", "tea"))
    await shop.take(order("ann", NOON + READY + 2 * MINUTE, "o2", "tea"))
    assert kinds(shop) == ["fired", "cancelled"]
    await shop.take(order("ann", LATE, "o3", "tea"))
    assert kinds(shop) == ["fired", "cancelled", "retracted"]


async def test_a_guest_order_naming_the_cart_ends_the_holders_trigger(shop: Shop) -> None:
    await reminded(shop)
    await shop.take(order("guest", LATE, "o1", "soap", cart_id="c1"))
    await shop.take(order("other", LATE, "o2", "tea", cart_id="c2"))
    assert kinds(shop) == ["fired", "retracted"]
    assert shop.published()[1]["subject"] == customer("ann")


async def test_of_two_guest_orders_in_one_batch_the_earlier_decides_what_is_said(shop: Shop) -> None:
    await reminded(shop)
    after = order("guest", NOON + READY + MINUTE, "o1", "soap", cart_id="c1")
    await shop.take(after, order("guest", LATE, "o2", "soap", cart_id="c1"))
    assert kinds(shop) == ["fired", "retracted"]


async def test_a_merge_that_brings_the_order_retracts_and_keeps_the_key(shop: Shop) -> None:
    await reminded(shop)
    await shop.take(order("wife", LATE, "o1", "tea"))
    assert kinds(shop) == ["fired"]
    await shop.take(moved("wife", {"ann": 2}, "ann"))
    assert kinds(shop) == ["fired", "retracted"]
    assert [record.key.decode() for record in shop.records()] == [customer("ann")] * 2


async def test_a_trigger_that_has_expired_is_left_alone(shop: Shop) -> None:
    await reminded(shop)
    shop.clock.advance(25 * HOUR)
    await shop.take(order("ann", LATE, "o1", "tea"))
    assert kinds(shop) == ["fired"]


async def test_a_crash_between_commit_and_publication_publishes_later_with_the_same_id(shop: Shop) -> None:
    await unpublished(shop)
    assert await shop.publisher.publish() == 1
    (fired,), (decision,) = shop.published(), await shop.decisions()
    assert fired["id"] == decision.trigger_id


async def test_the_relay_sweeps_up_what_a_dead_process_left(shop: Shop) -> None:
    await unpublished(shop)
    relay = Publisher(shop.pool, shop.bus.producer, SystemClock(), shop.writing)
    async with running(relay.relay()):
        await eventually(shop.published, 10, "the relay publishes")


async def test_a_failed_send_is_an_attempt_so_a_later_exit_retracts(shop: Shop) -> None:
    await reminded(shop, broker_is_away=True)
    await shop.take(order("ann", LATE, "o1", "tea"))
    shop.broker.recover()
    assert shop.published() == []
    await shop.safe(shop.clock.now() + MINUTE)
    while await shop.publisher.publish():
        pass
    assert kinds(shop) == ["fired", "retracted"], "in this order, since the broker may have the first"


async def test_after_a_failed_send_nothing_is_published_before_safe_time_has_passed_it(shop: Shop) -> None:
    await reminded(shop, broker_is_away=True)
    shop.clock.advance(MINUTE)
    with pytest.raises(Transient):
        await shop.publisher.publish()
    shop.broker.recover()
    assert await shop.publisher.publish() == 0
    await shop.safe(shop.clock.now() + MINUTE)
    assert await shop.publisher.publish() == 1


async def test_a_row_that_waited_too_long_is_checked_against_safe_time_first(shop: Shop) -> None:
    await unpublished(shop)
    stale = shop.publisher_by(OutboxPolicy(recheck_after=timedelta()))
    shop.clock.advance(MINUTE)
    assert await stale.publish() == 0, "stamped now; the exits until then have not been seen"
    await shop.take(order("ann", LATE, "o1", "tea"))
    await shop.safe(shop.clock.now())
    assert await stale.publish() == 0
    assert await shop.outcomes("ann") == ["cart_abandoned withdrawn ordered"]


@pytest.mark.parametrize("is_ordered", [True, False])
async def test_a_row_that_expired_before_anybody_saw_it_is_withdrawn(shop: Shop, is_ordered: bool) -> None:
    """An exit ends nothing that has expired: so what nobody has seen by then must not come out after an order."""
    await unpublished(shop)
    stale = shop.publisher_by(OutboxPolicy(recheck_after=timedelta()))
    shop.clock.advance(25 * HOUR)
    if is_ordered:
        await shop.take(order("ann", LATE, "o1", "tea"))
    await shop.safe(shop.clock.now())
    assert await stale.publish() == 0
    assert (await shop.outcomes("ann"))[0] == "cart_abandoned withdrawn expired"
    assert (shop.published(), await shop.count("outbox")) == ([], 0)


@pytest.mark.parametrize("lane", ["live", "all"])
async def test_a_row_that_waited_too_long_waits_for_the_lane_of_its_rule_alone(shop: Shop, lane: Lane) -> None:
    """An import that goes on for hours holds back no reminder of a cart."""
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea") if lane == "live" else order("ann", NOON, "o1", "tea"))
    due = NOON + (READY if lane == "live" else 91 * DAY)
    await shop.unpublished_at(due)
    stale = shop.publisher_by(OutboxPolicy(recheck_after=timedelta()))
    shop.clock.advance(MINUTE)
    assert await stale.publish() == 0
    async with shop.transaction() as conn:
        await positions.raise_safe(conn, LIVE, shop.clock.now())
    assert await stale.publish() == (lane == "live")
    await shop.safe(shop.clock.now())
    assert await stale.publish() == (lane == "all")


async def test_a_lease_keeps_others_away_until_it_ends(shop: Shop) -> None:
    await unpublished(shop)
    dead = shop.publisher_by(OutboxPolicy(lease=timedelta(hours=1)), DiesAfter(shop.bus.producer, 0))
    with pytest.raises(Died):
        await dead.publish()
    assert await shop.publisher.publish() == 0
    await shop.execute("UPDATE outbox SET lease = clock_timestamp()")
    assert await shop.publisher.publish() == 1


@pytest.mark.parametrize("rejects_too", [False, True])
async def test_a_letter_that_no_broker_takes_stops_no_other_and_no_consumer(shop: Shop, rejects_too: bool) -> None:
    picky = TakesNothingFrom(shop.bus.producer, "bob", rejects_too=rejects_too)
    publisher = Publisher(shop.pool, picky, shop.clock, shop.writing)
    who = ("ann", "bob", "cat")
    await shop.meet(*(profile(one) for one in who))
    await shop.take(*(cart(one, NOON, f"m-{one}", "tea", cart_id=one) for one in who))
    shop.clock.advance(READY)
    await shop.safe(NOON + READY)
    timing = Timing(shop.pool, shop.writing, publisher, shop.clock)
    assert [await timing.look(), await timing.look()] == [3, 0]
    assert sorted(event["subject"] for event in shop.published()) == sorted([customer("ann"), customer("cat")])
    assert await shop.outcomes("bob") == ["cart_abandoned withdrawn unpublishable"]
    assert await shop.count("outbox") == 0
    rejected = [] if rejects_too else ["message-too-large"]
    assert [record.header("reason") for record in shop.bus.sent(REJECTED)] == rejected


async def test_a_revocation_that_no_broker_takes_is_set_aside_and_its_record_is_not_blamed(shop: Shop) -> None:
    await reminded(shop)
    picky = TakesNothingFrom(shop.bus.producer, "ann")
    publisher = Publisher(shop.pool, picky, shop.clock, shop.writing)
    handler = TriggersHandler(shop.pool, shop.writing, shop.positions, publisher, shop.clock)
    late = handler.decode(Record(RESOLVED, 0, 9, b"k", order("ann", LATE, "o1", "tea")))
    rest = await handler.apply(Batch([late], {}))
    assert rest is not None
    await rest()
    assert kinds(shop) == ["fired"]
    assert await shop.outcomes("ann") == ["cart_abandoned fired -"]
    assert await shop.count("outbox") == 0
    assert [record.header("schema") for record in shop.bus.sent(REJECTED)] == ["tern.trigger.retracted.v1"]
