"""Several processes behind one port: signals, deaths, and metrics that add up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.processes import descendants, ended
from support.waiting import eventually

SERVICE = """
import os
from prometheus_client import Counter
from pydantic_settings import BaseSettings
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tern_common import lifecycle
from tern_common.clock import SystemClock
from tern_common.errors import Misconfigured
from tern_common.http import Probes, create_app

ASKED = Counter("test_asked", "Questions.")

class Settings(BaseSettings):
    port: int
    mode: str = "good"

    @property
    def address(self):
        return "127.0.0.1", self.port

async def serve(settings):
    async def who(_):
        ASKED.inc()
        return PlainTextResponse(str(os.getpid()))

    async def slow(_):
        await SystemClock().sleep(4)  # the workers say once a second how many they answer
        return PlainTextResponse("done")

    if settings.mode == "misconfigured":
        raise Misconfigured("topic tern.events.v1 is missing")
    async def work():
        if settings.mode == "recreated":
            raise Misconfigured("the topic was recreated")
        await SystemClock().sleep(3600)

    app = create_app(service="t", summary="t", probes=Probes({}), routes=[Route("/who", who), Route("/slow", slow)])
    await lifecycle.run(app, settings.address, {"work": work})

lifecycle.start("t", Settings, serve, lambda settings: (2, settings.address))
"""


@dataclass
class Running:
    """A supervisor, what it and its workers said, and where they listen."""

    process: asyncio.subprocess.Process
    port: int
    lines: list[dict[str, Any]] = field(default_factory=list)

    def said(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"] == message]

    async def get(self, path: str) -> str:
        """By a connection of its own: which worker answers is the kernel's to say."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(f"http://127.0.0.1:{self.port}{path}")).text

    async def both(self) -> set[int]:
        """Process ids of two workers that answer."""
        found = set[int]()

        async def two() -> bool:
            try:
                found.add(int(await self.get("/who")))
            except httpx.TransportError:  # one of them is dying
                found.clear()
            return len(found) == 2

        await eventually(two, 15, "two workers answer")
        return found

    async def listen(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))

    async def ended(self) -> int:
        async with asyncio.timeout(15):
            return await self.process.wait()


@asynccontextmanager
async def running(**environment: str) -> AsyncIterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE),
        env={**os.environ, "PORT": str(port), **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    started = Running(process, port)
    listening = asyncio.ensure_future(started.listen())
    try:
        yield started
        if process.returncode is None:
            process.terminate()
        await listening
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_connections_are_dealt_out_among_workers_and_a_signal_ends_all_after_their_requests() -> None:
    async with running() as started:
        workers = await started.both()
        slow = [asyncio.ensure_future(started.get("/slow")) for _ in range(8)]
        await eventually(lambda: _in_flight(started, 9), 5, "eight requests are being answered, and the question")
        started.process.terminate()
        assert await asyncio.gather(*slow) == ["done"] * 8
        assert await started.ended() == 0
        for pid in workers:
            await ended(pid, 1)
    assert len(started.said("stopped")) == 2


async def test_metrics_add_up_over_workers_and_outlive_them() -> None:
    async with running() as started:
        workers = await started.both()
        for _ in range(20):
            await started.get("/who")
        first = await eventually(lambda: _counted(started, 20), 5, "all questions are counted")
        os.kill(min(workers), signal.SIGKILL)
        await ended(min(workers), 5)
        await started.both()
        await eventually(lambda: _counted(started, first), 5, "none is forgotten")


async def test_a_dead_worker_is_replaced_while_the_other_answers() -> None:
    async with running() as started:
        workers = await started.both()
        os.kill(min(workers), signal.SIGKILL)
        await ended(min(workers), 5)
        assert int(await started.get("/who")) in await started.both()
        assert max(workers) in await started.both()
        assert [line["code"] for line in started.said("worker ended")] == [-signal.SIGKILL]


async def test_workers_end_with_their_supervisor() -> None:
    async with running() as started:
        await started.both()
        workers = descendants(started.process.pid)
        assert len(workers) == 2
        started.process.kill()
        for pid in workers:
            await ended(pid, 5)


@pytest.mark.parametrize(("mode", "said"), [("misconfigured", "cannot start"), ("recreated", "ended by an error")])
async def test_what_starting_again_cannot_mend_ends_all(mode: str, said: str) -> None:
    async with running(MODE=mode) as started:
        assert await started.ended() == 1
        await eventually(lambda: started.said(said), 5, "it says why")
    assert not started.said("worker ended")


async def test_a_port_that_somebody_else_has_is_not_shared() -> None:
    async with running() as one:
        await one.both()
        async with running(PORT=str(one.port)) as other:
            assert await other.ended() == 1
        assert not other.said("worker started")


async def _in_flight(started: Running, count: int) -> bool:
    return f"tern_http_requests_in_flight {count}.0" in await started.get("/metrics")


async def _counted(started: Running, least: float) -> float:
    """How many questions were counted, once there are so many; 0 before."""
    families = text_string_to_metric_families(await started.get("/metrics"))
    (count,) = (one.value for family in families for one in family.samples if one.name == "test_asked_total")
    return count if count >= least else 0
