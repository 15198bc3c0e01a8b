"""Reasons that nothing can make false are decided in the batch that brings them, once, and published straight after."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from integration.triggers.shop import HOUR, MINUTE, NOON, Shop, customer, event, moved, profile
from tern_common.bus import Record
from tern_common.db import Connection
from tern_common.errors import Transient
from tern_common.topics import RESOLVED
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.rules import RULE, Rule, Ruleset
from tern_triggers.domain.view import View
from tern_triggers.publishing import Publisher
from tern_triggers.store import batch, facts, outbox, views
from tern_triggers.store.outbox import Claimed, Letter

DETRACTOR = RULE.validate_python(
    {
        "rule": "detractor",
        "kind": "event",
        "family": "service",
        "purpose": "service",
        "of": {"event": "Survey Answered", "where": {"path": "score", "at_most": 6}},
        "exit": {"event": "Ticket Solved"},
        "steps": [
            {"act": "ticket", "expires_after": "24h", "due_in": "24h"},
            {"after": "20h", "act": "task", "expires_after": "24h"},
        ],
    }
)
VIEWED = RULE.validate_python(
    {
        "rule": "viewed_often",
        "kind": "count",
        "family": "browse",
        "purpose": "marketing",
        "channels": ["email"],
        "of": {"event": "Product Viewed"},
        "key": "product_id",
        "at_least": 3,
        "within": "24h",
        "cooldown": "7d",
        "steps": [{"expires_after": "4h"}],
    }
)
RULES: list[Rule] = [DETRACTOR, VIEWED]


@pytest.fixture
def shop(shop: Shop) -> Shop:
    return Shop(shop.pool, shop.broker, RULES)


def survey(who: str, message_id: str, score: int = 3, **more: Any) -> bytes:
    return event(who, "Survey Answered", NOON, message_id, score=score, **more)


def view(who: str, minute: int, message_id: str, product: str = "tea") -> bytes:
    return event(who, "Product Viewed", NOON + minute * MINUTE, message_id, product_id=product)


async def look_at(shop: Shop, *numbers: int) -> None:
    for number in numbers:
        await shop.take(view("ann", number, f"v{number}"))


def types(shop: Shop, family: str) -> list[str]:
    return [one["type"].split(".")[2] for one in shop.published(family)]


async def test_a_bad_answer_becomes_a_ticket_in_the_batch_that_brings_it(shop: Shop) -> None:
    """No safe time was ever claimed, and no look was taken."""
    await shop.take(survey("ann", "m1"), survey("bob", "m2", score=9))
    (fired,) = shop.published("service")
    assert (fired["data"]["act"], fired["data"]["reason"]["cycle_ref"]) == ("ticket", "m1")
    assert await shop.count("outbox") == 0
    assert await shop.outcomes() == ["detractor fired -"]


async def test_it_is_decided_once_however_often_its_event_comes(shop: Shop) -> None:
    other = Shop(shop.pool, shop.broker, RULES)
    await shop.take(survey("ann", "m1"))
    await asyncio.gather(*(one.replay(survey("ann", "m1")) for one in (shop, other, shop, other)))
    assert types(shop, "service") == ["fired"]


async def test_two_instances_that_meet_its_event_at_the_same_time_decide_it_once(shop: Shop) -> None:
    other = Shop(shop.pool, shop.broker, RULES)
    for number in range(10):
        await asyncio.gather(*(one.replay(survey("ann", f"m{number}")) for one in (shop, other, shop)))
    assert types(shop, "service") == ["fired"] * 10
    assert len({one["id"] for one in shop.published("service")}) == 10


async def test_the_later_step_waits_for_safe_time_and_is_spared_by_its_exit(shop: Shop) -> None:
    await shop.take(survey("ann", "m1"), survey("bob", "m2"))
    await shop.take(event("bob", "Ticket Solved", NOON + HOUR, "m3"))
    await shop.at(NOON + 20 * HOUR)
    assert types(shop, "service").count("fired") == 2
    await shop.at(NOON + 20 * HOUR + 6 * MINUTE)
    steps = [(one["data"]["step"], one["type"].split(".")[2]) for one in shop.published("service")]
    assert sorted(steps) == [(0, "cancelled"), (0, "fired"), (0, "fired"), (1, "fired")]


async def test_the_third_view_of_a_product_speaks_and_the_fourth_does_not(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await look_at(shop, 0, 1)
    assert shop.published("browse") == []
    await look_at(shop, 2, 3)
    (fired,) = shop.published("browse")
    assert (fired["data"]["reason"]["key"], fired["data"]["reason"]["cycle_ref"]) == ("tea", "v2")


async def test_a_merge_may_complete_a_count(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(*(view(who, n, f"v{n}") for n, who in enumerate(["ann", "visitor", "ann"])))
    assert shop.published("browse") == []
    await shop.take(moved("ann", {"visitor": 2}, "visitor"))
    assert types(shop, "browse") == ["fired"]


async def test_what_comes_hours_late_is_never_decided_at_once(shop: Shop) -> None:
    await shop.take(survey("ann", "m1", late_by=timedelta(hours=5)), survey("bob", "m2", mode="backfill"))
    assert await shop.decisions() == []


async def test_an_exit_in_the_same_batch_leaves_nothing_to_decide(shop: Shop) -> None:
    await shop.take(survey("ann", "m1"), event("ann", "Ticket Solved", NOON + MINUTE, "m2"))
    assert shop.published("service") == []


async def test_what_was_decided_at_once_counts_as_seen_so_an_exit_retracts_it(shop: Shop) -> None:
    """It is leased by the insert: whoever brings an exit cannot know that it was not sent."""
    await shop.take(view("bob", 0, "v0"))
    shop.broker.fail_with(Transient("the broker is away"))
    await shop.take(survey("ann", "m1"))
    shop.broker.recover()
    shop.clock.advance(HOUR)
    await shop.take(event("ann", "Ticket Solved", NOON, "m2"))
    await shop.safe(shop.clock.now() + MINUTE)
    while await shop.publisher.publish():
        pass
    assert types(shop, "service") == ["fired", "retracted"]


async def test_what_a_process_left_behind_when_it_died_is_published_by_another_with_the_same_id(shop: Shop) -> None:
    """Leased by the one that died; the lease ends."""
    news = [shop.handler.decode(Record(RESOLVED, 0, 0, b"k", survey("ann", "m1")))]
    written = await batch.apply(shop.pool, shop.writing, news, {}, shop.clock.now())
    assert (len(written.letters), shop.published("service")) == (1, [])
    assert await shop.publisher.publish() == 0, "it is leased"
    await shop.execute("UPDATE outbox SET lease = clock_timestamp() - interval '1 s'")
    other = Publisher(shop.pool, shop.bus.producer, shop.clock, shop.writing)
    assert await other.publish() == 1
    assert [one["id"] for one in shop.published("service")] == [d.trigger_id for d in await shop.decisions()]


async def test_a_batch_is_not_done_before_its_letters_are_out(shop: Shop) -> None:
    """Whoever drives the clock is told to wait; the offsets are committed after the rest (`consume`)."""
    rest = await shop.begin(survey("ann", "m1"))
    assert (shop.published("service"), await shop.next_look()) == ([], AT_ONCE)
    assert rest is not None
    await rest()
    assert types(shop, "service") == ["fired"]
    assert await shop.next_look() == NOON + 20 * HOUR + 5 * MINUTE


async def test_a_batch_that_says_nothing_to_anybody_has_nothing_left_to_do(shop: Shop) -> None:
    assert await shop.begin(survey("ann", "m1", score=9)) is None


async def test_a_later_batch_cannot_revoke_what_is_still_on_its_way(shop: Shop) -> None:
    """The revocation waits in the outbox for its trigger, whoever publishes first."""
    first = await shop.begin(survey("ann", "m1"))
    second = await shop.begin(event("ann", "Ticket Solved", NOON, "m2"))
    assert first is not None
    assert second is not None
    await second()
    assert types(shop, "service") == []
    await first()
    await second()
    assert types(shop, "service") == ["fired", "retracted"]
    assert await shop.count("outbox") == 0


async def test_who_comes_after_his_lease_has_ended_leaves_the_letter_to_the_relay(shop: Shop) -> None:
    """The relay may have sent it by then, and its retraction too: after that it must not come again."""
    rest = await shop.begin(survey("ann", "m1"))
    assert rest is not None
    await shop.execute("UPDATE outbox SET lease = clock_timestamp() - interval '1 s'")
    shop.clock.advance(shop.policy.outbox.lease)
    while await shop.publisher.publish():
        pass
    await shop.take(event("ann", "Ticket Solved", NOON, "m2"))
    await rest()
    assert types(shop, "service") == ["fired", "retracted"]


async def test_events_that_complete_nothing_load_nobody(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load = views.load

    async def noting(conn: Connection, rules: Ruleset, customers: Collection[str], **more: Any) -> list[View]:
        loaded.extend(customers)
        return await load(conn, rules, customers, **more)

    monkeypatch.setattr(views, "load", noting)
    await look_at(shop, 0, 1)
    assert loaded == []
    await look_at(shop, 2)
    assert len(loaded) == 1


async def test_who_has_too_few_events_for_anything_is_not_even_glimpsed_at(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    glimpsed: list[str] = []
    glimpse = views.glimpse

    async def noting(
        conn: Connection, rules: Collection[str], events: Collection[str], customers: Collection[str]
    ) -> list[View]:
        glimpsed.extend(customers)
        return await glimpse(conn, rules, events, customers)

    monkeypatch.setattr(views, "glimpse", noting)
    await shop.meet(profile("ann"))
    await look_at(shop, 0, 1)
    await shop.take(view("visitor", 2, "v2"))
    assert glimpsed == []
    await shop.take(moved("ann", {"visitor": 2}, "visitor"))
    assert glimpsed == [customer("ann")], "both homes together have enough"
    assert types(shop, "browse") == ["fired"]


async def test_were_it_not_leased_by_its_insert_two_could_send_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the lease: a relay that comes between commit and send would send it as well."""
    put = outbox.put

    async def unleased(conn: Connection, letters: Sequence[Letter], lease: timedelta | None = None) -> list[Claimed]:
        await put(conn, letters)
        rows = await conn.fetch("SELECT seq FROM outbox ORDER BY seq")
        return [Claimed(row[0], letter) for row, letter in zip(rows, letters, strict=True)] if lease else []

    monkeypatch.setattr(outbox, "put", unleased)
    with pytest.raises(AssertionError, match="it is leased"):
        await test_what_a_process_left_behind_when_it_died_is_published_by_another_with_the_same_id(shop)


async def test_did_it_decide_before_the_exit_was_seen_it_would_say_what_is_false(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the order inside a batch: facts are written first."""

    async def nothing(conn: Connection, said: Iterable[Fact]) -> None:
        await add(conn, [fact for fact in said if fact.key != "ticket solved"])

    add = facts.add
    monkeypatch.setattr(facts, "add", nothing)
    with pytest.raises(AssertionError):
        await test_an_exit_in_the_same_batch_leaves_nothing_to_decide(shop)
