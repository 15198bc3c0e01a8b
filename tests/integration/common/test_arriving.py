"""Connections on which no request arrives, on real sockets: they end, and who sends whole requests notes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from support.waiting import eventually
from tern_common.arriving import LONGEST_HEAD_BYTES, PATIENCE_S, Arriving, Impatience

ANSWER = b"done"
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
HALVES = {
    "nothing": b"",
    "half a head": b"POST / HTTP/1.1\r\nHost",
    "no body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    "half a second head": WHOLE + b"POST /",
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    while (message := await receive()).get("more_body"):
        assert message["type"] == "http.request"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": ANSWER})


@dataclass
class Served:
    """A server, and how it loses patience."""

    server: uvicorn.Server
    impatience: Impatience
    port: int

    @property
    def connections(self) -> list[Arriving]:
        return [found for found in self.server.server_state.connections if isinstance(found, Arriving)]

    async def call(self, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which that was said, and heard."""
        before = len(self.connections)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await eventually(lambda: len(self.connections) > before, 5, "the connection is there")
        writer.write(said)
        if said:
            await eventually(lambda: any(found.heard_at for found in self.connections), 5, "it was heard")
        return reader, writer

    def look(self, later_s: float) -> None:
        self.impatience.look(asyncio.get_running_loop().time() + later_s)


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    config = uvicorn.Config(app, port=0, http=Arriving, lifespan="off", log_config=None, access_log=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(server, Impatience(server.server_state.connections), port)
    await server.shutdown()


@pytest.mark.parametrize("said", HALVES)
async def test_a_connection_on_which_no_request_arrives_is_ended(said: str) -> None:
    async with serving() as served:
        _, writer = await served.call(HALVES[said])
        for later_s in (0, PATIENCE_S - 1):
            served.look(later_s)
        assert len(served.connections) == 1
        served.look(PATIENCE_S + 2)
        await eventually(lambda: not served.connections, 5, "the connection is gone")
        writer.close()


async def test_a_byte_at_a_time_wins_no_time_for_a_head() -> None:
    async with serving() as served:
        _, writer = await served.call(b"POST / HTTP/1.1\r\n")
        served.look(0)
        (connection,) = served.connections
        heard_at = connection.heard_at
        writer.write(b"H")
        await eventually(lambda: connection.heard_at > heard_at, 5, "it was heard")
        served.look(PATIENCE_S + 1)
        await eventually(lambda: not served.connections, 5, "the connection is gone")
        writer.close()


async def test_a_head_without_end_is_ended() -> None:
    async with serving() as served:
        _, writer = await served.call(b"POST / HTTP/1.1\r\n")
        writer.write((b"X-More: " + b"x" * 1000 + b"\r\n") * (LONGEST_HEAD_BYTES // 1000 + 1))
        await eventually(lambda: not served.connections, 5, "the connection is gone")
        writer.close()


async def test_whoever_sends_whole_requests_keeps_his_connection() -> None:
    async with serving() as served:
        reader, writer = await served.call(WHOLE)
        for later_s in (0, PATIENCE_S + 1, 2 * PATIENCE_S + 2):
            await reader.readuntil(ANSWER)
            served.look(later_s)
            writer.write(WHOLE)
        assert len(served.connections) == 1
        await reader.readuntil(ANSWER)
        writer.close()
