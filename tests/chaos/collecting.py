"""Reads the evidence from Kafka, the database and HTTP, after everything has come to rest."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

from chaos.evidence import Call, Evidence, Identifier, Letter, Made
from chaos.sending import Told
from chaos.watching import Look
from support.shop import Json, read_all
from tern_common.db import Pool, connection, open_pool
from tern_common.events import Event, decode_event
from tern_common.topics import EVENTS, FAMILIES, triggers_topic
from tern_local.platform import Platform
from tern_triggers.domain.decisions import Outcome

_AT_ONCE = 8
_MADE = """
SELECT trigger_id, rule, key, about, step, cycle_ref, customer_id, started, anchor, due, outcome, reason, decided_at,
  retracted_at, cancelled_at
FROM triggers.decision WHERE rule LIKE 'chaos%' AND outcome <> $1 ORDER BY decided_at, step
"""


async def collect(platform: Platform, told: Told, looks: Sequence[Look], rest: datetime) -> Evidence:
    """Everything there is to judge."""
    events = await _events(platform.kafka)
    calls = [Call(events[one], told.sent[one], acked) for one, acked in told.acked.items() if one in events]
    identifiers = sorted({identifier for call in calls for identifier in identifiers_of(call.event)})
    pool = await open_pool(platform.postgres, service="public", size=1)
    try:
        made, stored = await _made(pool), await _stored(pool)
    finally:
        await pool.close()
    doors = _Doors(platform)
    try:
        customers = await doors.customers(identifiers)
        counts = await doors.counts({customer for customer in customers.values() if customer is not None})
    finally:
        await doors.close()
    letters = await _letters(platform.kafka)
    unsaid = sorted(told.acked.keys() - events.keys())
    return Evidence(calls, made, letters, customers, stored, counts, looks, rest, unsaid)


def identifiers_of(event: Event) -> list[Identifier]:
    """What an event says about who it is."""
    email = json.loads(bytes(event.traits)).get("email") if event.traits else None
    said = (("user_id", event.user_id), ("anonymous_id", event.anonymous_id), ("email", email))
    return [(namespace, value) for namespace, value in said if value]


async def _events(kafka: str) -> dict[str, Event]:
    """By message id; the first copy of each."""
    found: dict[str, Event] = {}
    for record in await _read(kafka, [EVENTS]):
        event = decode_event(record.value)
        found.setdefault(event.message_id, event)
    return found


async def _letters(kafka: str) -> list[Letter]:
    found = []
    for record in await _read(kafka, [triggers_topic(family) for family in FAMILIES]):
        said = json.loads(record.value)
        if said["data"]["rule"].startswith("chaos"):
            place = (record.topic, record.partition)
            trigger_id, key = said["data"]["trigger_id"], record.key.decode()
            found.append(Letter(said["id"], said["type"], trigger_id, key, place, record.offset, record.value))
    return found


async def _read(kafka: str, topics: Sequence[str]) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [record async for record in read_all(consumer)]
    finally:
        await consumer.stop()


async def _made(pool: Pool) -> list[Made]:
    async with connection(pool) as conn:
        rows = await conn.fetch(_MADE, Outcome.ENDED)
    return [Made(*map(_plain, row)) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value if value is None or isinstance(value, str | int) else str(value)


async def _stored(pool: Pool) -> Counter[str]:
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT message_id, count(*) FROM profile.event GROUP BY message_id")
    return Counter({row[0]: row[1] for row in rows})


class _Doors:
    """The reading doors of identity and profile."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        bearer = {"authorization": f"Bearer {platform.api_token}"}
        self._http = httpx.AsyncClient(headers=bearer, timeout=10, trust_env=False)
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        await self._http.aclose()

    async def customers(self, identifiers: Sequence[Identifier]) -> dict[Identifier, str | None]:
        """Whose each is."""
        address = self._platform.services["identity"]
        asked = [self._ask(f"{address}/v1/customers/by/{space}/{value}") for space, value in identifiers]
        found = await asyncio.gather(*asked)
        return {one: said["customer_id"] if said else None for one, said in zip(identifiers, found, strict=True)}

    async def counts(self, customers: Iterable[str]) -> dict[str, dict[str, int]]:
        """How often each did what."""
        known, address = sorted(customers), self._platform.services["profile"]
        found = await asyncio.gather(*(self._ask(f"{address}/v1/profiles/{one}") for one in known))
        return {one: said["counts"] if said else {} for one, said in zip(known, found, strict=True)}

    async def _ask(self, address: str) -> Json | None:
        async with self._room:
            answer = await self._http.get(address)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: Json = answer.raise_for_status().json()
        return found
