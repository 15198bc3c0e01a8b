"""A letter that a broker does not take is sent again alone: all others leave once, and none of them waits for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from integration.triggers.producers import AnswersNobody, Elsewhere, LacksALeader, RefusesTogether, TakesNothingFrom
from integration.triggers.shop import DAY, MINUTE, NOON, READY, Shop, cart, customer, order, profile
from support.names import unique
from support.waiting import eventually
from tern_common.bus import SEND_TIMEOUT_S, Message, Producer
from tern_common.errors import Transient
from tern_common.kafka import kafka_bus
from tern_common.topics import REJECTED, Topic
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.publishing import Publisher
from tern_triggers.timing import Timing

SMALL = OutboxPolicy(batch=2)
BEGUN = NOON + READY


async def due(shop: Shop, *who: str) -> None:
    """Their carts were left, and their reminders are due now."""
    await shop.meet(*map(profile, who))
    await shop.take(*(cart(one, shop.clock.now(), f"m-{one}", "tea", cart_id=one) for one in who))
    shop.clock.advance(READY)
    await shop.safe(shop.clock.now())


async def unpublished(shop: Shop, *who: str) -> None:
    """The same, decided one after the other by a process that dies before it can publish."""
    for one in who:
        await shop.meet(profile(one))
        await shop.take(cart(one, NOON, f"m-{one}", "tea", cart_id=one))
        await shop.unpublished_at(BEGUN)


async def looked(shop: Shop, producer: Producer) -> None:
    """By a process that publishes so."""
    timing = Timing(shop.pool, shop.writing, publisher(shop, producer), shop.clock)
    while await timing.look():
        pass


def publisher(shop: Shop, producer: Producer) -> Publisher:
    return Publisher(shop.pool, producer, shop.clock, shop.writing)


async def later(shop: Shop) -> None:
    """Whatever rests has rested, and safe time has passed whatever was tried."""
    shop.clock.advance(MINUTE)
    await shop.safe(shop.clock.now())
    await shop.execute("UPDATE outbox SET lease = clock_timestamp() - interval '1 s' WHERE lease IS NOT NULL")


def said(shop: Shop) -> list[str]:
    """Whose letters are out and what they say, in alphabetical order."""
    names = {customer(name): name for name in ("ann", "bob", "cat")}
    return sorted(f"{names[event['subject']]} {event['type'].split('.')[2]}" for event in shop.published())


async def test_while_a_partition_has_no_leader_letters_of_all_others_leave_once(shop: Shop) -> None:
    leaderless = LacksALeader(shop.bus.producer, "bob")
    await due(shop, "ann", "bob", "cat")
    await looked(shop, leaderless)
    relay = publisher(shop, leaderless)
    for _ in range(3):
        await later(shop)
        with pytest.raises(Transient):
            await relay.publish()
    assert said(shop) == ["ann fired", "cat fired"]
    leaderless.recover()
    await later(shop)
    assert await relay.publish() == 1
    assert said(shop) == ["ann fired", "bob fired", "cat fired"]
    assert await shop.count("outbox") == 0


async def test_the_relay_sends_only_those_again_that_were_not_taken(shop: Shop) -> None:
    await unpublished(shop, "bob", "ann", "cat")
    leaderless = LacksALeader(shop.bus.producer, "bob")
    relay = publisher(shop, leaderless)
    assert [await relay.publish(), await relay.publish()] == [2, 0], "what was not taken rests while others go"
    assert (said(shop), await shop.count("outbox")) == (["ann fired", "cat fired"], 1)
    leaderless.recover()
    await later(shop)
    assert await relay.publish() == 1
    assert said(shop) == ["ann fired", "bob fired", "cat fired"]


async def test_revocations_go_once_their_letters_have_and_never_before(shop: Shop) -> None:
    leaderless = LacksALeader(shop.bus.producer, "bob")
    await due(shop, "ann", "bob")
    await looked(shop, leaderless)
    relay = publisher(shop, leaderless)
    shop.clock.advance(MINUTE)
    await shop.take(*(order(who, shop.clock.now(), f"o-{who}", "tea", cart_id=who) for who in ("ann", "bob")))
    assert said(shop) == ["ann cancelled", "ann fired"]
    await later(shop)
    with pytest.raises(Transient):
        await relay.publish()
    assert said(shop) == ["ann cancelled", "ann fired"]
    leaderless.recover()
    await later(shop)
    assert [await relay.publish(), await relay.publish()] == [1, 1]
    assert [one["type"].split(".")[2] for one in shop.published() if one["subject"] == customer("bob")] == [
        "fired",
        "cancelled",
    ]
    assert await shop.count("outbox") == 0


async def test_what_is_acknowledged_is_gone_before_it_is_known_what_becomes_of_the_rest(shop: Shop) -> None:
    """So that it is not sent again by whoever comes after a crash, and what revokes it need not wait."""
    leaderless = LacksALeader(shop.bus.producer, "bob", answers_late=True)
    await unpublished(shop, "ann", "bob", "cat")
    publishing = asyncio.ensure_future(publisher(shop, leaderless).publish())

    async def is_alone() -> bool:
        return await shop.count("outbox") == 1

    await eventually(is_alone, 10, "the others are gone")
    assert not publishing.done()
    leaderless.recover()
    assert await publishing == 3


async def test_while_others_go_the_broker_is_heard(shop: Shop) -> None:
    leaderless = LacksALeader(shop.bus.producer, "bob")
    timing = Timing(shop.pool, shop.writing, publisher(shop, leaderless), shop.clock)
    await due(shop, "ann", "bob")
    assert [await timing.look(), await timing.look()] == [2, 0]
    await due(shop, "cat")
    assert await timing.look() == 1
    attempted = await shop.rows("SELECT attempted_at IS NOT NULL FROM outbox")
    assert [row[0] for row in attempted] == [True, True], "its letter is leased to the look that decided it"


async def test_what_others_of_the_process_get_through_counts_too(shop: Shop) -> None:
    """A letter that is not taken is not claimed again and again beside all that is decided meanwhile."""
    leaderless = LacksALeader(shop.bus.producer, "bob", answers_late=True)
    shared = publisher(shop, leaderless)
    await unpublished(shop, "bob")
    alone = asyncio.ensure_future(shared.publish())
    await eventually(lambda: leaderless.asked, 10, "it is under way")
    await unpublished(shop, "ann")
    assert await shared.publish() == 1
    leaderless.give_up()
    assert await alone == 0
    assert [row[0] for row in await shop.rows("SELECT lease > clock_timestamp() FROM outbox")] == [True]


async def test_a_whole_batch_that_is_not_taken_is_in_nobodys_way(shop: Shop) -> None:
    """Also where nothing tells it from a broker that is away."""
    leaderless = LacksALeader(shop.bus.producer, "bob", "cat")
    await unpublished(shop, "bob", "cat", "ann")
    relay = shop.publisher_by(SMALL, leaderless)
    with pytest.raises(Transient):
        await relay.publish()
    shop.clock.advance(MINUTE)
    await shop.safe(shop.clock.now())
    assert await relay.publish() == 1
    assert said(shop) == ["ann fired"]


async def test_of_those_that_a_broker_refuses_together_each_one_that_it_takes_alone_leaves_once(shop: Shop) -> None:
    await unpublished(shop, "ann", "bob", "cat")
    assert await publisher(shop, RefusesTogether(shop.bus.producer, "bob")).publish() == 3
    assert said(shop) == ["ann fired", "cat fired"]
    assert await shop.outcomes("bob") == ["cart_abandoned withdrawn unpublishable"]
    assert [record.header("reason") for record in shop.bus.sent(REJECTED)] == ["message-too-large"]
    assert await shop.count("outbox") == 0


async def test_letters_that_kafka_takes_one_by_one_and_not_together_leave_once(
    shop: Shop, kafka_bootstrap: str
) -> None:
    topic, who = unique("letters"), [f"p{n}" for n in range(8)]
    await unpublished(shop, *who)
    async with kafka_bus(kafka_bootstrap, unique("letters")) as bus:
        await bus.log.create([Topic(topic, 1, config={"max.message.bytes": "4000"})])
        await bus.producer.send([Message(topic, b"k", b"that it may be known, so that all go at once")])
        producer = Elsewhere(bus.producer, topic)
        assert await publisher(shop, producer).publish() == len(who)
        assert producer.refused == len(who), "together none is taken"
        assert await bus.log.ends(topic) == {0: 1 + len(who)}
    assert await shop.count("outbox") == 0


async def test_what_no_broker_takes_is_set_aside_though_nothing_else_gets_through(shop: Shop) -> None:
    await unpublished(shop, "ann", "bob")
    relay = publisher(shop, LacksALeader(TakesNothingFrom(shop.bus.producer, "bob"), "ann"))
    with pytest.raises(Transient):
        await relay.publish()
    assert await shop.outcomes("bob") == ["cart_abandoned withdrawn unpublishable"]
    assert (await shop.outcomes("ann"), await shop.count("outbox")) == (["cart_abandoned fired -"], 1)


async def test_a_broker_that_answers_nobody_costs_one_timeout_and_one_try_of_each(shop: Shop) -> None:
    await unpublished(shop, "ann", "bob", "cat")
    silent = AnswersNobody(shop.clock, timedelta(seconds=SEND_TIMEOUT_S))
    with pytest.raises(Transient):
        await publisher(shop, silent).publish()
    assert silent.tries == 3
    assert [row[0] for row in await shop.rows("SELECT lease FROM outbox")] == [None] * 3, (
        "they go as soon as it is back"
    )


async def test_what_waits_for_a_partition_is_sent_no_more_once_it_has_expired(shop: Shop) -> None:
    leaderless = LacksALeader(shop.bus.producer, "bob")
    await unpublished(shop, "ann", "bob")
    relay = publisher(shop, leaderless)
    assert await relay.publish() == 1
    shop.clock.advance(2 * DAY)
    await later(shop)
    leaderless.recover()
    assert await relay.publish() == 0
    assert (said(shop), await shop.count("outbox")) == (["ann fired"], 0)
