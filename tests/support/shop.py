"""A shop and its operator, as the outside sees Tern: HTTP, Kafka and `run.json`, and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

from support.names import unique
from support.waiting import eventually
from tern_cli import clock
from tern_common.clock import VirtualClock

Json = dict[str, Any]
FAMILIES = ("cart", "recall")
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Shop:
    """One platform's doors, and what it prints. `clock` is the platform's, virtual."""

    run_file: Path
    log: Path
    http: httpx.AsyncClient
    clock: VirtualClock

    def door(self, name: str) -> Any:
        """A field of `run.json` as it is now: processes and addresses may change."""
        return json.loads(self.run_file.read_text())[name]

    def pid(self, name: str) -> int:
        """The process that plays this part now."""
        return int(self.door("pids")[name])

    def kill(self, name: str, number: int) -> int:
        """Sends a signal to that process; returns its id."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    async def replaced(self, name: str, pid: int) -> None:
        """Waits until another process has taken the place of `pid` and, if it is a service, is ready."""
        await eventually(lambda: self.run_file.exists() and self.pid(name) != pid, PATIENCE_S, f"{name} restarts")
        if name in ("ingest", "identity", "profile", "triggers"):
            await eventually(lambda: self.is_ready(name), PATIENCE_S, f"{name} is ready")

    async def is_ready(self, service: str) -> bool:
        try:
            return (await self.http.get(f"{self.door(service)}/ready")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def event(self, name: str, user: str | None = None, properties: Json | None = None, **more: Any) -> Json:
        """A track call that happens now."""
        said = {"type": "track", "event": name, "messageId": unique("m"), "timestamp": self.clock.now().isoformat()}
        who = {"userId": user} if user else {}
        return {**said, **who, "properties": properties or {}, **more}

    async def send(self, events: Sequence[Json], key: str = "server", per_request: int = 50) -> None:
        """Sends as an SDK does: in batches, each until it is answered 200. Returns when all are acknowledged."""
        for start in range(0, len(events), per_request):
            body = {"batch": list(events[start : start + per_request])}
            await eventually(lambda body=body: self._accepted(body, key), PATIENCE_S, "events are acknowledged")  # type: ignore[misc]

    async def _accepted(self, body: Json, key: str) -> bool:
        try:
            answer = await self.post(body, key)
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == httpx.codes.OK

    async def post(self, body: Json, key: str = "server", path: str = "/v1/batch") -> httpx.Response:
        """One request, whatever the answer."""
        return await self.http.post(f"{self.door('ingest')}{path}", json=body, auth=(self.door("write_keys")[key], ""))

    async def ask(self, service: str, path: str, **query: str) -> Json | None:
        """A bearer's GET, again while it is answered 503, as a client should; None for 404."""
        headers = {"authorization": f"Bearer {self.door('api_token')}"}

        async def answered() -> httpx.Response | None:
            answer = await self.http.get(f"{self.door(service)}{path}", params=query, headers=headers)
            return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        answer = await eventually(answered, PATIENCE_S, f"{service} answers")
        assert answer is not None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        assert answer.status_code == httpx.codes.OK, answer.text
        found: Json = answer.json()
        return found

    async def profile(self, namespace: str, value: str) -> Json | None:
        return await self.ask("profile", f"/v1/profiles/by/{namespace}/{value}")

    async def customer(self, namespace: str, value: str) -> Json | None:
        return await self.ask("identity", f"/v1/customers/by/{namespace}/{value}")

    async def decisions(self, customer_id: str) -> list[Json]:
        found = await self.ask("triggers", "/v1/decisions", customer_id=customer_id)
        assert found is not None
        return list(found["decisions"])

    async def safe_time(self) -> datetime | None:
        try:
            found = await self.ask("triggers", "/v1/clock/next")
        except httpx.TransportError:
            return None
        return datetime.fromisoformat(found["safe_time"]) if found and found["safe_time"] else None

    async def settled(self) -> None:
        """Waits until everything acknowledged by now has been taken into account, end to end."""
        now = self.clock.now()

        async def reached() -> bool:
            safe = await self.safe_time()
            return safe is not None and safe >= now

        await eventually(reached, PATIENCE_S * 2, f"safe time reaches {now.isoformat()}")

    async def advance(self, by: timedelta) -> None:
        """Moves virtual time in lock step with safe time, as `tern clock advance` does."""
        bearer = {"authorization": f"Bearer {self.door('api_token')}"}
        async with httpx.AsyncClient(base_url=self.door("triggers"), headers=bearer, timeout=10) as http:
            await clock.advance([clock.HttpDoor("triggers", http)], self.clock, by)

    async def triggers(self) -> list[Json]:
        """Everything on the trigger topics, read from their start by a plain consumer without a group."""
        topics = [f"tern.triggers.{family}.v1" for family in FAMILIES]
        consumer = AIOKafkaConsumer(*topics, bootstrap_servers=self.door("kafka"), auto_offset_reset="earliest")
        await consumer.start()
        try:
            return [json.loads(record.value) async for record in read_all(consumer)]
        finally:
            await consumer.stop()

    async def triggers_for(self, customer_id: str) -> list[Json]:
        return [event for event in await self.triggers() if event["subject"] == customer_id]


async def read_all(consumer: AIOKafkaConsumer) -> AsyncIterator[ConsumerRecord]:
    """What its topics hold by now, from where it stands."""
    places = await eventually(consumer.assignment, 10, "the topics have partitions")
    ends = await consumer.end_offsets(places)
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                yield record


@asynccontextmanager
async def background(*steps: Any) -> AsyncIterator[None]:
    """Runs coroutines beside the block, and waits for them at its end."""
    async with asyncio.TaskGroup() as tasks:
        for step in steps:
            tasks.create_task(step)
        yield


def filled_cart(shop: Shop, user: str, cart_id: str) -> list[Json]:
    """She says yes to e-mail, fills a cart, and leaves her address."""
    mug = {"product_id": "mug", "name": "Mug", "price": 9.5, "quantity": 2}
    return [
        shop.event("Consent Granted", user, {"channel": "email"}),
        shop.event("Cart Updated", user, {"cart_id": cart_id, "products": [mug]}),
        shop.event("", user, type="identify", traits={"email": f"{user or unique('guest')}@shop.example"}),
    ]


def order(shop: Shop, user: str, cart_id: str, **more: Any) -> Json:
    """She pays."""
    properties = {"order_id": f"order-{cart_id}", "cart_id": cart_id, "total": 19}
    return shop.event("Order Completed", user, properties, **more)


def shuffled(seed: int, events: Sequence[Json], copies: float) -> list[Json]:
    """The events in another order, a share of them twice."""
    chance = random.Random(seed)
    found = [*events, *(event for event in events if chance.random() < copies)]
    chance.shuffle(found)
    return found


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
