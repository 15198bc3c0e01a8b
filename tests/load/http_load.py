"""A closed-loop HTTP load: N connections, each sends its next request when the last one is answered.

Run as a process of its own: python -m load.http_load PORT CONNECTIONS SECONDS < request-template
The template is a whole HTTP request; `@@@@@@@@@@@@` in it is replaced by a number that never repeats, so that message
ids differ. Prints one JSON object: {"ok", "failed", "seconds", "p50_ms", "p99_ms"}. Bounded in time and in connections.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

SLOT = b"@" * 12
LIMIT_CONNECTIONS = 1024


class Connection(asyncio.Protocol):
    """One keep-alive connection. Answers are taken to be one response per request, with a content-length."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        if self._load.over():
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = int(self._buffer[:head].lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < head + 4 + length:
            return
        self._load.answered(self._buffer[9:12] == b"200", time.perf_counter() - self._sent_at)
        self._buffer = b""
        self._next()

    def connection_lost(self, _why: Exception | None) -> None:
        self._load.closed()


class Load:
    """The whole run: counts, latencies, and the moment to stop."""

    def __init__(self, template: bytes, connections: int, seconds: float) -> None:
        self._parts = template.split(SLOT)
        self._count = 0
        self._open = connections
        self._end = time.perf_counter() + seconds
        self._latencies: list[float] = []
        self._failed = 0
        self.done = asyncio.get_running_loop().create_future()
        self._start = time.perf_counter()
        self._salt = int(time.perf_counter_ns() % 10_000)

    def over(self) -> bool:
        return time.perf_counter() >= self._end

    def request(self) -> bytes:
        pieces = [self._parts[0]]
        for part in self._parts[1:]:
            self._count += 1
            pieces.append(b"%04d%08d" % (self._salt, self._count))
            pieces.append(part)
        return b"".join(pieces)

    def answered(self, ok: bool, seconds: float) -> None:
        if not ok:
            self._failed += 1
            return
        self._latencies.append(seconds)

    def closed(self) -> None:
        self._open -= 1
        if not self._open:
            self.done.set_result(None)

    def report(self) -> dict[str, float]:
        ranked = sorted(self._latencies) or [0.0]
        return {
            "ok": len(self._latencies),
            "failed": self._failed,
            "seconds": time.perf_counter() - self._start,
            "p50_ms": ranked[len(ranked) // 2] * 1000,
            "p99_ms": ranked[int(len(ranked) * 0.99)] * 1000,
        }


async def run(port: int, connections: int, seconds: float, template: bytes) -> dict[str, float]:
    """Runs the load against 127.0.0.1 and returns the report."""
    load = Load(template, min(connections, LIMIT_CONNECTIONS), seconds)
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda: Connection(load), "127.0.0.1", port) for _ in range(connections))
    )
    await load.done
    return load.report()


if __name__ == "__main__":
    report = uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps(report))
