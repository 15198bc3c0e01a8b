"""`make bench`: measures, prints a table, writes bench.json. Talks to loopback only and stops by itself.

`make bench ARGS="pipeline ingest"` measures these parts only: lateness, identity, drains, ingest, pipeline.
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

from load import drain_bench, identity_bench, ingest_bench, lateness_bench, pipeline_bench
from load.rig import Rig
from tern_common.clock import SystemClock
from tern_common.kafka import kafka_bus
from tern_local.folder import Folder
from tern_local.platform import open_platform

OUTPUT = Path("bench.json")
COLUMNS = ("what", "figure", "floor", "ratio", "aim", "p99_ms", "cpu_us_per_event", "cores", "foreign_cores", "void")
PARTS = ("lateness", "identity", "drains", "ingest", "pipeline")


def say(line: str) -> None:
    """Progress."""
    print(f"  · {line}", flush=True)


async def main(parts: Sequence[str]) -> None:
    """The parts asked for, else all, on platforms of their own with durable settings."""
    wanted = set(parts or PARTS)
    rows: list[dict[str, object]] = []
    if "lateness" in wanted:
        say("waiting for timed triggers")
        rows.append(await lateness_bench.measure(say))
    if "identity" in wanted:
        say("draining identity")
        rows += await identity_bench.measure(say)
    if wanted - {"lateness", "identity"}:
        rows += await _throughput(wanted)
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
