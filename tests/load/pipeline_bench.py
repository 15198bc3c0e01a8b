"""The whole pipeline on this machine: events in by HTTP, until triggers has taken in all that followed from them."""

from __future__ import annotations

import asyncio

from load import calls, traffic
from load.drain_bench import PERSONS
from load.rig import CONSUMERS, Rig, load, shares
from tern_common.db import connection, open_pool
from tern_common.topics import EVENTS, REJECTED, RESOLVED

BURST_EVENTS = 40_000
BATCH = 50
CONNECTIONS = 4
AIM = 2_000
SUSTAINED = ((AIM, 15.0), (5_000, 20.0))
"""Rates, and for how many seconds each."""
STANDING_S = 1.0
"""A lag of so long at most is what three services have in hand, and what came while they rested, not one that grows."""
LIMIT_S = 120.0


async def measure(rig: Rig) -> list[dict[str, object]]:
    """As much as goes in, until all is through; then at a steady rate, and whether the lag stands."""
    await rig.only(*CONSUMERS)
    await rig.drained()
    return [await burst(rig), *[await _sustained(rig, rate, seconds) for rate, seconds in SUSTAINED]]


async def burst(rig: Rig) -> dict[str, object]:
    """Closed loop; the clock stops when the last consumer has committed the last record. `rate`: events per second."""
    requests, before, begun = _requests(rig, 2, BURST_EVENTS), await _counts(rig), rig.usage()
    found = await load(rig.ingest_port, CONNECTIONS, LIMIT_S, 0, requests)
    sent_s = rig.usage().since(begun).at
    await rig.drained()
    used = rig.usage().since(begun)
    await _verify(rig, before, int(found["ok"]) * BATCH, BURST_EVENTS)
    rate = BURST_EVENTS / used.at
    return {
        "what": "whole pipeline, as much as goes in",
        "figure": f"{rate:,.0f} events/s ({BURST_EVENTS:,} acknowledged in {sent_s:.1f} s, through in {used.at:.1f} s)",
        "rate": rate,
        "floor": f"{AIM:,} events/s",
        "ratio": round(rate / AIM, 2),
        "aim": 1.0,
        **used.row(BURST_EVENTS),
    }


async def _sustained(rig: Rig, wanted: int, seconds: float) -> dict[str, object]:
    """Open loop. The ratio is what was through when the sending ended to what was sent: 1 where the lag stands."""
    events = int(wanted * seconds)
    requests, before, begun, own = _requests(rig, wanted, events), await _counts(rig), rig.usage(), rig.by_process()
    sending = asyncio.ensure_future(load(rig.ingest_port, CONNECTIONS * 4, seconds, wanted / BATCH, requests))
    await rig.clock.sleep(seconds / 2)
    halfway = await rig.behind(*CONSUMERS)
    found = await sending
    sent_s, at_end = rig.usage().since(begun).at, await rig.behind(*CONSUMERS)
    await rig.drained()
    used = rig.usage().since(begun)
    each = shares(own, rig.by_process(), events)
    await _verify(rig, before, int(found["ok"]) * BATCH, events)
    more_s = used.at - sent_s
    return {
        "what": f"whole pipeline, {wanted:,} events/s for {seconds:.0f} s",
        "figure": f"{halfway:,} records behind half-way, {at_end:,} at the end, 0 after {more_s:.1f} s more: the lag "
        f"{'stands' if more_s < STANDING_S else 'grows'}; {each}",
        "floor": f"{wanted:,} events/s",
        "ratio": round(events / used.at / (events / sent_s), 2),
        "aim": 1.0,
        "p99_ms": round(found["p99_ms"], 1),
        **used.row(events),
    }


def _requests(rig: Rig, seed: int, count: int) -> bytes:
    events = traffic.events(seed=seed, count=count, end=rig.clock.now(), persons=PERSONS)
    return b"\0".join(calls.batches(events, BATCH, rig.platform.write_keys["server"]))


async def _counts(rig: Rig) -> dict[str, int]:
    """What is stored where."""
    pool = await open_pool(rig.platform.postgres, service="public", size=1)
    try:
        async with connection(pool) as conn:
            kept = int(await conn.fetchval("SELECT count(*) FROM profile.event"))
    finally:
        await pool.close()
    return {topic: await rig.ends(topic) for topic in (EVENTS, REJECTED, RESOLVED)} | {"profile": kept}


async def _verify(rig: Rig, before: dict[str, int], acknowledged: int, sent: int) -> None:
    """Raises unless each event sent was acknowledged, stored, resolved and taken into a profile, once."""
    new = {place: count - before[place] for place, count in (await _counts(rig)).items()}
    whole = acknowledged == sent == new[EVENTS] == new["profile"] and not new[REJECTED]
    if not whole or new[RESOLVED] < acknowledged:
        raise AssertionError(f"{sent} events sent, {acknowledged} acknowledged, stored: {new}")
