"""A wrong merge, and its way back, across all services: ids, profiles field by field, and who is reminded of what."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer

from support.names import unique
from support.shop import HOUR, Json, Shop, filled_cart, read_all
from support.waiting import eventually

CHANGING = "profile_version"


async def merges(shop: Shop) -> list[Json]:
    """All that `tern.identity.v1` tells of merges, read by a plain consumer."""
    consumer = AIOKafkaConsumer("tern.identity.v1", bootstrap_servers=shop.door("kafka"), auto_offset_reset="earliest")
    await consumer.start()
    try:
        notices = [json.loads(record.value) async for record in read_all(consumer)]
    finally:
        await consumer.stop()
    return [notice for notice in notices if notice["type"] == "merged"]


async def act(shop: Shop, path: str, body: Json) -> Json:
    bearer = {"authorization": f"Bearer {shop.door('api_token')}"}
    answer = await shop.http.post(f"{shop.door('identity')}/v1/controls{path}", json=body, headers=bearer)
    assert answer.is_success, answer.text
    done: Json = answer.json()
    return done


def by_card(events: Sequence[Json], card: str) -> list[Json]:
    """The same, of somebody who is known by a loyalty card only."""
    shown = {"context": {"externalIds": [{"type": "loyalty_card", "id": card}]}}
    return [{**{name: value for name, value in event.items() if name != "userId"}, **shown} for event in events]


async def known(shop: Shop, namespace: str, value: str) -> Json:
    """A profile without its version, which only grows."""
    found = await eventually(lambda: shop.profile(namespace, value), 30, f"{namespace} has a profile")
    assert found is not None
    return {name: value for name, value in found.items() if name != CHANGING}


async def test_a_wrong_merge_is_reverted_field_by_field(shop: Shop) -> None:
    ann, card = unique("ann"), unique("card")
    await shop.send(filled_cart(shop, ann, f"cart-{ann}"))
    await shop.send(by_card(filled_cart(shop, "", f"cart-{card}"), card))
    await shop.settled()
    hers, his = await known(shop, "user_id", ann), await known(shop, "loyalty_card", card)
    assert hers["customer_id"] != his["customer_id"]

    wrong = by_card([shop.event("Card Shown")], card)[0] | {"userId": ann}
    await shop.send([wrong])
    await shop.settled()
    joined = await known(shop, "user_id", ann)
    assert joined == await known(shop, "loyalty_card", card)
    assert joined["homes"] == hers["homes"] + his["homes"]

    [merge] = [one for one in await merges(shop) if one["absorbed"] == his["customer_id"]]
    assert merge["survivor"] == hers["customer_id"]
    done = await act(shop, "", {"kind": "revert", "merge_id": merge["merge_id"], "reason": "another customer's card"})
    assert done["customers"] == [{"from": hers["customer_id"], "to": his["customer_id"]}]

    async def is_his_again() -> bool:
        return await known(shop, "loyalty_card", card) == his

    await eventually(is_his_again, 30, "he is as he was")
    counts = {**hers["counts"], "Card Shown": 1}
    after = await known(shop, "user_id", ann)
    assert after == {**hers, "counts": counts, "last_seen_at": after["last_seen_at"]}, "but for what she did herself"
    assert await shop.ask("profile", f"/v1/profiles/{his['customer_id']}") is not None

    await shop.advance(2 * HOUR)
    for profile, cart in ((hers, f"cart-{ann}"), (his, f"cart-{card}")):
        reminders = await shop.triggers_for(profile["customer_id"])
        assert [(event["type"], event["data"]["cart"]["cart_id"]) for event in reminders] == [
            ("tern.trigger.fired.v1", cart)
        ]


async def test_a_revert_that_was_an_error_is_undone(shop: Shop) -> None:
    ann, card = unique("ann"), unique("card")
    both = {"userId": ann, "context": {"externalIds": [{"type": "loyalty_card", "id": card}]}}
    await shop.send([shop.event("Card Shown") | both])
    await shop.settled()
    joined = await known(shop, "loyalty_card", card)
    pair = {"a": {"namespace": "user_id", "value": ann}, "b": {"namespace": "loyalty_card", "value": card}}
    done = await act(shop, "", {"kind": "revert", "reason": "not her card", **pair})
    assert (await shop.customer("loyalty_card", card) or joined)["customer_id"] != joined["customer_id"]
    await act(shop, f"/{done['control_id']}/undo", {"reason": "it was her card"})

    async def is_hers_again() -> bool:
        return await known(shop, "loyalty_card", card) == joined

    await eventually(is_hers_again, 30, "it is hers again")
