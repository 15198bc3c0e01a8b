"""Identity, profile and triggers of two workers each: as if each were one process, also when a worker dies."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Raw

from integration.triggers.operating import begin_where_the_group_stands, token
from support.crews import Crew, crew
from support.groups import Ask, coordinators
from support.names import unique
from support.processes import ended
from support.waiting import eventually
from tern_common import topics
from tern_common.bus import Bus, Message
from tern_common.clock import SystemClock
from tern_common.db import Pool, connection, open_pool
from tern_common.events import Event, encode
from tern_common.kafka import kafka_bus
from tern_common.topics import EVENTS, RESOLVED

SERVICES = ("identity", "profile", "triggers")
PERSONS = 20
ASKED = 6
"""Connections: the kernel deals them out."""
LEFT_AGO = timedelta(hours=2)
PATIENCE_S = 30.0


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[Bus]:
    async with kafka_bus(kafka_bootstrap, unique("shop")) as opened:
        await opened.log.create(topics.TABLE)
        yield opened


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database, service="triggers", size=2)
    yield opened
    await opened.close()


@pytest.fixture
async def crews(
    bus: Bus, pool: Pool, database: str, kafka_bootstrap: str, tmp_path: Path
) -> AsyncIterator[dict[str, Crew]]:
    """The three, each with two workers, on a clock that could be moved."""
    await begin_where_the_group_stands(bus, pool)
    environment = {
        "TERN_DATABASE_URL": database,
        "TERN_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "TERN_HASH_KEY": "a key for tests only",
        "TERN_SEALING_KEYS": f"test:{base64.b64encode(bytes(32)).decode()}",
        "TERN_PROGRESS_INTERVAL_MS": "200",
        "TERN_DEPLOYMENT": "development",
        "TERN_CLOCK_FILE": str(tmp_path / "clock"),
    }
    async with AsyncExitStack() as stack:
        yield {service: await stack.enter_async_context(crew(service, 2, environment)) for service in SERVICES}


async def test_workers_share_the_work_and_one_that_is_killed_loses_and_doubles_nothing(
    crews: dict[str, Crew], bus: Bus, pool: Pool, kafka_bootstrap: str
) -> None:
    carts = [unique("cart") for _ in range(PERSONS)]
    starts = await bus.log.ends(RESOLVED)
    async with coordinators(kafka_bootstrap) as hands:
        await _all_share(hands)
        first = await _leave(bus, carts[: PERSONS // 2])
        await _resolved(bus, starts, first)
        await eventually(lambda: _filed(crews["identity"], len(first)), PATIENCE_S, "the workers' counts add up")
        dead = [crews[service].kill_one() for service in ("identity", "triggers")]
        second = await _leave(bus, carts[PERSONS // 2 :])
        await _resolved(bus, starts, first | second)
        await eventually(lambda: _decided(pool, carts), PATIENCE_S, "all carts are decided about")
        for pid in dead:
            await ended(pid, 5)
        await _clocks_agree(crews, pool)
        await _fired_once(bus, pool, carts)
        await _all_share(hands)
    assert [await crews[service].stopped() for service in SERVICES] == [0, 0, 0]


async def _all_share(hands: Ask) -> None:
    """Returns when each service's group has two members, each with places of its own."""
    for service in SERVICES:

        async def two(group: str = service) -> bool:
            dealt = await hands(group)
            return len(dealt) == 2 and all(dealt) and not dealt[0] & dealt[1]

        await eventually(two, PATIENCE_S, f"two workers of {service} share what it reads")


async def _leave(bus: Bus, carts: Sequence[str]) -> set[str]:
    """Somebody leaves each of these carts behind; returns the message ids of what they said before."""
    at = SystemClock().now() - LEFT_AGO
    events = [event for cart in carts for event in _left(cart, at)]
    await bus.producer.send([Message(EVENTS, str(event.user_id).encode(), encode(event)) for event in events])
    return {event.message_id for event in events}


def _left(cart: str, at: datetime) -> list[Event]:
    """She leaves her address, says yes to e-mail, and fills it."""
    said = Event(
        message_id=unique("m"),
        type="identify",
        event_time=at,
        received_at=at,
        source_id="shop",
        trusted=True,
        user_id=cart,
        traits=_raw({"email": f"{cart}@shop.example"}),
    )
    items = [{"product_id": "mug", "name": "Mug", "price": 9.5, "quantity": 1}]
    return [
        said,
        _track(said, "Consent Granted", {"channel": "email"}),
        _track(said, "Cart Updated", {"cart_id": cart, "products": items}),
    ]


def _track(said: Event, name: str, properties: dict[str, Any]) -> Event:
    return msgspec.structs.replace(
        said, message_id=unique("m"), type="track", name=name, traits=_raw({}), properties=_raw(properties)
    )


def _raw(value: dict[str, Any]) -> Raw:
    return Raw(msgspec.json.encode(value))


async def _resolved(bus: Bus, starts: dict[int, int], messages: set[str]) -> None:
    """Returns when all of them stand on the topic."""
    left = set(messages)
    async with asyncio.timeout(PATIENCE_S):
        async for record in bus.tail(RESOLVED, starts=starts):
            left.discard(record.header("message-id") or "")
            if not left:
                return


async def _filed(identity: Crew, least: int) -> bool:
    return await identity.counted("tern_identity_events_total") >= least


async def _decided(pool: Pool, carts: Sequence[str]) -> bool:
    """Whether there is a decision about each. Fails when there are two about any."""
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT key FROM decision WHERE key = ANY($1::text[])", carts)
    found = Counter(row[0] for row in rows)
    assert set(found.values()) <= {1}
    return len(found) == len(carts)


async def _clocks_agree(crews: dict[str, Crew], pool: Pool) -> None:
    """Whichever worker is asked soon knows all that had been acknowledged by now: one moves the clock by what any of
    them says."""
    moment, headers = SystemClock().now(), await token(pool, "read")
    each_by_its_own = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(trust_env=False, headers=headers, limits=each_by_its_own) as http:
        for service, running in crews.items():

            async def reached(address: str = running.address) -> bool:
                answers = [(await http.get(f"{address}/v1/clock/next")).raise_for_status() for _ in range(ASKED)]
                return all(datetime.fromisoformat(answer.json()["safe_time"]) >= moment for answer in answers)

            await eventually(reached, PATIENCE_S, f"the workers of {service} know that the clock may go on")


async def _fired_once(bus: Bus, pool: Pool, carts: Sequence[str]) -> None:
    """Each trigger that was decided stands on Kafka under its own id: a second time perhaps, another never."""
    async with connection(pool) as conn:
        rows = await conn.fetch(
            "SELECT key, trigger_id FROM decision WHERE outcome = 'fired' AND key = ANY($1::text[])", carts
        )
    decided = {(row[0], str(row[1])) for row in rows}
    assert decided
    published = set[tuple[str, str]]()
    async with asyncio.timeout(PATIENCE_S):
        async for record in bus.tail(topics.triggers_topic("cart")):
            event = msgspec.json.decode(record.value)
            if (key := event["data"]["reason"]["key"]) in carts:
                published.add((key, event["id"]))
            if published >= decided:
                break
    assert published == decided
