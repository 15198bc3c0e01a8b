"""The whole pipeline on this machine: events in by HTTP, until triggers has taken in all that followed from them."""

from __future__ import annotations

from load import cpu
from load.drain_bench import READS
from load.ingest_bench import request
from load.rig import CONSUMERS, Rig, run_module

SECONDS = 10.0
CONNECTIONS = 4
BATCH = 100
AIM = 2_000


async def measure(rig: Rig) -> dict[str, object]:
    """Closed loop of batches; the clock stops when the last consumer has committed the last record."""
    await rig.only(*CONSUMERS)
    for service in CONSUMERS:
        await rig.drained(service, READS[service])
    used, busy, begun = rig.cpu_seconds(), cpu.system_busy(), rig.clock.monotonic()
    port = int(rig.platform.services["ingest"].rpartition(":")[2])
    template = request(BATCH, rig.platform.write_keys["server"])
    found = await run_module("load.http_load", port, CONNECTIONS, SECONDS, given=template)
    for service in CONSUMERS:
        await rig.drained(service, READS[service])
    seconds, events = rig.clock.monotonic() - begun, int(found["ok"]) * BATCH
    own = rig.cpu_seconds() - used
    rate = events / seconds
    return {
        "what": "whole pipeline",
        "figure": f"{rate:,.0f} events/s ({events:,} events in {seconds:.1f} s)",
        "ratio": round(rate / AIM, 3),
        "aim": 1.0,
        "floor": f"{AIM:,} events/s",
        "cpu_us_per_event": round(own / events * 1e6),
        "cores_used": round((cpu.system_busy() - busy) / seconds, 2),
    }
