"""How fast each consumer drains a preloaded topic, against a Postgres `unnest` upsert of as many rows in one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from statistics import median

from load import traffic
from load.rig import CONSUMERS, LOOK_S, Rig
from tern_common.bus import Message
from tern_common.clock import SystemClock
from tern_common.db import Pool, connection, open_pool, transaction
from tern_common.events import Event, encode
from tern_common.topics import EVENTS

EVENTS_COUNT = 50_000
PERSONS = 15_000
BATCH = 2_000
FLOOR_ROUNDS = 3
AIM = 0.25

_UPSERT = """
INSERT INTO floor AS f (id, at, n)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[])
ON CONFLICT (id) DO UPDATE SET at = greatest(f.at, excluded.at), n = f.n + excluded.n
"""


async def measure(rig: Rig) -> list[dict[str, object]]:
    """One row per consumer. Each runs alone; what it reads was written before it started."""
    await rig.drained()
    await rig.only()
    events = list(traffic.events(seed=1, count=EVENTS_COUNT, end=rig.clock.now(), persons=PERSONS))
    await preload(rig, events)
    return [await _drain(rig, service, events) for service in CONSUMERS]


async def _drain(rig: Rig, service: str, events: Sequence[Event]) -> dict[str, object]:
    """From its first commit to its last: joining the group is not draining. The floor is measured just before."""
    floor = await floor_rate(rig, events)
    records = left = await rig.behind(service)
    await rig.only(service)
    while left == records:
        await rig.clock.sleep(LOOK_S / 5)
        left = await rig.behind(service)
    begun = rig.usage()
    await rig.drained([service])
    used = rig.usage().since(begun)
    drained = round(EVENTS_COUNT * left / records)
    rate = drained / used.at
    await rig.only()
    return {
        "what": f"{service}, drained",
        "figure": f"{rate:,.0f} events/s ({left:,} records)",
        "floor": f"{floor:,.0f} rows/s",
        "ratio": round(rate / floor, 3),
        "aim": AIM,
        **used.row(drained),
    }


async def preload(rig: Rig, events: Iterable[Event], key: str | None = None) -> None:
    """Writes events to the topic as ingest would; with a `key` all of them under that one."""
    stream = iter(events)
    while batch := list(islice(stream, BATCH)):
        await rig.bus.producer.send([_message(event, key) for event in batch])


def _message(event: Event, key: str | None) -> Message:
    key = key or event.user_id or event.anonymous_id or event.message_id
    return Message(EVENTS, key.encode(), encode(event), (("message-id", event.message_id.encode()),))


async def floor_rate(rig: Rig, events: Sequence[Event]) -> float:
    """The middle of three rounds of the floor, in rows per second."""
    return median([await _upsert_rate(rig.platform.postgres, events) for _ in range(FLOOR_ROUNDS)])


async def _upsert_rate(url: str, events: Iterable[Event]) -> float:
    """One table, one statement and one commit per batch, and nothing else."""
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
