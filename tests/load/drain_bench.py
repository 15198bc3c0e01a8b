"""How fast each consumer drains a preloaded topic, against a Postgres `unnest` upsert of as many rows in one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from load import traffic
from load.rig import CONSUMERS, Rig
from tern_common.bus import Message
from tern_common.clock import SystemClock
from tern_common.db import Pool, connection, open_pool, transaction
from tern_common.events import Event, encode
from tern_common.topics import EVENTS, PROFILES, RESOLVED

EVENTS_COUNT = 60_000
PERSONS = 15_000
BATCH = 2_000
READS = {"identity": (EVENTS,), "profile": (RESOLVED,), "triggers": (RESOLVED, PROFILES)}
AIM = 0.25

_UPSERT = """
INSERT INTO floor AS f (id, at, n)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[])
ON CONFLICT (id) DO UPDATE SET at = greatest(f.at, excluded.at), n = f.n + excluded.n
"""


async def measure(rig: Rig) -> list[dict[str, object]]:
    """One row per consumer. Each runs alone; what it reads was written before it started."""
    await rig.only()
    for service in CONSUMERS:
        await _caught_up(rig, service)
    await preload(rig, traffic.events(seed=1, count=EVENTS_COUNT, persons=PERSONS))
    floor = await upsert_rate(rig.platform.postgres, traffic.events(seed=1, count=EVENTS_COUNT, persons=PERSONS))
    return [await _drain(rig, service, floor) for service in CONSUMERS]


async def _caught_up(rig: Rig, service: str) -> None:
    await rig.only(service)
    await rig.drained(service, READS[service])
    await rig.only()


async def _drain(rig: Rig, service: str, floor: float) -> dict[str, object]:
    records = await rig.behind(service, READS[service])
    cpu = rig.cpu_seconds()
    await rig.only(service)
    seconds = await rig.drained(service, READS[service])
    cpu_us = (rig.cpu_seconds() - cpu) / EVENTS_COUNT * 1e6
    await rig.only()
    rate = EVENTS_COUNT / seconds
    return {
        "what": f"{service}, drained",
        "figure": f"{rate:,.0f} events/s ({records:,} records)",
        "floor": f"{floor:,.0f} rows/s",
        "ratio": round(rate / floor, 3),
        "aim": AIM,
        "cpu_us_per_event": round(cpu_us),
    }


async def preload(rig: Rig, events: Iterable[Event]) -> None:
    """Writes events to the topic as ingest would."""
    stream = iter(events)
    while batch := list(islice(stream, BATCH)):
        await rig.bus.producer.send([_message(event) for event in batch])


def _message(event: Event) -> Message:
    key = event.user_id or event.anonymous_id or event.message_id
    return Message(EVENTS, key.encode(), encode(event), (("message-id", event.message_id.encode()),))


async def upsert_rate(url: str, events: Iterable[Event]) -> float:
    """Rows per second of the floor: one table, one statement and one commit per batch, and nothing else."""
    rows = [(event.message_id, event.event_time, 1) for event in events]
    pool = await open_pool(url, service="public", size=1)
    try:
        async with connection(pool) as conn:
            await conn.execute("DROP TABLE IF EXISTS floor")
            await conn.execute("CREATE TABLE floor (id text PRIMARY KEY, at timestamptz, n bigint)")
        return await _timed(pool, rows)
    finally:
        await pool.close()


async def _timed(pool: Pool, rows: Sequence[tuple[object, ...]]) -> float:
    clock = SystemClock()
    begun = clock.monotonic()
    for start in range(0, len(rows), BATCH):
        async with transaction(pool) as conn:
            await conn.execute(_UPSERT, *map(list, zip(*rows[start : start + BATCH], strict=True)))
    return len(rows) / (clock.monotonic() - begun)
