"""How late a timed trigger is: a cart rule of two seconds in real time, from when it is due to a subscriber's hands.

Once with nothing beside it, and once while old orders are imported.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec

from load import calls
from load.rig import DRAIN_LIMIT_S, Rig, load
from tern_common.bus import Message
from tern_common.clock import SystemClock
from tern_common.db import connection, open_pool
from tern_common.events import Event, encode
from tern_common.kafka import kafka_bus
from tern_common.topics import EVENTS_BACKFILL, RESOLVED_BACKFILL, triggers_topic
from tern_local.folder import Folder
from tern_local.platform import open_platform
from tern_local.supervisor import Say
from tern_triggers.tables import SCHEMA

RATE = 20.0
SECONDS = 15.0
CARTS = int(RATE * SECONDS)
LIMIT_S = 30.0
ORDERS = 100_000
ORDERS_EACH = 5
BATCH = 2_000
SLOWEST = 500.0
"""Orders per second: a slower import is taken for one that does not move."""
OLDEST, NEWEST = timedelta(days=900), timedelta(days=200)
LANE = (
    ("identity-backfill", EVENTS_BACKFILL),
    ("profile-backfill", RESOLVED_BACKFILL),
    ("triggers-backfill", RESOLVED_BACKFILL),
)
AIM_P99_MS = 2_100.0  # after its round: what the model of the design needs with no faults (triggers.md §8)

RULE = """\
rule: cart_abandoned
kind: inactivity
family: cart
key: cart_id
fold: cart
purpose: marketing
channels: [email]
steps:
  - {after: 2s, expires_after: 1h}
"""
POLICY = """\
version: 1
grace: 0s
slot: 1s
"""


async def measure(say: Say, orders: int = ORDERS) -> list[dict[str, object]]:
    """Two rows, from a platform of its own with this rule and policy; beside the second so many orders come in."""
    async with _platform(say) as rig:
        alone = await _carts(rig, "alone")
        say(f"the same beside an import of {orders:,} orders")
        await _import(rig, orders)
        beside = await _carts(rig, "import")
        left = [await rig.lag(group, topic) for group, topic in LANE]
        await rig.drained(limit_s=DRAIN_LIMIT_S + orders / SLOWEST)
        await _verify(rig, orders)
    was = ", ".join(f"{count:,} {group}" for count, (group, _) in zip(left, LANE, strict=True))
    beside["figure"] = f"{beside['figure']}; records to go at its end: {was}"
    return [
        {"what": f"timed trigger on Kafka, {RATE:.0f} carts/s, slot 1 s", **alone},
        {"what": f"the same, {orders:,} old orders being imported", **beside},
    ]


async def _carts(rig: Rig, name: str) -> dict[str, object]:
    begun = rig.usage()
    requests = [_cart(f"{name}-{number}", rig.platform.write_keys["server"]) for number in range(CARTS)]
    receiving = asyncio.ensure_future(_receive(rig, {f"{name}-{number}" for number in range(CARTS)}))
    await load(rig.ingest_port, 4, SECONDS, RATE, requests)
    seen = await receiving
    used = rig.usage().since(begun)
    due, turn = (sorted(found) for found in zip(*seen, strict=True))
    return {
        "figure": f"after its round: {shown(turn)}; after it was due: {shown(due)}",
        "aim": f"p99 {AIM_P99_MS:,.0f} ms",
        "p99_ms": round(at(turn, 0.99)),
        **used.disturbance(),
    }


async def _import(rig: Rig, count: int) -> None:
    """All of them stand in the lane before the first cart comes, and are taken from it as fast as can be."""
    stream = _orders(rig.clock.now(), count)
    while batch := list(islice(stream, BATCH)):
        await rig.bus.producer.send([_message(event) for event in batch])


def _orders(now: datetime, count: int) -> Iterator[Event]:
    for number in range(count):
        yield Event(
            message_id=f"imported-{number}",
            type="track",
            event_time=now - OLDEST + number * (OLDEST - NEWEST) / count,
            received_at=now,
            source_id="load",
            trusted=True,
            name="Order Completed",
            user_id=f"imported-{number % (count // ORDERS_EACH + 1)}",
            mode="backfill",
            properties=msgspec.Raw(
                b'{"order_id":"imported-%d","total":19.5,"currency":"EUR",'
                b'"products":[{"product_id":"mug","price":9.75,"quantity":2}]}' % number
            ),
        )


def _message(event: Event) -> Message:
    key = (event.user_id or event.message_id).encode()
    headers = (("message-id", event.message_id.encode()), ("mode", event.mode.encode()))
    return Message(EVENTS_BACKFILL, key, encode(event), headers)


async def _verify(rig: Rig, orders: int) -> None:
    """Raises unless each imported order is a fact."""
    pool = await open_pool(rig.platform.postgres, service=SCHEMA, size=1)
    try:
        async with connection(pool) as conn:
            kept = await conn.fetchval("SELECT count(*) FROM fact WHERE kind = 'order' AND passive")
    finally:
        await pool.close()
    if kept != orders:
        raise AssertionError(f"{orders} orders imported, {kept} stored")


@asynccontextmanager
async def _platform(say: Say) -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as home:
        async with (
            Folder(Path(home, "data")) as folder,
            open_platform(folder, say, environment={"triggers": _configuration(Path(home))}) as platform,
            kafka_bus(platform.kafka, "bench") as bus,
        ):
            yield Rig(platform, bus, SystemClock())


def _configuration(home: Path) -> dict[str, str]:
    """The rule and the policy as files, and the variables that name them."""
    rules, policy = home / "rules", home / "policy.yaml"
    rules.mkdir()
    (rules / "cart.yaml").write_text(RULE)
    policy.write_text(POLICY)
    return {"TERN_RULES_DIR": str(rules), "TERN_POLICY_FILE": str(policy)}


def _cart(name: str, write_key: str) -> bytes:
    """A customer of whom nothing is known signs up, grants e-mail and fills a cart, all now."""
    shopper = {"userId": name}
    cart = {"cart_id": name, "product_id": "mug", "price": 9.5, "quantity": 1}
    said: list[dict[str, object]] = [
        {"type": "identify", "traits": {"email": f"{name}@shop.example"}},
        {"type": "track", "event": "Consent Granted", "properties": {"channel": "email"}},
        {"type": "track", "event": "Product Added", "properties": cart},
    ]
    body = {"batch": [{**shopper, "messageId": f"{name}-{place}", **one} for place, one in enumerate(said)]}
    return calls.request("batch", calls.JSON.encode(body), write_key)


async def _receive(rig: Rig, carts: Collection[str]) -> list[tuple[float, float]]:
    """Milliseconds from due, and from the round, until the trigger of each cart was in a subscriber's hands."""
    seen: dict[str, tuple[float, float]] = {}
    async with asyncio.timeout(SECONDS + LIMIT_S), aclosing(rig.bus.tail(triggers_topic("cart"))) as records:
        async for record in records:
            event = msgspec.json.decode(record.value)
            timing, arrived = event["data"]["timing"], rig.clock.now()
            if event["data"]["reason"]["key"] not in carts:
                continue
            seen.setdefault(event["id"], (_ms(arrived, timing["due_at"]), _ms(arrived, timing["round_at"])))
            if len(seen) == len(carts):
                break
    return list(seen.values())


def _ms(arrived: datetime, written: str) -> float:
    return (arrived - datetime.fromisoformat(written)).total_seconds() * 1000


def at(ranked: Sequence[float], share: float) -> float:
    """The value below which that share of the ranked ones lies."""
    return ranked[int((len(ranked) - 1) * share)]


def shown(ranked: Sequence[float]) -> str:
    """Ranked milliseconds in words."""
    return f"p50 {at(ranked, 0.5):,.0f}, p99 {at(ranked, 0.99):,.0f}, max {ranked[-1]:,.0f} ms"
