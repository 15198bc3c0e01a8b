"""A bad line to a server on loopback: answers in its place, loses connections, keeps answers to itself.

Every kind of fault in turn, each event at most once, so that whoever tries again gets through. Counts what it let pass.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Fault = Literal["503", "429", "refused", "unanswered"]
"""`refused`: the connection is closed before the request has reached the server; `unanswered`: after it."""

FAULTS: tuple[Fault, ...] = ("503", "unanswered", "429", "refused")

_MESSAGE_ID = re.compile(rb'"messageId":\s*"((?:[^"\\]|\\.)+)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ORIGIN = re.compile(rb"\r\norigin: *([^\r]+)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\n(?:connection|keep-alive):[^\r]*", re.IGNORECASE)
_GZIP = b"\x1f\x8b"


class BadLine:
    """What happened on it. `passed`: message id → how often the server was given it."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._turn = itertools.cycle(FAULTS)
        self._suffered: set[bytes] = set()
        self.port = 0
        self.faults: Counter[Fault] = Counter()
        self.passed: Counter[str] = Counter()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of a caller; every answer ends the connection."""
        try:
            writer.write(await self._answer(reader))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        ids = set(_MESSAGE_ID.findall(zlib.decompress(body, 31) if body.startswith(_GZIP) else body))
        fault = self._fault(ids)
        if fault == "refused":
            return b""
        if fault in ("503", "429"):
            return _refusal(fault, head)
        self.passed.update(found.decode() for found in ids)
        answer = await self._asked(head, body)
        return b"" if fault == "unanswered" else answer

    def _fault(self, ids: set[bytes]) -> Fault | None:
        """The next kind, for what brings events, none of which has suffered one."""
        if not ids or ids & self._suffered:
            return None
        self._suffered |= ids
        fault = next(self._turn)
        self.faults[fault] += 1
        return fault

    async def _asked(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            writer.write(_CONNECTION.sub(b"", head[:-4]) + b"\r\nConnection: close\r\n\r\n" + body)
            return await reader.read()
        finally:
            writer.close()


def _refusal(status: str, head: bytes) -> bytes:
    """As a limiter in front of the server words it, for a page of another origin too."""
    body = json.dumps({"code": "try-later", "message": "a test says so"}).encode()
    origin = _ORIGIN.search(head)
    lines = [
        f"HTTP/1.1 {status} Later".encode(),
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Retry-After: 1",
        b"Connection: close",
        b"Access-Control-Allow-Origin: " + (origin[1] if origin else b"*"),
        b"Access-Control-Expose-Headers: Retry-After",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@asynccontextmanager
async def bad_line(server_port: int) -> AsyncIterator[BadLine]:
    """A line to the server for as long as the block runs."""
    line = BadLine(server_port)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    async with server:
        line.port = server.sockets[0].getsockname()[1]
        yield line
