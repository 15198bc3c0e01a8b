"""One reminder for a cart that was left, none for one that was not, and the log says why."""

from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace

from integration.triggers.shop import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    READY,
    Shop,
    cart,
    customer,
    event,
    home,
    moved,
    order,
    profile,
)
from tern_common.blaming import PUT_OFF
from tern_common.db import connection
from tern_triggers.catalogue import digest_of
from tern_triggers.domain.folds.cart import KEEP
from tern_triggers.domain.rules import RULE, Rule, ruleset
from tern_triggers.store import views
from tern_triggers.store.rulebook import Rulebook
from tern_triggers.store.writing import Writing
from tern_triggers.timing import Timing


async def test_a_cart_left_for_an_hour_is_reminded_of_once(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea", "cup"))
    await shop.at(NOON + READY - MINUTE)
    assert shop.published() == []
    await shop.at(NOON + READY)
    await shop.at(NOON + 3 * DAY)
    (fired,) = shop.published()
    assert (fired["type"], fired["subject"]) == ("tern.trigger.fired.v1", customer("ann"))
    assert fired["data"]["cart"]["total"] == 19.0
    assert fired["data"]["channels"] == [{"channel": "email", "contact": "ann@example.com"}]
    (record,) = shop.records()
    assert record.key == customer("ann").encode()
    assert record.header("content-type") == "application/cloudevents+json; charset=utf-8"
    assert record.header("message-id") == fired["id"]
    assert await shop.outcomes("ann") == ["cart_abandoned fired -"]
    assert await shop.next_look() is None


async def test_an_order_before_the_reminder_ends_the_cycle_and_the_log_says_so(shop: Shop) -> None:
    await shop.meet(profile("bob"))
    await shop.take(cart("bob", NOON, "m1", "tea"), order("bob", NOON + 10 * MINUTE, "o1", "tea", cart_id="c1"))
    await shop.at(NOON + READY)
    assert shop.published() == []
    (note,) = await shop.decisions("bob")
    assert (note.outcome, note.reason, note.facts["exit"]) == ("ended", "ordered", "o1")
    await shop.take(cart("bob", NOON + 2 * HOUR, "m2", "pot"))
    await shop.at(NOON + 2 * HOUR + READY)
    assert await shop.outcomes("bob") == ["cart_abandoned ended ordered", "cart_abandoned fired -"]


async def test_an_error_about_one_customer_keeps_nobody_else_waiting(shop: Shop) -> None:
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(cart("bob", NOON, "m1", "tea", "cup"), cart("ann", NOON, "m2", "tea"))
    async with connection(shop.pool) as conn:  # prices that have no sum, which only damage can bring
        damaged = "convert_to(replace(convert_from(body, 'UTF8'), '9.5', '9e999999'), 'UTF8')"
        await conn.execute(f"UPDATE fact SET body = {damaged} WHERE home_id = $1", UUID(home("bob")))
    await shop.at(NOON + READY)
    (fired,) = shop.published()
    assert fired["subject"] == customer("ann")
    assert await shop.next_look() == NOON + READY + PUT_OFF
    await shop.at(NOON + READY + MINUTE)
    assert len(shop.published()) == 1


async def test_a_guest_order_naming_the_cart_ends_it(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.take(order("guest", NOON + 10 * MINUTE, "o1", "soap", cart_id="c1"))
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == ["cart_abandoned ended ordered"]


async def test_an_order_in_flight_is_waited_for_however_late_it_is_seen(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    shop.clock.advance(READY)
    await shop.safe(NOON + 20 * MINUTE)
    shop.clock.advance(5 * HOUR)
    assert await shop.timing.look() == 0, "the clock alone decides nothing"
    await shop.take(order("ann", NOON + 30 * MINUTE, "o1", "tea"))
    await shop.at(NOON + READY + 5 * HOUR)
    assert shop.published() == []


async def test_nobody_is_called_back_before_ninety_days_and_once_after(shop: Shop) -> None:
    await shop.meet(profile("cat"))
    await shop.take(order("cat", NOON, "o1", "tea"))
    await shop.at(NOON + 90 * DAY)
    assert shop.published("recall") == []
    await shop.at(NOON + 90 * DAY + 5 * MINUTE)
    (recall,) = shop.published("recall")
    assert recall["data"]["orders"]["kept"] == 1
    await shop.at(NOON + 300 * DAY)
    assert len(shop.published("recall")) == 1


async def test_without_consent_nothing_is_sent_and_the_log_says_so(shop: Shop) -> None:
    await shop.meet(profile("ann", email=None), profile("bob", email=False))
    await shop.take(*(cart(who, NOON, f"m-{who}", "tea", cart_id=who) for who in ("ann", "bob", "cat")))
    await shop.at(NOON + READY)
    assert shop.published() == []
    assert await shop.outcomes() == ["cart_abandoned suppressed no-consent"] * 3


async def test_consent_withdrawn_before_the_round_counts(shop: Shop) -> None:
    await shop.meet(profile("ann", 2))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.meet(profile("ann", 3, email=False), profile("ann", 1))
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == ["cart_abandoned suppressed no-consent"]


async def test_a_shared_customer_is_contacted_by_nobody(shop: Shop) -> None:
    await shop.meet(profile("kiosk"))
    await shop.take(cart("kiosk", NOON, "m1", "tea", shared=True))
    await shop.at(NOON + READY)
    assert await shop.outcomes("kiosk") == ["cart_abandoned suppressed shared-customer"]


async def test_of_a_shared_customer_only_the_newest_facts_are_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "SHARED_FACTS", 3)
    await shop.meet(profile("kiosk"))
    await shop.take(*(cart("kiosk", NOON + n * MINUTE, f"m{n}", "tea", cart_id=f"c{n}", shared=True) for n in range(9)))
    await shop.at(NOON + READY + HOUR)
    assert {one.key for one in await shop.decisions("kiosk")} == {"c6", "c7", "c8"}
    await shop.take(moved("kiosk", {"kiosk": 2}))
    await shop.at(NOON + READY + HOUR)
    fired = {one.key for one in await shop.decisions("kiosk") if one.outcome == "fired"}
    assert fired == {f"c{n}" for n in range(6)}, "shared no more: all of it is looked at"


async def test_whoever_has_more_facts_than_a_person_makes_keeps_nobody_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page's key is enough to make them, a cart each; a look at all of them would never come to its end."""
    monkeypatch.setattr(views, "SHARED_FACTS", 3)
    monkeypatch.setattr(views, "MOST_FACTS", 8)
    await shop.meet(profile("robot"), profile("ann"))
    await shop.take(*(cart("robot", NOON + n * MINUTE, f"m{n}", "tea", cart_id=f"c{n}") for n in range(9)))
    await shop.take(
        *(cart("ann", NOON + n * MINUTE, f"a{n}", "tea", *["cup"] * (n % 2), cart_id="ca") for n in range(8))
    )
    await shop.at(NOON + READY + HOUR)
    assert await shop.outcomes("robot") == ["cart_abandoned suppressed shared-customer"] * 3
    assert await shop.outcomes("ann") == ["cart_abandoned fired -"]
    assert await shop.next_look() is None


async def test_a_fire_transaction_takes_as_many_facts_as_it_can_bear_and_one_customer_at_least(shop: Shop) -> None:
    few = shop.policy.model_copy(update={"fire_facts": 3})
    timing = Timing(shop.pool, replace(shop.writing, policy=few), shop.publisher, shop.clock)
    facts = {"ann": 5, "bob": 1, "cat": 2, "dan": 1}
    for place, (who, count) in enumerate(facts.items()):
        at = NOON + place * MINUTE
        await shop.take(*(cart(who, at, f"{who}{n}", "tea", cart_id=f"{who}{n}") for n in range(count)))
    shop.clock.advance(2 * HOUR)
    await shop.safe(NOON + 2 * HOUR)
    assert [await timing.look() for _ in range(4)] == [1, 2, 1, 0]


async def test_redelivery_and_copies_change_nothing(shop: Shop) -> None:
    records = (cart("ann", NOON, "m1", "tea"), cart("ann", NOON + MINUTE, "m2", "tea", "cup"))
    await shop.meet(profile("ann"))
    await shop.take(*records, *records)
    await shop.take(*records)
    await shop.at(NOON + READY + MINUTE)
    await shop.take(*records)
    await shop.at(NOON + 2 * DAY)
    assert len(shop.published()) == 1
    assert len(await shop.decisions()) == 1


async def test_what_was_done_anonymously_counts_once_the_visitor_is_known(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("visitor", NOON, "m1", "tea", cart_id=None))
    await shop.take(moved("ann", {"visitor": 2}, "visitor"))
    await shop.at(NOON + READY)
    (fired,) = shop.published()
    assert fired["subject"] == customer("ann")
    assert await shop.decisions("visitor") == []


async def test_after_a_split_the_same_reason_does_not_speak_twice(shop: Shop) -> None:
    """The decision stays with its home; what moved away finds the trigger's id taken."""
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(
        cart("ann", NOON, "m1", "tea", cart_id=None),
        cart("ann", NOON + MINUTE, "m2", "tea", "cup", cart_id=None, home_of="second"),
    )
    await shop.at(NOON + READY + MINUTE)
    await shop.take(cart("ann", NOON, "m1", "pot", cart_id=None, home_of="second"))
    await shop.take(moved("bob", {"second": 2}, "ann"))
    await shop.at(NOON + 3 * HOUR)
    assert len(shop.published()) == 1
    assert await shop.outcomes("bob") == ["cart_abandoned suppressed already"]


async def test_only_the_newest_events_of_a_cart_are_kept(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(*(cart("ann", NOON + n * MINUTE / 60, f"m{n:04}", "tea", "cup"[: n % 2]) for n in range(KEEP + 50)))
    await shop.at(NOON + READY + 5 * MINUTE)
    assert await shop.count("fact") == KEEP
    assert len(shop.published()) == 1


async def test_events_that_no_rule_reads_cost_a_membership_and_nothing_else(shop: Shop) -> None:
    await shop.take(event("ann", "Page Viewed", NOON, "m1"), event("ann", "Signed In", NOON, "m2"))
    assert [await shop.count(table) for table in ("membership", "fact", "agenda", "cart_key")] == [1, 0, 0, 0]


async def test_a_faster_rule_is_heeded_at_once_by_those_who_are_waiting_already(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await plan(shop, digest_of(shop.writing.ruleset.rules, shop.policy))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    (old,) = (rule for rule in shop.writing.ruleset.rules if rule.rule == "cart_abandoned")
    fast = RULE.validate_python({**old.model_dump(mode="json"), "steps": [{"after": "10m", "expires_after": "24h"}]})
    again = Shop(shop.pool, shop.broker, [fast])
    await plan(again, digest_of([fast], again.policy))
    await plan(again, digest_of([fast], again.policy))
    await again.at(NOON + 15 * MINUTE)
    assert len(again.published()) == 1


async def plan(shop: Shop, digest: str) -> None:
    async for _ in shop.timing.plan_anew(digest):
        pass


async def test_a_rule_that_is_gone_decides_nothing(shop: Shop) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"))
    shop.timing = replace_rules(shop, [])
    await shop.at(NOON + READY)
    assert await shop.decisions() == []


def replace_rules(shop: Shop, rules: list[Rule]) -> Timing:
    """The clockwork of an instance with other rules."""
    writing: Writing = replace(shop.writing, rulebook=Rulebook(ruleset(rules)))
    return Timing(shop.pool, writing, shop.publisher, shop.clock)
