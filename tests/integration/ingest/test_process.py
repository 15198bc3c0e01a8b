"""The ingest process: starts from settings alone, serves, and stops when told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from integration.ingest.conftest import NOBODY_LISTENS, SEALING_KEYS, Ingest
from support.waiting import eventually

EVENT = {"batch": [{"type": "page", "anonymousId": "a", "context": {"ip": "203.0.113.7"}}]}


class Process:
    """A child and what it logged so far."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.log: list[dict[str, object]] = []

    async def read(self) -> None:
        """Follows its log to the end."""
        for stream in (self.child.stdout, self.child.stderr):
            assert stream
            async for line in stream:
                self.log.append(json.loads(line))

    def port(self) -> object:
        """The bound port, once it listens."""
        return next((line["port"] for line in self.log if line.get("message") == "listening"), None)


@asynccontextmanager
async def running(database: str, kafka: str, **more: str) -> AsyncIterator[Process]:
    """`python -m tern_ingest`, for as long as the block runs, with `more` settings."""
    settings = {
        "TERN_DATABASE_URL": database,
        "TERN_KAFKA_BOOTSTRAP": kafka,
        "TERN_HTTP_PORT": "0",
        "TERN_SEALING_KEYS": SEALING_KEYS,
    }
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tern_ingest", env={**os.environ, **settings, **more}, stdout=pipe, stderr=pipe
    )
    process = Process(child)
    reading = asyncio.ensure_future(process.read())
    try:
        yield process
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        await reading


async def test_it_serves_until_it_is_told_to_stop(ingest: Ingest, database: str, kafka_bootstrap: str) -> None:
    _, key = await ingest.new_key(await ingest.new_source())
    async with running(database, kafka_bootstrap) as process:
        port = await eventually(process.port, 20, "it listens")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/live")).status_code == 200

            async def ready() -> bool:
                return (await client.get("/ready")).status_code == 200

            await eventually(ready, 10, "it is ready")
            answer = await client.post("/v1/batch", json=EVENT, auth=(key, ""))
            assert (answer.status_code, answer.json()) == (200, {"success": True})
            assert "tern_ingest_events_accepted_total 1.0" in (await client.get("/metrics")).text
            assert (await client.get("/v1/sources")).status_code == 401
        process.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.child.wait() == 0
    assert "203.0.113.7" not in str(process.log)
    assert key not in str(process.log)


async def test_who_watches_is_told_the_end_when_it_stops(ingest: Ingest, database: str, kafka_bootstrap: str) -> None:
    async with running(database, kafka_bootstrap) as process:
        port = await eventually(process.port, 20, "it listens")
        address = f"http://127.0.0.1:{port}/v1/tail"
        told = []
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream("POST", address, json={}, headers=ingest.admin) as answer,
        ):
            async for line in answer.aiter_lines():
                told.append(line)
                if len(told) == 1:
                    process.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.child.wait() == 0
    assert json.loads(told[0]) == {"kind": "watching"}


async def test_it_waits_for_a_broker_that_is_away(database: str) -> None:
    async with running(database, NOBODY_LISTENS) as process:
        await eventually(lambda: any(line["message"] == "waiting for kafka" for line in process.log), 20, "it waits")
        assert process.child.returncode is None
