"""Safe time: what is acknowledged and not yet seen holds every timer that it might cancel."""

from __future__ import annotations

import signal

from support.names import unique
from support.shop import HOUR, Shop, filled_cart, order
from support.waiting import eventually


async def test_an_order_in_flight_behind_a_stopped_identity_holds_the_reminder_and_then_prevents_it(shop: Shop) -> None:
    user = unique("in-flight")
    await shop.send(filled_cart(shop, user, f"cart-{user}"))
    await shop.settled()
    customer = await shop.customer("user_id", user)
    assert customer
    pid = shop.kill("identity", signal.SIGSTOP)
    try:
        await shop.send([order(shop, user, f"cart-{user}")])
        before = shop.clock.now()
        shop.clock.move_to(before + 3 * HOUR)
        looks = [await shop.safe_time() for _ in range(100)]
        assert all(safe is not None and safe <= before for safe in looks)
        assert await shop.triggers_for(customer["customer_id"]) == []
    finally:
        shop.kill("identity", signal.SIGCONT)
    assert shop.pid("identity") == pid
    await shop.settled()
    await eventually(lambda: shop.decisions(customer["customer_id"]), 30, "the decision is in the log")
    assert await shop.triggers_for(customer["customer_id"]) == []
    assert [row["reason"] for row in await shop.decisions(customer["customer_id"])] == ["ordered"]
