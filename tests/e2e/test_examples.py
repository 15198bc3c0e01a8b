"""What the README and `examples/` show works as it stands there."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from support.names import unique
from support.node import node, with_packages
from support.shop import HOUR, Json, Shop, filled_cart, order, read_all
from support.waiting import eventually
from tern_common.topics import OUTCOMES, triggers_topic
from tern_triggers.domain.contract import CONTENT_TYPE

EXAMPLES = Path(__file__).parents[2] / "examples"
CARTS, LOYALTY = triggers_topic("cart"), triggers_topic("loyalty")
PATIENCE_S = 60


async def test_the_first_event_and_the_subscriber_of_the_readme_work_as_they_stand_there(
    shop: Shop, tmp_path: Path
) -> None:
    first = [sys.executable, str(EXAMPLES / "first_event.py"), str(shop.run_file)]
    await asyncio.to_thread(subprocess.run, first, check=True, timeout=60)
    await shop.settled()
    await shop.advance(2 * HOUR)
    customer = await shop.customer("user_id", "customer-1")
    assert customer
    printed = tmp_path / "printed"
    with printed.open("w") as output:
        subscriber = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, str(EXAMPLES / "subscriber.py"), shop.door("kafka")], stdout=output
        )
        line = f"tern.trigger.fired.v1 cart_abandoned {customer['customer_id']}"
        try:
            await eventually(lambda: line in printed.read_text(), 30, "the subscriber prints the trigger")
        finally:
            subscriber.kill()
            subscriber.wait()
    assert "cart_abandoned about cart-1:" in (said := await explained(shop, "user_id:customer-1"))
    assert "fired on" in said


async def explained(shop: Shop, whom: str) -> str:
    """What the README's question is answered, as it stands there."""
    tern = [sys.executable, "-m", "tern_cli", "--run-file", str(shop.run_file)]
    asked = [*tern, "triggers", "explain", whom, "cart_abandoned"]
    done = await asyncio.to_thread(subprocess.run, asked, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture(params=["python", "node"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """How the sample subscriber is started, in each of its languages."""
    if request.param == "python":
        return [sys.executable, str(EXAMPLES / "marketing.py")]
    return [node(), str(with_packages(EXAMPLES / "node", tmp_path / "node") / "marketing.mjs")]


class Marketing:
    """A running sample, and what it has printed."""

    def __init__(self, printed: Path) -> None:
        self._printed = printed

    def lines(self) -> list[str]:
        return self._printed.read_text().splitlines()

    async def says(self, *lines: str) -> None:
        await eventually(lambda: set(lines) <= set(self.lines()), PATIENCE_S, f"it says {lines}")


@contextmanager
def marketing(shop: Shop, command: list[str], tmp_path: Path) -> Iterator[Marketing]:
    """Runs it with the same inbox each time and a consumer group of its own, so that it reads all there is again."""
    where = {
        "KAFKA": shop.door("kafka"),
        "TRIGGERS": shop.door("triggers"),
        "TOKEN": shop.door("api_token"),
        "GROUP": unique("marketing"),
    }
    printed = tmp_path / where["GROUP"]
    with printed.open("w") as output:
        process = subprocess.Popen([*command, str(tmp_path / "inbox.sqlite")], stdout=output, env=os.environ | where)
    try:
        yield Marketing(printed)
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def sending(shop: Shop) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=shop.door("kafka"))
    async with producer:
        yield producer


async def on_topic(shop: Shop, topic: str) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=shop.door("kafka"), auto_offset_reset="earliest")
    async with consumer:
        return [record async for record in read_all(consumer)]


def shoppers(shop: Shop) -> dict[str, list[Json]]:
    """More than are needed, each with a filled cart and an address: some are held out, so that the arms compare."""
    users = [unique("shopper") for _ in range(10)]
    return {
        user: [
            shop.event("", user, type="identify", traits={"email": f"{user}@shop.example"}),
            *filled_cart(shop, user, f"cart-{user}"),
        ]
        for user in users
    }


async def reminded(shop: Shop, users: Iterable[str]) -> dict[str, ConsumerRecord]:
    """The first trigger about each user of whom there is one, as it stands on its topic."""
    fired = {record.key: record for record in await on_topic(shop, CARTS) if b"tern.trigger.fired.v1" in record.value}
    found = {}
    for user in users:
        customer = await shop.customer("user_id", user)
        assert customer
        if record := fired.get(customer["customer_id"].encode()):
            found[user] = record
    return found


def another(record: ConsumerRecord, expires: datetime) -> tuple[str, bytes]:
    """(id, value) of a trigger like this one that expires then."""
    event: Json = msgspec.json.decode(record.value)
    event["id"] = event["data"]["trigger_id"] = str(uuid5(NAMESPACE_URL, unique("trigger")))
    event["data"]["timing"]["expires_at"] = expires.isoformat()
    return event["id"], msgspec.json.encode(event)


async def publish(shop: Shop, like: ConsumerRecord, value: bytes, topic: str = CARTS) -> None:
    """To the same partition: behind all that is there about this customer."""
    headers = [("content-type", CONTENT_TYPE.encode())]
    async with sending(shop) as producer:
        await producer.send_and_wait(topic, value, like.key, partition=like.partition, headers=headers)


async def test_a_sample_subscriber_sends_once_what_is_due_drops_what_was_taken_back_and_reports(
    shop: Shop, command: list[str], tmp_path: Path
) -> None:
    users = shoppers(shop)
    await shop.send([event for events in users.values() for event in events])
    early: dict[str, Any] = {"timestamp": (shop.clock.now() + timedelta(minutes=1)).isoformat()}
    await shop.settled()
    await shop.advance(2 * HOUR)
    fired = await reminded(shop, users)
    ann, bea, cem, *_ = fired
    await shop.send([order(shop, bea, f"cart-{bea}"), order(shop, cem, f"cart-{cem}", **early)])
    await shop.settled()

    ids = {user: msgspec.json.decode(fired[user].value)["id"] for user in (ann, bea, cem)}
    await publish(shop, fired[ann], fired[ann].value)
    expired, stale = another(fired[ann], datetime(2020, 1, 1, tzinfo=UTC))
    await publish(shop, fired[ann], stale, LOYALTY)

    with marketing(shop, command, tmp_path) as first:
        await first.says(
            f"sent {ids[ann]}", f"dropped {ids[bea]} ordered", f"dropped {ids[cem]} ordered", f"skipped {expired}"
        )
        sent = f'"trigger_id":"{ids[ann]}","status":"sent"'.encode()

        async def reported() -> bool:
            return any(sent in record.value for record in await on_topic(shop, OUTCOMES))

        await eventually(reported, PATIENCE_S, "the outcome is on its topic")
        assert first.lines().count(f"sent {ids[ann]}") == 1

    marker, value = another(fired[ann], shop.clock.now() + timedelta(days=365))
    await publish(shop, fired[ann], value)
    with marketing(shop, command, tmp_path) as second:
        await second.says(f"sent {marker}")
        assert not [line for line in second.lines() if any(one in line for one in (*ids.values(), expired))]
