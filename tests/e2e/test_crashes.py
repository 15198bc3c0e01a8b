"""Whatever dies in the middle of traffic: nothing acknowledged is lost, nothing counts twice, no trigger is doubled."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from support.names import unique
from support.shop import HOUR, Json, Shop, background, filled_cart
from support.waiting import eventually

PERSONS, VIEWS = 25, 24


def visits(shop: Shop, users: list[str]) -> list[Json]:
    """Everybody looks around; half of them fill a cart and leave it."""
    views = [shop.event("Product Viewed", user, {"product_id": "mug"}) for _ in range(VIEWS) for user in users]
    carts = [event for user in users[::2] for event in filled_cart(shop, user, f"cart-{user}")]
    return [*views[: len(views) // 2], *carts, *views[len(views) // 2 :]]


async def verify(shop: Shop, users: list[str]) -> None:
    """Counts are exact, and each left cart has exactly one trigger, however often it was delivered."""
    await shop.settled()
    for user in users:
        profile = await shop.profile("user_id", user)
        assert profile, user
        carts = {"Consent Granted": 1, "Cart Updated": 1} if user in users[::2] else {}
        assert profile["counts"] == {"Product Viewed": VIEWS, **carts}


async def verify_triggers(shop: Shop, users: list[str]) -> None:
    customers = {user: (await shop.customer("user_id", user) or {})["customer_id"] for user in users}
    fired: Counter[str] = Counter()
    for trigger_id, subject in {(event["id"], event["subject"]) for event in await shop.triggers()}:
        assert "/" not in trigger_id
        fired[subject] += 1
    assert {user: fired[customer] for user, customer in customers.items()} == {
        user: int(user in users[::2]) for user in users
    }


@pytest.mark.parametrize("name", ["ingest", "identity", "profile", "triggers", "kafka", "postgres"])
async def test_kill_9_in_the_middle_of_traffic_loses_nothing_and_doubles_nothing(shop: Shop, name: str) -> None:
    users = [unique(name) for _ in range(PERSONS)]
    events = visits(shop, users)
    async with background(shop.send(events, per_request=20)):
        await eventually(lambda: shop.customer("user_id", users[0]), 30, "traffic has arrived")
        pid = shop.kill(name, signal.SIGKILL)
        await shop.replaced(name, pid)
    await verify(shop, users)


async def test_kill_9_of_triggers_while_it_fires_gives_each_trigger_once(shop: Shop) -> None:
    users = [unique("firing") for _ in range(PERSONS)]
    await shop.send(visits(shop, users))
    await shop.settled()
    async with background(shop.advance(2 * HOUR)):
        pid = shop.kill("triggers", signal.SIGKILL)
        await shop.replaced("triggers", pid)
    await verify(shop, users)
    await verify_triggers(shop, users)


@pytest.mark.parametrize("name", ["kafka", "postgres"])
async def test_while_it_is_stopped_nothing_is_acknowledged_that_could_be_lost(shop: Shop, name: str) -> None:
    """Frozen, as a machine that hangs: ingest answers 503 within two seconds where Kafka is away, and goes on after."""
    users = [unique(f"frozen-{name}") for _ in range(PERSONS)]
    shop.kill(name, signal.SIGSTOP)
    try:
        answer = await shop.post({"batch": [shop.event("Product Viewed", users[0])]})
        assert answer.status_code == (503 if name == "kafka" else 200)
        if name == "kafka":
            assert int(answer.headers["retry-after"]) > 0
            assert answer.elapsed.total_seconds() < 2
    finally:
        shop.kill(name, signal.SIGCONT)
    await shop.send(visits(shop, users[1:]))
    await verify(shop, users[1:])
