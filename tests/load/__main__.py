"""`make bench`: measures, prints a table, writes bench.json. Talks to loopback only and stops by itself.

`make bench ARGS="pipeline ingest"` measures these parts only: lateness, agenda, triggers, identity, pipeline, at-once,
drains, ingest; and, only when they are asked for, since they take minutes: abuse, outages. `lateness=1000000` imports
so many orders, `agenda=200000` stores so many rows, `outages=60` takes each of them away for so many seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence, Set
from pathlib import Path

from load import (
    abuse_bench,
    agenda_bench,
    at_once_bench,
    drain_bench,
    identity_bench,
    ingest_bench,
    lateness_bench,
    outage_bench,
    pipeline_bench,
    triggers_bench,
)
from load.rig import Rig
from tern_common.clock import SystemClock
from tern_common.kafka import kafka_bus
from tern_local.folder import Folder
from tern_local.platform import open_platform

OUTPUT = Path("bench.json")
COLUMNS = (
    *("what", "figure", "floor", "ratio", "aim", "p99_ms", "cpu_us_per_event", "service_us", "broker_us"),
    *("cores", "foreign_cores", "void", "durability"),
)
ALONE = ("lateness", "agenda", "triggers", "identity")
TOGETHER = ("pipeline", "at-once", "drains", "ingest")
SIZES = {"lateness": lateness_bench.ORDERS, "agenda": agenda_bench.STORED, "outages": outage_bench.SECONDS}


def say(line: str) -> None:
    """Progress."""
    print(f"  · {line}", flush=True)


async def main(parts: Sequence[str]) -> None:
    """The parts asked for, else all, on platforms of their own with durable settings."""
    asked = dict(part.partition("=")[::2] for part in parts or (*ALONE, *TOGETHER))
    sizes = SIZES | {part: int(size) for part, size in asked.items() if size}
    rows: list[dict[str, object]] = []
    if "lateness" in asked:
        say("waiting for timed triggers")
        rows += await lateness_bench.measure(say, sizes["lateness"])
    if "agenda" in asked:
        say("deciding about many at once")
        rows += await agenda_bench.measure(say, sizes["agenda"])
    if "triggers" in asked:
        say("draining triggers")
        rows += await triggers_bench.measure(say)
    if "identity" in asked:
        say("draining identity")
        rows += await identity_bench.measure(say)
    if "abuse" in asked:
        say("standing up to strangers")
        rows += await abuse_bench.measure(say)
    if "outages" in asked:
        say("taking broker, disk and database away")
        rows += await outage_bench.measure(say, sizes["outages"])
    if asked.keys() & set(TOGETHER):
        rows += await _throughput(asked.keys())
    report(rows)


async def _throughput(wanted: Set[str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as data:
        async with (
            Folder(Path(data)) as folder,
            open_platform(folder, say) as running,
            kafka_bus(running.kafka, "bench") as bus,
        ):
            rig = Rig(running, bus, SystemClock())
            if "pipeline" in wanted:
                say("loading the whole pipeline")
                rows += await pipeline_bench.measure(rig)
            if "at-once" in wanted:
                say("waiting for triggers that are decided at once")
                rows += await at_once_bench.measure(rig)
            if "drains" in wanted:
                say("draining preloaded topics")
                rows += await drain_bench.measure(rig)
            if "ingest" in wanted:
                say("loading ingest")
                rows += await ingest_bench.measure(rig)
    return rows


def report(rows: list[dict[str, object]]) -> None:
    """The table, and the same as JSON."""
    show(rows)
    machine = {"platform": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    OUTPUT.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    print(f"written to {OUTPUT}")


def show(rows: list[dict[str, object]]) -> None:
    """The table, for a person."""
    lines = [COLUMNS, *(tuple(str(row.get(column, "")) for column in COLUMNS) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


asyncio.run(main(sys.argv[1:]))
