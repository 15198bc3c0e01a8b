"""From the answer to an event that is a reason by itself to its trigger on Kafka, in a stream of other events.

Open loop; the shipped rule `detractor` decides. Counts from when the client had its 200 until a plain consumer has the
trigger: both moments are of the monotonic clock that all processes of the machine share. The first seconds warm up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import aclosing
from datetime import timedelta

import msgspec

from load import calls, traffic
from load.drain_bench import PERSONS
from load.lateness_bench import at, shown
from load.rig import CONSUMERS, Rig, load, shares
from tern_common.events import Event
from tern_common.topics import triggers_topic

RATE = 500
WARM_S, SECONDS = 5.0, 15.0
"""Of so long at first only the outcome counts: a service that has just begun plans its statements and knows nobody."""
EVENTS = int(RATE * (WARM_S + SECONDS))
CONNECTIONS = 64
EVERY = (10, 1)
"""One event of so many is a reason."""
LIMIT_S = 30.0
AIM_P99_MS = 250.0
_BAD = msgspec.Raw(b'{"score":3,"survey":"nps"}')


async def measure(rig: Rig) -> list[dict[str, object]]:
    """One row for each share of reasons. Each must bring its trigger, once, in the first seconds too."""
    await rig.only(*CONSUMERS)
    await rig.drained()
    return [await _stream(rig, every) for every in EVERY]


async def _stream(rig: Rig, every: int) -> dict[str, object]:
    events = list(_events(rig, every))
    reasons = {event.message_id: number for number, event in enumerate(events) if not number % every}
    requests = b"\0".join(calls.batches(events, 1, rig.platform.write_keys["server"]))
    begun, own = rig.usage(), rig.by_process()
    receiving = asyncio.ensure_future(_receive(rig, reasons.keys()))
    found = await load(rig.ingest_port, CONNECTIONS, WARM_S + SECONDS, RATE, requests, when=True)
    seen = await receiving
    await rig.drained()
    used, each = rig.usage().since(begun), shares(own, rig.by_process(), EVENTS)
    counted = {message: number for message, number in reasons.items() if number >= RATE * WARM_S}
    took = sorted((seen[message] - found["answered"][number]) * 1000 for message, number in counted.items())
    return {
        "what": f"answer to `event` trigger on Kafka, {RATE} events/s, {len(reasons) / EVENTS:.0%} of them reasons",
        "figure": f"{shown(took)} ({len(took):,} triggers); {each}",
        "aim": f"p99 {AIM_P99_MS:.0f} ms",
        "p99_ms": round(at(took, 0.99)),
        **used.row(EVENTS),
    }


def _events(rig: Rig, every: int) -> Iterator[Event]:
    """The usual traffic, in which each `every`-th event is one of a person who would not recommend the shop."""
    now = rig.clock.now() - timedelta(seconds=1)
    for number, event in enumerate(traffic.events(seed=every + 50, count=EVENTS, end=now, persons=PERSONS)):
        if number % every:
            yield event
        else:
            yield msgspec.structs.replace(
                event,
                type="track",
                name="Survey Answered",
                event_time=now,
                received_at=now,
                user_id=f"customer-{number}",
                traits=msgspec.Raw(b"{}"),
                properties=_BAD,
            )


async def _receive(rig: Rig, wanted: Collection[str]) -> dict[str, float]:
    """When the trigger of each of these events was in a subscriber's hands. Raises when one came twice."""
    seen: dict[str, float] = {}
    async with (
        asyncio.timeout(WARM_S + SECONDS + LIMIT_S),
        aclosing(rig.bus.tail(triggers_topic("service"))) as records,
    ):
        async for record in records:
            fired = msgspec.json.decode(record.value)
            cycle = fired["data"]["reason"]["cycle_ref"]
            if cycle not in wanted:
                continue
            if cycle in seen:
                raise AssertionError("a trigger came twice")
            seen[cycle] = rig.clock.monotonic()
            if len(seen) == len(wanted):
                break
    return seen
