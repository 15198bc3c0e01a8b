"""Answers as uvicorn sends them here: the head with the body in one write, and nothing held back that is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from support.waiting import eventually
from tern_common.one_write import OneWriteProtocol

HEADERS = [(b"content-length", b"4")]


class Wire(asyncio.Transport):
    """Remembers what was written, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


def connected(app: ASGIApp) -> tuple[Callable[[bytes], None], Wire]:
    """What a client sends goes into the first; what it is answered stands on the second."""
    config = uvicorn.Config(cast(Any, app), http=OneWriteProtocol, ws="none", lifespan="off", log_config=None)
    config.load()
    wire = Wire()
    protocol = OneWriteProtocol(config, ServerState(), {})
    protocol.connection_made(wire)
    return protocol.data_received, wire


async def answer(send: Send, *pieces: bytes, status: int = 200) -> None:
    length = str(sum(map(len, pieces))).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
    for place, piece in enumerate(pieces, 1):
        await send({"type": "http.response.body", "body": piece, "more_body": place < len(pieces)})


async def test_an_answer_is_one_write() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, b"done")

    receives, wire = connected(app)
    receives(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n" * 2)
    await eventually(lambda: len(wire.pieces) == 2, 5, "both requests are answered, each in one piece")
    for piece in wire.pieces:
        assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
        assert piece.endswith(b"\r\n\r\ndone")


@pytest.mark.parametrize(("method", "body"), [(b"HEAD", b"done"), (b"GET", b"")])
async def test_a_head_without_a_body_is_written_too(method: bytes, body: bytes) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, body)

    receives, wire = connected(app)
    receives(method + b" / HTTP/1.1\r\nhost: t\r\n\r\n")
    await eventually(lambda: wire.pieces, 5, "it is answered")
    assert b"".join(wire.pieces).endswith(b"\r\n\r\n")


async def test_a_body_in_pieces_is_written_as_it_comes() -> None:
    more = asyncio.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b"on", "more_body": True})
        await more.wait()
        await send({"type": "http.response.body", "body": b"ly"})

    receives, wire = connected(app)
    receives(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n")
    await eventually(lambda: wire.pieces, 5, "the first piece is there")
    assert wire.pieces[0].endswith(b"\r\n\r\non")
    more.set()
    await eventually(lambda: wire.pieces[1:] == [b"ly"], 5, "the second piece is there")


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_at_once() -> None:
    async def app(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await answer(send, b"done")

    receives, wire = connected(app)
    receives(b"POST / HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    await eventually(lambda: wire.pieces == [b"HTTP/1.1 100 Continue\r\n\r\n"], 5, "it is asked")
    receives(b"{}")
    await eventually(lambda: len(wire.pieces) == 2, 5, "it is answered")


@pytest.mark.parametrize("request_", [b"\0\0\0\r\n\r\n", b"GET / HTTP/1.1\r\nhost: t\r\nx y: z\r\n\r\n", b"{}\r\n\r\n"])
async def test_what_is_no_request_is_answered_before_the_connection_closes(request_: bytes) -> None:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError

    receives, wire = connected(app)
    receives(request_)
    assert wire.closed
    assert wire.pieces[0].startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in wire.pieces[0]


async def test_the_last_answer_of_a_connection_is_written_before_it_closes() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, b"done")

    receives, wire = connected(app)
    receives(b"GET / HTTP/1.0\r\nhost: t\r\n\r\n")
    await eventually(lambda: wire.closed, 5, "the connection closes")
    assert len(wire.pieces) == 1
    assert wire.pieces[0].endswith(b"done")
