"""`make bench`: measures, prints a table, writes bench.json. Talks to loopback only and stops by itself."""

from __future__ import annotations

import asyncio
import json
import platform
import tempfile
from pathlib import Path

from load import drain_bench, ingest_bench, pipeline_bench
from load.rig import Rig
from tern_common.clock import SystemClock
from tern_common.kafka import kafka_bus
from tern_local.folder import Folder
from tern_local.platform import open_platform

OUTPUT = Path("bench.json")
COLUMNS = ("what", "figure", "floor", "ratio", "aim", "p99_ms", "cpu_us_per_event")


def say(line: str) -> None:
    """Progress."""
    print(f"  · {line}", flush=True)


async def main() -> None:
    """Everything once, on a platform of its own with durable settings."""
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as data:
        async with (
            Folder(Path(data)) as folder,
            open_platform(folder, say) as running,
            kafka_bus(running.kafka, "bench") as bus,
        ):
            rig = Rig(running, bus, SystemClock())
            say("draining preloaded topics")
            rows = await drain_bench.measure(rig)
            say("loading ingest")
            rows += await ingest_bench.measure(rig)
            say("loading the whole pipeline")
            rows.append(await pipeline_bench.measure(rig))
    report(rows)


def report(rows: list[dict[str, object]]) -> None:
    """The table, and the same as JSON."""
    show(rows)
    OUTPUT.write_text(json.dumps({"machine": platform.platform(), "rows": rows}, indent=1) + "\n")
    print(f"written to {OUTPUT}")


def show(rows: list[dict[str, object]]) -> None:
    """The table, for a person."""
    lines = [COLUMNS, *(tuple(str(row.get(column, "")) for column in COLUMNS) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


asyncio.run(main())
