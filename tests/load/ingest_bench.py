"""Ingest against a raw-ASGI no-op, interleaved in one run: the ratio of requests per second, and what was stored.

A round is the floor and then the service, one straight after the other; of three the middle one counts, and rounds that
other work on the machine disturbed only when there are no others. Every answer 200 is counted on Kafka.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from load import calls
from load.http_load import SLOT
from load.rig import VOID_ABOVE_CORES, Loaded, Rig, Usage, load
from tern_common.topics import EVENTS, REJECTED

ROUNDS = 3
SECONDS = 2.5
OPEN_CONNECTIONS, OPEN_RATE, OPEN_SECONDS = 64, 500.0, 8.0
OPEN_AIM_P99_MS = 8.0
DURABILITY = "acks=all, 1 broker, no fsync"
"""What an answer 200 is worth here: the broker has it in the page cache. A second replica would outlive the machine."""


class Case(NamedTuple):
    """A kind of request. `aim` is the ratio to the floor that the product aims for, where it does."""

    name: str
    connections: int
    batch: int
    aim: float | None = None


CASES = (
    Case("single, 32 connections", 32, 1, 0.30),
    Case("single, 128 connections", 128, 1, 0.40),
    Case("single, 512 connections", 512, 1, 0.55),
    Case("batch of 20, 32 connections", 32, 20),
    Case("batch of 20, 128 connections", 128, 20, 0.12),
    Case("batch of 100, 32 connections", 32, 100),
)


def request(batch: int, write_key: str) -> bytes:
    """A whole request as a template, with one slot per event for its message id."""
    event = {
        "type": "track",
        "event": "Product Viewed",
        "messageId": SLOT.decode(),
        "userId": f"customer-{SLOT.decode()}",
        "timestamp": "2026-11-22T10:00:00.000Z",
        "properties": {"product_id": "mug", "name": "Mug", "price": 9.5, "currency": "EUR", "cart_id": "cart-1"},
        "context": {"library": {"name": "analytics-python", "version": "2.3.2"}, "ip": "203.0.113.7"},
    }
    body = json.dumps(event if batch == 1 else {"batch": [event] * batch}).encode()
    return calls.request("track" if batch == 1 else "batch", body, write_key)


async def measure(rig: Rig) -> list[dict[str, object]]:
    """One row per case, with the median of the rounds. Raises when what was stored is not what was acknowledged."""
    await rig.only()
    async with noop() as floor_port:
        rows = []
        for case in CASES:
            template = request(case.batch, rig.platform.write_keys["server"])
            rounds = [await _round(rig, case, template, floor_port) for _ in range(ROUNDS)]
            rows.append(_row(case, rounds))
    rows.append(await _open_loop(rig))
    return rows


class Spent(NamedTuple):
    """CPU seconds that service and broker used, and the cores that processes not of this run took meanwhile."""

    service: float
    broker: float
    usage: Usage

    def row(self, events: int) -> dict[str, object]:
        """µs of CPU that an acknowledged event took at either."""
        each = [round(seconds / events * 1e6, 1) for seconds in (self.service, self.broker)]
        return {
            **self.usage.disturbance(),
            "cpu_us_per_event": round(sum(each), 1),
            "service_us": each[0],
            "broker_us": each[1],
            "durability": DURABILITY,
        }


class Round(NamedTuple):
    """One floor and one service run, one straight after the other. `foreign_cores`: the worse of both."""

    floor: float
    found: Loaded
    spent: Spent
    foreign_cores: float

    @property
    def rate(self) -> float:
        return _rate(self.found)

    @property
    def ratio(self) -> float:
        return self.rate / self.floor


async def _round(rig: Rig, case: Case, template: bytes, floor_port: int) -> Round:
    before = rig.usage()
    floor = await load(floor_port, case.connections, SECONDS, 0, template)
    between = rig.usage()
    found, spent = await _counted(rig, case.connections, SECONDS, 0, template, case.batch)
    foreign = max(_foreign(between.since(before)), _foreign(spent.usage))
    return Round(_rate(floor), found, spent, foreign)


async def _counted(
    rig: Rig, connections: int, seconds: float, rate: float, template: bytes, batch: int
) -> tuple[Loaded, Spent]:
    """A load on the service whose acknowledged events are all on Kafka, and what it took."""
    stored, begun, processes = await _stored(rig), rig.usage(), rig.by_process()
    found = await load(rig.ingest_port, connections, seconds, rate, template)
    used, now = rig.usage().since(begun), rig.by_process()
    await verify(rig, stored, found["ok"] * batch)
    return found, Spent(now["ingest"] - processes["ingest"], now["kafka"] - processes["kafka"], used)


def _rate(found: Loaded) -> float:
    return found["ok"] / found["seconds"]


def _foreign(used: Usage) -> float:
    return max(0.0, used.machine - used.own) / used.at


async def verify(rig: Rig, before: int, acknowledged: int) -> None:
    """Raises when there are not as many new events in Kafka as were acknowledged."""
    new = await _stored(rig) - before
    if new != acknowledged:
        raise AssertionError(f"{acknowledged} events acknowledged, {new} stored")


async def _stored(rig: Rig) -> int:
    return await rig.ends(EVENTS) + await rig.ends(REJECTED)


def _row(case: Case, rounds: list[Round]) -> dict[str, object]:
    calm = [one for one in rounds if one.foreign_cores <= VOID_ABOVE_CORES]
    ranked = sorted(calm or rounds, key=lambda one: one.ratio)
    middle = ranked[len(ranked) // 2]
    return {
        "what": f"ingest, {case.name}",
        "figure": f"{middle.rate:,.0f} req/s ({middle.rate * case.batch:,.0f} events/s)",
        "floor": f"{middle.floor:,.0f} req/s",
        "ratio": round(middle.ratio, 3),
        "aim": "" if case.aim is None else case.aim,
        "p99_ms": round(middle.found["p99_ms"], 1),
        **middle.spent.row(middle.found["ok"] * case.batch),
        "foreign_cores": round(middle.foreign_cores, 2),
        "void": "" if calm else "disturbed",
    }


async def _open_loop(rig: Rig) -> dict[str, object]:
    """Latency at a rate that leaves time to breathe, counted from when each request was due."""
    template = request(1, rig.platform.write_keys["server"])
    found, spent = await _counted(rig, OPEN_CONNECTIONS, OPEN_SECONDS, OPEN_RATE, template, 1)
    return {
        "what": f"ingest, open loop at {OPEN_RATE:.0f} req/s, {OPEN_CONNECTIONS} connections",
        "figure": f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms",
        "aim": f"p99 {OPEN_AIM_P99_MS:.0f} ms",
        "p99_ms": round(found["p99_ms"], 1),
        **spent.row(found["ok"]),
    }


@asynccontextmanager
async def noop() -> AsyncIterator[int]:
    """The floor, in a process of its own: its port, once it answers."""
    port = _free_port()
    words = [sys.executable, "-m", "load.noop", str(port)]
    process = await asyncio.create_subprocess_exec(*words, cwd=Path(__file__).parents[1])
    try:
        await _answers(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def _answers(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            continue
        writer.close()
        return
