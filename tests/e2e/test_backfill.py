"""History in its own lane: known to all, silent where rules ignore it, and safe before anything is decided by it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from support.names import unique
from support.shop import DAY, HOUR, Json, Shop, filled_cart
from support.waiting import eventually
from tern_common.bus import Message
from tern_common.events import Event, encode
from tern_common.kafka import kafka_bus
from tern_common.topics import EVENTS_BACKFILL


async def bring(shop: Shop, events: Sequence[Event]) -> None:
    """Writes history as an import does, and returns when it is acknowledged."""
    async with kafka_bus(shop.door("kafka"), unique("import")) as bus:
        await bus.producer.send([_message(event) for event in events])


def _message(event: Event) -> Message:
    key = event.user_id or event.anonymous_id or event.message_id
    headers = (("message-id", event.message_id.encode()), ("schema", b"event"), ("mode", b"backfill"))
    return Message(EVENTS_BACKFILL, key.encode(), encode(event), headers)


def old(shop: Shop, user: str, name: str | None, age: timedelta, **said: Json) -> Event:
    """What happened so long ago, brought in now by a trusted source; `said`: its traits or properties."""
    now = shop.clock.now()
    free: dict[str, Any] = {part: msgspec.Raw(json.dumps(text).encode()) for part, text in said.items()}
    return Event(
        message_id=unique("old"),
        type="track" if name else "identify",
        name=name,
        event_time=now - age,
        received_at=now,
        source_id="import",
        trusted=True,
        user_id=user,
        mode="backfill",
        **free,
    )


async def known(shop: Shop, user: str) -> Json:
    """The customer's profile, once history has made one."""
    found = await eventually(lambda: shop.profile("user_id", user), 30, "history is known")
    assert found is not None
    return found


async def test_history_makes_profiles_and_starts_nothing_while_live_carts_are_reminded_of(shop: Shop) -> None:
    user, live = unique("historic"), unique("live")
    lines = [{"product_id": "mug", "name": "Mug", "price": 9.5, "quantity": 1}]
    await bring(
        shop,
        [
            old(shop, user, None, 20 * DAY, traits={"email": f"{user}@shop.example"}),
            old(shop, user, "Consent Granted", 20 * DAY, properties={"channel": "email"}),
            old(shop, user, "Order Completed", 9 * DAY, properties={"order_id": user, "total": 19, "products": lines}),
            old(shop, user, "Cart Updated", timedelta(minutes=1), properties={"cart_id": user, "products": lines}),
        ],
    )
    await shop.send(filled_cart(shop, live, f"cart-{live}"))
    await shop.settled()
    profile = await known(shop, user)
    assert profile["orders"]["count"] == 1
    await shop.advance(3 * HOUR)
    silent, reminded = profile["customer_id"], await shop.customer("user_id", live)
    assert reminded
    assert await shop.triggers_for(silent) == []
    assert len(await shop.triggers_for(reminded["customer_id"])) == 1


async def test_an_order_that_is_imported_just_before_recall_is_due_keeps_it_silent(shop: Shop) -> None:
    """Recall waits for all lanes: whatever was acknowledged in either of them is known when it is decided."""
    user = unique("recalled")
    await shop.send(
        [shop.event("Consent Granted", user, {"channel": "email"}), shop.event("Order Completed", user, {"total": 19})]
    )
    await shop.advance(89 * DAY)
    await bring(shop, [old(shop, user, "Order Completed", 30 * DAY, properties={"order_id": user, "total": 5})])
    await shop.advance(10 * DAY)
    customer = await shop.customer("user_id", user)
    assert customer
    assert await shop.triggers_for(customer["customer_id"]) == []


async def test_two_who_were_taken_for_two_are_one_by_history_and_everybody_hears_of_it(shop: Shop) -> None:
    """The membership change goes to the live topic; what is safe in all lanes has passed it there."""
    user, card = unique("member"), unique("card")
    await shop.send([shop.event("Product Viewed", user)])
    await bring(shop, [old(shop, user, None, 300 * DAY, traits={"email": f"{card}@shop.example"})])
    await shop.settled()
    by_user, by_mail = await shop.profile("user_id", user), await shop.profile("email", f"{card}@shop.example")
    assert by_user
    assert by_mail
    assert by_user["customer_id"] == by_mail["customer_id"]
