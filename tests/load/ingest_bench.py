"""Ingest against a raw-ASGI no-op, interleaved in one run: the ratio of requests per second, and what was stored."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from load.http_load import SLOT
from load.rig import Rig, run_module
from tern_common.topics import EVENTS, REJECTED

ROUNDS = 3
SECONDS = 3.0


class Case(NamedTuple):
    """A kind of request. `aim` is the ratio to the floor that the product aims for now."""

    name: str
    connections: int
    batch: int
    aim: float


CASES = (
    Case("single, 128 connections", 128, 1, 0.25),
    Case("single, 32 connections", 32, 1, 0.20),
    Case("batch of 20, 128 connections", 128, 20, 0.08),
    Case("batch of 20, 32 connections", 32, 20, 0.08),
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
    path = "track" if batch == 1 else "batch"
    key = b64encode(f"{write_key}:".encode()).decode()
    head = (
        f"POST /v1/{path} HTTP/1.1\r\nhost: shop\r\nauthorization: Basic {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def measure(rig: Rig) -> list[dict[str, object]]:
    """One row per case, with the median of the rounds. Raises when what was stored is not what was acknowledged."""
    port = int(rig.platform.services["ingest"].rpartition(":")[2])
    async with _noop() as floor_port:
        rows = []
        for case in CASES:
            template = request(case.batch, rig.platform.write_keys["server"])
            rounds = [await _round(rig, case, template, floor_port, port) for _ in range(ROUNDS)]
            rows.append(_row(case, rounds))
        return rows


class Round(NamedTuple):
    """One floor and one service run, one straight after the other."""

    floor: float
    rate: float
    p99_ms: float
    cpu_us: float

    @property
    def ratio(self) -> float:
        return self.rate / self.floor


async def _round(rig: Rig, case: Case, template: bytes, floor_port: int, port: int) -> Round:
    floor = await _load(floor_port, case, template)
    stored, cpu = await _stored(rig), rig.cpu_seconds()
    found = await _load(port, case, template)
    acknowledged = int(found["ok"]) * case.batch
    new = await _stored(rig) - stored
    if new != acknowledged:
        raise AssertionError(f"{case.name}: {acknowledged} events acknowledged, {new} stored")
    cpu_us = (rig.cpu_seconds() - cpu) / acknowledged * 1e6
    return Round(_rate(floor), _rate(found), found["p99_ms"], cpu_us)


async def _load(port: int, case: Case, template: bytes) -> Mapping[str, float]:
    found = await run_module("load.http_load", port, case.connections, SECONDS, given=template)
    if found["failed"]:
        raise AssertionError(f"{case.name}: {found['failed']} requests failed")
    return found


def _rate(found: Mapping[str, float]) -> float:
    return found["ok"] / found["seconds"]


async def _stored(rig: Rig) -> int:
    return await rig.ends(EVENTS) + await rig.ends(REJECTED)


def _row(case: Case, rounds: list[Round]) -> dict[str, object]:
    ratio = median(one.ratio for one in rounds)
    return {
        "what": f"ingest, {case.name}",
        "figure": f"{median(one.rate for one in rounds) * case.batch:,.0f} events/s",
        "floor": f"{median(one.floor for one in rounds):,.0f} req/s",
        "ratio": round(ratio, 3),
        "aim": case.aim,
        "p99_ms": round(median(one.p99_ms for one in rounds), 1),
        "cpu_us_per_event": round(median(one.cpu_us for one in rounds)),
    }


@asynccontextmanager
async def _noop() -> AsyncIterator[int]:
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
