"""An HTTP load. Closed loop: a connection sends again when it is answered. Open loop: at a fixed rate, come what may.

Run as a process of its own: python -m load.http_load PORT CONNECTIONS SECONDS RATE WHEN < requests
Rate 0 is the closed loop. In the open one a latency counts from when the request was due, so that a stall is seen by
all whom it keeps waiting. The requests: whole HTTP requests separated by NUL, each sent once; or a single one with
`@@@@@@@@@@@@` in it, sent again and again with numbers that never repeat in its place.
Ends after SECONDS or the last request. Prints a JSON object: {"ok", "failed", "statuses", "seconds", "p50_ms",
"p99_ms", "max_ms", "answered"}; the last one, if WHEN is 1, says of each request in turn when it was answered, by the
monotonic clock that all processes of the machine share. Status 0 stands for no answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import cast

import uvloop

SLOT = b"@" * 12
SEPARATOR = b"\0"
LIMIT_CONNECTIONS = 1024
NO_ANSWER = 0
_TICK_S = 0.001


def requests(given: bytes) -> Iterator[bytes]:
    """What to send, in order."""
    pieces = given.split(SEPARATOR)
    return _filled(pieces[0]) if SLOT in pieces[0] else iter(pieces)


def _filled(template: bytes) -> Iterator[bytes]:
    parts = template.split(SLOT)
    salt, numbers = time.perf_counter_ns() % 10_000, count()
    while True:
        yield b"".join([parts[0], *(b"%04d%08d%b" % (salt, next(numbers), part) for part in parts[1:])])


class Connection(asyncio.Protocol):
    """One keep-alive connection. Answers are taken to be one response per request, with a content-length."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._due = 0.0
        self._number = 0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._load.free(self)

    def send(self, request: bytes, due: float, number: int) -> None:
        """Sends a request whose latency counts from `due`."""
        self._due, self._number, self._waits = due, number, True
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = int(self._buffer[:head].lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < head + 4 + length:
            return
        status, self._buffer, self._waits = int(self._buffer[9:12]), b"", False
        self._load.answered(status, self._number, self._due)
        self._load.free(self)

    def connection_lost(self, _why: Exception | None) -> None:
        if self._waits:
            self._load.answered(NO_ANSWER, self._number, self._due)
        self._load.closed()


class Load:
    """The whole run: what is left to send, counts, latencies, and the moment to stop."""

    def __init__(
        self, given: Iterator[bytes], connections: int, seconds: float, rate: float, *, when: bool = False
    ) -> None:
        self._requests = given
        self._when = when
        self._open = connections
        self._start = time.perf_counter()
        self._end = self._start + seconds
        self._rate = rate
        self._due: Iterator[float] = (self._start + number / rate for number in count()) if rate else iter(())
        self._next_due = next(self._due, 0.0)
        self._late: deque[float] = deque()
        self._idle: list[Connection] = []
        self._over = False
        self._numbers = count()
        self._latencies: list[float] = []
        self._answered: dict[int, float] = {}
        self._statuses = Counter[int]()
        self._loop = asyncio.get_running_loop()
        self.done = self._loop.create_future()
        if rate:
            self._pace()

    def free(self, connection: Connection) -> None:
        """The connection can take a request."""
        if self._late:
            self._send(connection, self._late.popleft())
        elif not self._rate and time.perf_counter() < self._end:
            self._send(connection, time.perf_counter())
        elif self._rate and not self._over:
            self._idle.append(connection)
        else:
            connection.close()

    def _send(self, connection: Connection, due: float) -> None:
        request = next(self._requests, None)
        if request is None:
            self._finish()
            connection.close()
        else:
            connection.send(request, due, next(self._numbers))

    def _pace(self) -> None:
        """Sends what has fallen due; what finds no free connection waits for the next one."""
        now = time.perf_counter()
        while self._next_due <= min(now, self._end) and not self._over:
            if self._idle:
                self._send(self._idle.pop(), self._next_due)
            else:
                self._late.append(self._next_due)
            self._next_due = next(self._due)
        if now >= self._end:
            self._finish()
        if not self._over:
            self._loop.call_later(_TICK_S, self._pace)

    def _finish(self) -> None:
        """No more falls due."""
        self._over = True
        while self._idle:
            self._idle.pop().close()

    def answered(self, status: int, number: int, due: float) -> None:
        """Counts an answer; only 200 has a latency."""
        self._statuses[status] += 1
        if status != 200:
            return
        now = time.perf_counter()
        self._latencies.append(now - due)
        if self._when:
            self._answered[number] = now

    def closed(self) -> None:
        """A connection is gone; the last one ends the run."""
        self._open -= 1
        if not self._open:
            self.done.set_result(None)

    def report(self) -> dict[str, object]:
        """What is printed."""
        ranked = sorted(self._latencies) or [0.0]
        return {
            "ok": len(self._latencies),
            "failed": self._statuses.total() - len(self._latencies),
            "statuses": self._statuses,
            "seconds": time.perf_counter() - self._start,
            "p50_ms": ranked[len(ranked) // 2] * 1000,
            "p99_ms": ranked[int(len(ranked) * 0.99)] * 1000,
            "max_ms": ranked[-1] * 1000,
            "answered": [at for _, at in sorted(self._answered.items())],
        }


async def run(port: int, connections: int, load: Callable[[], Load]) -> dict[str, object]:
    """Runs a load against 127.0.0.1 and returns its report."""
    made, loop = load(), asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda: Connection(made), "127.0.0.1", port) for _ in range(connections))
    )
    await made.done
    return made.report()


if __name__ == "__main__":
    port, connections = int(sys.argv[1]), min(int(sys.argv[2]), LIMIT_CONNECTIONS)
    seconds, rate, when = float(sys.argv[3]), float(sys.argv[4]), sys.argv[5] == "1"
    given = requests(sys.stdin.buffer.read())
    report = uvloop.run(run(port, connections, lambda: Load(given, connections, seconds, rate, when=when)))
    sys.stdout.write(json.dumps(report))
