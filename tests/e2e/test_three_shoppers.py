"""The three people of the demo, through the public doors only."""

from __future__ import annotations

from support.names import unique
from support.shop import DAY, HOUR, Shop, filled_cart, order
from support.waiting import eventually


async def customer_id(shop: Shop, user: str) -> str:
    found = await eventually(lambda: shop.customer("user_id", user), 30, f"{user} is known")
    assert found
    return str(found["customer_id"])


async def test_a_cart_left_behind_is_reminded_of_once_and_an_ordered_one_never(shop: Shop) -> None:
    leaver, buyer = unique("leaver"), unique("buyer")
    await shop.send([*filled_cart(shop, leaver, f"cart-{leaver}"), *filled_cart(shop, buyer, f"cart-{buyer}")])
    await shop.send([order(shop, buyer, f"cart-{buyer}")])

    await shop.advance(2 * HOUR)

    reminders = await shop.triggers_for(await customer_id(shop, leaver))
    assert [event["type"] for event in reminders] == ["tern.trigger.fired.v1"]
    assert reminders[0]["data"]["cart"]["items"][0]["product_id"] == "mug"
    assert await shop.triggers_for(await customer_id(shop, buyer)) == []
    why = await shop.decisions(await customer_id(shop, buyer))
    assert [(row["rule"], row["outcome"], row["reason"]) for row in why] == [("cart_abandoned", "ended", "ordered")]


async def test_who_has_not_ordered_for_ninety_days_is_called_back_once(shop: Shop) -> None:
    drifting = unique("drifting")
    await shop.send([*filled_cart(shop, drifting, f"cart-{drifting}"), order(shop, drifting, f"cart-{drifting}")])
    customer = await customer_id(shop, drifting)

    await shop.advance(89 * DAY)
    assert await shop.triggers_for(customer) == []
    await shop.advance(2 * DAY)

    recalls = await shop.triggers_for(customer)
    assert [(event["type"], event["data"]["rule"]) for event in recalls] == [("tern.trigger.fired.v1", "recall")]


async def test_without_consent_nobody_is_reminded_and_the_log_says_why(shop: Shop) -> None:
    silent = unique("silent")
    await shop.send(filled_cart(shop, silent, f"cart-{silent}")[1:])
    await shop.advance(2 * HOUR)

    customer = await customer_id(shop, silent)
    assert await shop.triggers_for(customer) == []
    assert [(row["outcome"], row["reason"]) for row in await shop.decisions(customer)] == [("suppressed", "no-consent")]


async def test_an_order_that_comes_after_the_reminder_but_happened_before_retracts_it(shop: Shop) -> None:
    late = unique("late")
    await shop.send(filled_cart(shop, late, f"cart-{late}"))
    paid = order(shop, late, f"cart-{late}")
    await shop.advance(2 * HOUR)
    await shop.send([paid])
    await shop.settled()

    said = await shop.triggers_for(await customer_id(shop, late))
    assert [event["type"] for event in said] == ["tern.trigger.fired.v1", "tern.trigger.retracted.v1"]
    assert len({event["data"]["trigger_id"] for event in said}) == 1


async def test_what_she_did_before_she_signed_in_is_hers_afterwards(shop: Shop) -> None:
    user, browser = unique("user"), unique("browser")
    looked = shop.event("Product Viewed", None, {"product_id": "mug"}, anonymousId=browser)
    await shop.send([looked], key="browser")
    await shop.settled()
    before = await shop.customer("anonymous_id", browser)
    await shop.send([shop.event("Signed In", user, anonymousId=browser)])
    await shop.settled()

    profile = await shop.profile("user_id", user)
    assert before
    assert profile
    assert profile["counts"] == {"Product Viewed": 1, "Signed In": 1}
    assert await shop.profile("anonymous_id", browser) == profile
    assert await shop.ask("profile", f"/v1/profiles/{before['customer_id']}") == profile
