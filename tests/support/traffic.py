"""Shoppers who do not stop: small requests, several under way at any moment, for as long as a test needs them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.names import unique
from support.shop import HOUR, PATIENCE_S, Json, Shop, filled_cart, order
from support.waiting import eventually

SENDERS, PERSONS_EACH, VIEWS_EACH = 4, 6, 3
GOES_ON = 40
_KINDS = ("leaver", "buyer", "looker")


class Traffic:
    """Knows exactly what was acknowledged. A third leaves a cart behind, a third orders it, a third only looks."""

    def __init__(self, shop: Shop, name: str) -> None:
        self._shop = shop
        self._over = asyncio.Event()
        self.acknowledged: dict[str, Counter[str]] = {}
        self.requests = 0
        persons = [unique(f"{name}-{kind}") for _ in range(SENDERS * PERSONS_EACH // 3) for kind in _KINDS]
        self.groups = [persons[start::SENDERS] for start in range(SENDERS)]

    async def arrives(self) -> None:
        """Waits until the platform knows one of them: all parts of it are at work."""
        first = self.groups[0][0]
        await eventually(lambda: self._shop.profile("user_id", first), PATIENCE_S, "traffic has arrived")

    async def goes_on(self) -> None:
        """Waits until more requests than can have been under way now are acknowledged."""
        assert not self._over.is_set()
        wanted = self.requests + GOES_ON
        await eventually(lambda: self.requests >= wanted, PATIENCE_S, "events are acknowledged again")

    def ends(self) -> None:
        """What was begun is finished: carts are filled, orders sent."""
        self._over.set()

    async def send(self, persons: list[str]) -> None:
        """One of the senders: one request at a time."""
        plans = {person: self._plan(person) for person in persons}
        while not self._over.is_set():
            for person in persons:
                views = [
                    self._shop.event("Product Viewed", person, {"product_id": unique("mug")}) for _ in range(VIEWS_EACH)
                ]
                await self._send(person, [*views, *(plans[person].pop(0) if plans[person] else [])])
        for person, plan in plans.items():
            for step in plan:
                await self._send(person, step)

    def _plan(self, person: str) -> list[list[Json]]:
        """What she does besides looking, turn by turn."""
        cart = [] if "looker" in person else filled_cart(self._shop, person, f"cart-{person}")
        bought = [order(self._shop, person, f"cart-{person}")] if "buyer" in person else []
        return [[], cart[:1], cart[1:], [], bought]

    async def _send(self, person: str, events: list[Json]) -> None:
        await self._shop.send(events)
        self.requests += 1
        self.acknowledged.setdefault(person, Counter()).update(event["event"] or event["type"] for event in events)

    async def verify_counts(self) -> None:
        """Each acknowledged event counts once."""
        await self._shop.settled()
        for person, counts in self.acknowledged.items():
            profile = await self._shop.profile("user_id", person)
            assert profile, person
            assert profile["counts"] == dict(counts), person

    async def verify_triggers(self) -> None:
        """An hour later each left cart has one trigger, however often it was delivered, and nobody else has any."""
        customers = {
            person: (await self._shop.customer("user_id", person) or {})["customer_id"] for person in self.acknowledged
        }
        told = [event for event in await self._shop.triggers() if event["data"]["rule"] == "cart_abandoned"]
        found = {(event["id"], event["type"], event["subject"]) for event in told}
        fired = Counter(subject for _, kind, subject in found if kind == "tern.trigger.fired.v1")
        other = {subject for _, kind, subject in found if kind != "tern.trigger.fired.v1"}
        wrong = {person: fired[one] for person, one in customers.items() if fired[one] != int("leaver" in person)}
        assert not wrong, wrong
        assert not other & set(customers.values())


@asynccontextmanager
async def traffic(shop: Shop, name: str) -> AsyncIterator[Traffic]:
    """While the block runs, and until all that was begun is acknowledged."""
    sending = Traffic(shop, name)
    async with asyncio.TaskGroup() as tasks:
        for group in sending.groups:
            tasks.create_task(sending.send(group))
        yield sending
        sending.ends()


async def verify(shop: Shop, sending: Traffic) -> None:
    """Counts now, triggers two hours later."""
    await sending.verify_counts()
    await shop.advance(2 * HOUR)
    await sending.verify_triggers()
