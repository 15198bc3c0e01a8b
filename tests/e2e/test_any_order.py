"""The same events, shuffled and doubled, end in the same identities, profiles and triggers."""

from __future__ import annotations

import json

from support.names import unique
from support.shop import HOUR, Json, Shop, filled_cart, order, shuffled

SEEDS = (7, 8, 9)


def story(shop: Shop) -> list[Json]:
    """Two members of one household on one browser, one of whom orders; a third who is known by e-mail too."""
    household: Json = {"anonymousId": "browser-@"}
    return [
        shop.event("Product Viewed", None, {"product_id": "mug"}, **household),
        shop.event("Signed In", "ann-@", **household),
        *filled_cart(shop, "ann-@", "cart-ann-@"),
        {**shop.event("", "bob-@"), "type": "identify", "traits": {"email": "bob-@@shop.example", "name": "B"}},
        *filled_cart(shop, "bob-@", "cart-bob-@"),
        shop.event("Product Viewed", "bob-@", {"product_id": "cup"}),
        order(shop, "bob-@", "cart-bob-@"),
        {**shop.event("", "cleo-@"), "type": "identify", "traits": {"email": "bob-@@shop.example", "city": "C"}},
        *filled_cart(shop, "cleo-@", "cart-cleo-@"),
    ]


def told(events: list[Json], name: str) -> list[Json]:
    """The story with people of its own."""
    text = json.dumps(events).replace("-@", f"-{name}")
    return [{**event, "messageId": f"{name}-{place}"} for place, event in enumerate(json.loads(text))]


async def outcome(shop: Shop, name: str) -> Json:
    """Everything that can be asked about them, without the ids that are drawn at birth."""
    doors = [("user_id", f"{one}-{name}") for one in ("ann", "bob", "cleo")]
    doors += [("anonymous_id", f"browser-{name}"), ("email", f"bob-{name}@shop.example")]
    profiles = [await shop.profile(*door) for door in doors]
    customers = [str((await shop.customer(*door) or {})["customer_id"]) for door in doors]
    triggers = [
        sorted((event["type"], event["data"]["rule"]) for event in await shop.triggers_for(customer))
        for customer in customers
    ]
    for profile in profiles:
        (profile or {}).pop("profile_version")
    found = {"profiles": profiles, "triggers": triggers, "same": [customers.index(one) for one in customers]}
    said = json.dumps(found).replace(name, "@")
    for place, customer in enumerate(customers):
        said = said.replace(customer, f"customer-{place}")
    unnamed: Json = json.loads(said)
    return unnamed


async def test_the_same_events_shuffled_and_doubled_end_in_the_same_customers_profiles_and_triggers(shop: Shop) -> None:
    events = story(shop)
    plain = unique("plain")
    mixed = {seed: unique("mixed") for seed in SEEDS}
    await shop.send(told(events, plain))
    for seed, name in mixed.items():
        await shop.send(shuffled(seed, told(events, name), copies=0.6), per_request=3)
    await shop.advance(2 * HOUR)

    expected = await outcome(shop, plain)
    assert [len(fired) for fired in expected["triggers"][:3]] == [1, 0, 1], "Ann and Cleo left a cart, Bob ordered his"
    for seed, name in mixed.items():
        found = await outcome(shop, name)
        for part, in_order in expected.items():
            assert found[part] == in_order, f"{part} with seed {seed}"
