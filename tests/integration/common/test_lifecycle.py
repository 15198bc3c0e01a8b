"""A whole process: sockets, signals, exit codes."""

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

from support.waiting import eventually
from tern_common.clock import SystemClock
from tern_common.http import Probes, create_app
from tern_common.lifecycle import run

SERVICE = """
import asyncio
from pydantic_settings import BaseSettings
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tern_common import lifecycle
from tern_common.clock import SystemClock
from tern_common.http import Probes, create_app
from tern_common.lifecycle import run
from tern_common.errors import Misconfigured, Transient
from tern_common.http import Probes, create_app

class Settings(BaseSettings):
    mode: str = "good"
    port: int = 0

async def serve(settings):
    calls, leave = [], asyncio.Event()

    async def slow(_):
        await SystemClock().sleep(1)
        return PlainTextResponse("done")

    async def stuck(_):
        await asyncio.Event().wait()

    async def let_go(_):
        leave.set()
        return PlainTextResponse("")

    async def work():
        calls.append(1)
        if settings.mode == "flaky" and len(calls) < 3:
            raise Transient("the broker is away")
        await leave.wait()
        if settings.mode == "bug":
            raise ValueError("ann@example.com")
        if settings.mode == "stubborn":
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

    if settings.mode == "misconfigured":
        raise Misconfigured("topic tern.events.v1 is missing")
    routes = [Route("/slow", slow), Route("/stuck", stuck), Route("/leave", let_go)]
    app = create_app(service="t", summary="t", probes=Probes({}), routes=routes)
    try:
        await lifecycle.run(app, ("127.0.0.1", settings.port), {"work": work})
    finally:
        print('{"message": "closed"}', flush=True)

lifecycle.start("t", Settings, serve)
"""


@dataclass
class Running:
    """A started process and what it said."""

    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)

    def said(self, message: str) -> dict[str, Any] | None:
        return next((line for line in self.lines if line["message"] == message), None)

    async def address(self) -> str:
        line = await eventually(lambda: self.said("listening"), 15, "the process listens")
        assert line
        return f"http://127.0.0.1:{line['port']}"

    async def ended(self) -> int:
        async with asyncio.timeout(15):
            return await self.process.wait()

    async def listen(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))


@asynccontextmanager
async def running(mode: str, **environment: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE),
        env={**os.environ, "MODE": mode, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    started = Running(process)
    listening = asyncio.ensure_future(started.listen())
    try:
        yield started
        await listening
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_process_after_its_requests(number: signal.Signals) -> None:
    async with running("good") as started, httpx.AsyncClient(base_url=await started.address()) as http:
        request = asyncio.ensure_future(http.get("/slow"))
        await eventually(lambda: _in_flight(started, http), 5, "the request is being answered")
        started.process.send_signal(number)
        await eventually(lambda: started.said("stopping"), 5, "the process is stopping")
        assert (await request).text == "done"
        assert await started.ended() == 0
    assert [line["message"] for line in started.lines] == ["listening", "stopping", "stopped", "closed"]


async def _in_flight(_: Running, http: httpx.AsyncClient) -> bool:
    return "tern_http_requests_in_flight 2.0" in (await http.get("/metrics")).text


@pytest.mark.parametrize(("mode", "path", "code"), [("good", "/stuck", 0), ("stubborn", "/leave", -signal.SIGALRM)])
async def test_what_does_not_end_by_itself_is_ended_within_ten_seconds(mode: str, path: str, code: int) -> None:
    clock = SystemClock()
    async with running(mode) as started, httpx.AsyncClient(base_url=await started.address()) as http:
        request = asyncio.ensure_future(http.get(path))
        if path == "/stuck":
            await eventually(lambda: _in_flight(started, http), 5, "the request is being answered")
        else:
            await request
        begun = clock.monotonic()
        started.process.terminate()
        assert await started.ended() == code
        assert clock.monotonic() - begun < 10
        await asyncio.gather(request, return_exceptions=True)


async def test_a_server_can_be_run_inside_another_process_and_told_to_stop() -> None:
    stop, bound, worked = asyncio.Event(), asyncio.get_running_loop().create_future(), asyncio.Event()

    async def work() -> None:
        worked.set()
        await asyncio.Event().wait()

    app = create_app(service="t", summary="t", probes=Probes({}))
    serving = asyncio.ensure_future(run(app, ("127.0.0.1", 0), {"work": work}, announce=bound.set_result, stop=stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await bound}") as http:
        assert (await http.get("/live")).json() == {"live": True}
    await worked.wait()
    stop.set()
    await serving


async def test_a_loop_that_fails_lets_the_caller_clean_up() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    app = create_app(service="t", summary="t", probes=Probes({}))
    with pytest.raises(ExceptionGroup) as told:
        await run(app, ("127.0.0.1", 0), {"work": fail})
    assert told.group_contains(ZeroDivisionError)


async def test_a_loop_with_a_bug_ends_the_process_and_its_words_are_not_logged() -> None:
    async with running("bug") as started, httpx.AsyncClient(base_url=await started.address()) as http:
        assert (await http.get("/leave")).status_code == 200
        assert await started.ended() == 1
    line = started.said("ended by an error")
    assert line
    assert line["error"]["causes"][0]["type"] == "ValueError"
    assert "ann" not in json.dumps(started.lines)
    assert started.said("closed")


async def test_a_loop_that_just_ends_ends_the_process() -> None:
    async with running("good") as started, httpx.AsyncClient(base_url=await started.address()) as http:
        await http.get("/leave")
        assert await started.ended() == 1
    assert "LoopEnded" in json.dumps(started.said("ended by an error"))


async def test_a_loop_that_met_a_transient_error_goes_on() -> None:
    async with running("flaky") as started, httpx.AsyncClient(base_url=await started.address()) as http:
        await eventually(lambda: len(started.lines) >= 3, 5, "it began again twice")
        assert (await http.get("/live")).status_code == 200
        shown = (await http.get("/metrics")).text
        assert 'tern_loop_retries_total{loop="work"} 2.0' in shown
        started.process.terminate()
        assert await started.ended() == 0


async def test_a_process_that_cannot_start_says_why_in_one_line() -> None:
    async with running("misconfigured") as started:
        assert await started.ended() == 1
    [line] = started.lines
    assert (line["message"], line["why"]) == ("cannot start", "topic tern.events.v1 is missing")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with running("good", PORT=str(taken.getsockname()[1])) as started:
            assert await started.ended() == 1
    assert "cannot listen on 127.0.0.1" in str(started.said("cannot start"))


async def test_bytes_that_are_no_address_are_the_callers_fault() -> None:
    lines = (b"GET /live/\xff", b"GET /live?\xff", b"GET /\0", b"GET http://[", b"GET /live/%00", b"GET /live?q=%ff")
    async with running("good") as started:
        port = int((await started.address()).rpartition(":")[2])
        for line in lines:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b" 400 " in await reader.readline(), line
            writer.close()
        started.process.terminate()
        assert await started.ended() == 0
