"""One reminder for a cart that was left, none for one that was not, and the log says why."""

from __future__ import annotations

from integration.triggers.shop import DAY, MINUTE, NOON, READY, Shop, cart, customer, order, profile


async def test_a_cart_left_for_an_hour_is_reminded_of_once(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea", "cup"))
    await shop.at(NOON + READY - MINUTE)
    assert shop.published() == []
    await shop.at(NOON + READY)
    await shop.at(NOON + 3 * DAY)
    assert [(e["type"], e["subject"]) for e in shop.published()] == [("tern.trigger.fired.v1", customer("ann"))]
    assert await shop.outcomes("ann") == ["cart_abandoned fired -"]


async def test_an_order_before_the_reminder_ends_the_cycle_and_the_log_says_so(shop: Shop) -> None:
    await shop.meet(profile("bob"))
    await shop.take(cart("bob", NOON, "m1", "tea"), order("bob", NOON + 10 * MINUTE, "o1", "tea", cart_id="c1"))
    await shop.at(NOON + READY)
    assert shop.published() == []
    assert await shop.outcomes("bob") == ["cart_abandoned ended ordered"]
    (note,) = await shop.decisions("bob")
    assert note.facts["exit"] == "o1"


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
