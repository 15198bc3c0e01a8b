"""Whatever ends in the middle of traffic: nothing acknowledged is lost, nothing counts twice, no trigger is doubled."""

from __future__ import annotations

import signal

import pytest

from support.names import unique
from support.processes import ended, frozen
from support.shop import HOUR, Json, Shop, background, filled_cart
from support.traffic import traffic, verify
from support.waiting import eventually

STOPS_S = {"kafka": 30, "postgres": 30}
LEAVERS = 60

# PostgreSQL waits for its clients at SIGTERM; SIGINT is its clean stop. A Java machine ends with 143 all the same.
CLEAN = {"postgres": signal.SIGINT}
FINISHED = {"kafka": 143}


@pytest.mark.parametrize("name", ["ingest", "identity", "profile", "triggers", "kafka", "postgres"])
async def test_stopped_and_killed_in_the_middle_of_traffic_it_loses_and_doubles_nothing(shop: Shop, name: str) -> None:
    """Told to stop, it finishes within ten seconds; killed with -9, what it was doing is done again."""
    endings = {CLEAN.get(name, signal.SIGTERM): FINISHED.get(name, 0), signal.SIGKILL: -signal.SIGKILL}
    async with traffic(shop, name) as sending:
        await sending.arrives()
        for number, status in endings.items():
            said = f"{name} ended with {status};"
            before = shop.log.read_text().count(said)
            pid = shop.kill(name, number)
            await ended(pid, STOPS_S.get(name, 10))
            await sending.goes_on()
            await shop.replaced(name, pid)
            assert shop.log.read_text().count(said) == before + 1
    await verify(shop, sending)


async def test_kill_9_of_triggers_while_it_fires_gives_each_trigger_once(shop: Shop) -> None:
    users = [unique("firing") for _ in range(LEAVERS)]
    await shop.send([event for user in users for event in filled_cart(shop, user, f"cart-{user}")])
    await shop.settled()
    customers = {(await shop.customer("user_id", user) or {})["customer_id"] for user in users}
    before = shop.clock.now()
    async with background(shop.advance(2 * HOUR)):
        await eventually(lambda: shop.clock.now() > before + HOUR, 30, "the carts are due")
        pid = shop.kill("triggers", signal.SIGKILL)
        await shop.replaced("triggers", pid)
    fired = {(event["id"], event["subject"]) for event in await shop.triggers() if event["subject"] in customers}
    assert len(fired) == LEAVERS
    assert {subject for _, subject in fired} == customers


def views(shop: Shop, users: list[str]) -> list[Json]:
    return [shop.event("Product Viewed", user, {"product_id": "mug"}) for user in users]


async def counted_once(shop: Shop, users: list[str]) -> bool:
    await shop.settled()
    profiles = [await shop.profile("user_id", user) for user in users]
    return [profile and profile["counts"] for profile in profiles] == [{"Product Viewed": 1} for _ in users]


async def test_while_postgres_hangs_what_is_acknowledged_counts_afterwards(shop: Shop) -> None:
    users = [unique("hanging") for _ in range(20)]
    with frozen(shop.pid("postgres")) as stopped:
        assert len(stopped) > 4, "its backends stand still too"
        for user in users:
            answer = await shop.post({"batch": views(shop, [user])})
            assert answer.status_code == 200
    assert await counted_once(shop, users)


async def test_while_kafka_hangs_it_answers_503_in_two_seconds_and_what_is_sent_again_counts_once(shop: Shop) -> None:
    users = [unique("away") for _ in range(20)]
    events = views(shop, users)
    with frozen(shop.pid("kafka")):
        for _ in range(2):
            answer = await shop.post({"batch": events})
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.elapsed.total_seconds() < 2
    await shop.send(events)
    assert await counted_once(shop, users)
