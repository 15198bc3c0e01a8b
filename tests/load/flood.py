"""Traffic that means harm, over loopback, for a bounded time: what strangers send to a front door that is open to all.

Run as a process of its own: python -m load.flood PORT KIND CONNECTIONS SECONDS RATE COUNT KEY
Rate 0: each connection sends again when it is answered. Count 0: as many as the time allows. KEY is a good write key,
for those who have one: a browser's stands in every page. Says `begun` once it is connected, and in the end what
`load.http_load` says. Each stranger has an address of its own where the server believes this machine's word for it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice, product
from typing import cast

import uvloop

from load import calls
from load.http_load import Connection, Load

MEMBERS = 1_000_000
_GOOD = b'{"type":"page","anonymousId":"a"}'
_HALF = b"POST /v1/batch HTTP/1.1\r\nhost: shop\r\ncontent-length: 500\r\n\r\n{"
_LETTERS = bytes(set(range(33, 127)) - set(b'"\\'))

Requests = Iterator[bytes]


def _from(number: int) -> str:
    """One of sixteen million addresses."""
    return f"11.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _call(key: str, address: str) -> bytes:
    head = f"POST /v1/page HTTP/1.1\r\nhost: shop\r\nx-write-key: {key}\r\nx-forwarded-for: {address}\r\n"
    return f"{head}content-length: {len(_GOOD)}\r\n\r\n".encode() + _GOOD


def wrong_secrets(key: str) -> Requests:
    """From one address, one wrong secret of a known key after another."""
    return (_call(f"{key[:-12]}{number:012x}", _from(0)) for number in count())


def wrong_secrets_everywhere(key: str) -> Requests:
    """The same, each from an address of its own."""
    return (_call(f"{key[:-12]}{number:012x}", _from(number)) for number in count())


def unknown_keys(_: str) -> Requests:
    """Keys that were never given out, which only the database can tell, each from an address of its own."""
    return (_call(f"wk_{number:016x}_{number:032x}", _from(number)) for number in count())


def bombs(key: str) -> Requests:
    """Kilobytes of gzip, millions of empty events."""
    return _again(calls.request("batch", gzip.compress(b'{"batch":[' + b"{}," * 2_700_000 + b"{}]}"), key))


def nests(key: str) -> Requests:
    """Objects within each other without end."""
    return _again(calls.request("batch", b'{"a":' * 300_000, key))


def brackets(key: str) -> Requests:
    """Nests by the hundred thousand, which only the parser that mends can read."""
    nests = b"[[[[[[[[{}]]]]]]]]," * 400_000
    body = b'{"batch":[{"type":"track","event":"x","properties":{"a":[' + nests + b"NaN]}}]}"
    return _again(calls.request("batch", gzip.compress(body), key))


def many_members(key: str) -> Requests:
    """A million different names in one object, just below the longest body."""
    return _again(calls.request("track", gzip.compress(million_names()), key))


def million_names() -> bytes:
    """An object of a million members; no two names are alike."""
    names = (bytes(letters) for length in (3, 4) for letters in product(_LETTERS, repeat=length))
    return b"{" + b",".join(b'"%b":1' % name for name in islice(names, MEMBERS)) + b"}"


def _again(request: bytes) -> Requests:
    while True:
        yield request


KINDS: Mapping[str, Callable[[str], Requests]] = {
    made.__name__: made
    for made in (wrong_secrets, wrong_secrets_everywhere, unknown_keys, nests, bombs, brackets, many_members)
}
HALVES = "halves"


class Half(asyncio.Protocol):
    """A connection whose request comes a byte at a time, and never whole."""

    def __init__(self, halves: Halves) -> None:
        self._halves = halves
        self._sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def go_on(self) -> None:
        """The next byte; the last one is the body's first."""
        self._transport.write(_HALF[self._sent : self._sent + 1])
        self._sent = min(self._sent + 1, len(_HALF))

    def connection_lost(self, _why: Exception | None) -> None:
        self._halves.ended += 1


class Halves:
    """All of them. `ended`: those that the server had enough of."""

    def __init__(self) -> None:
        self.ended = 0
        self.bytes = 0

    async def run(self, port: int, connections: int, seconds: float, rate: float) -> dict[str, object]:
        """One byte after the other, each on the next connection, so many a second over all."""
        loop = asyncio.get_running_loop()
        made = [(await loop.create_connection(lambda: Half(self), "127.0.0.1", port))[1] for _ in range(connections)]
        begun()
        start = loop.time()
        while (gone := loop.time() - start) < seconds:
            while self.bytes < gone * rate:
                made[self.bytes % connections].go_on()
                self.bytes += 1
            await asyncio.wait([loop.create_future()], timeout=0.01)
        return {"seconds": gone, "statuses": {"bytes": self.bytes, "ended": self.ended}}


def begun() -> None:
    """Tells who started this that the flood is on."""
    print("begun", flush=True)


async def flood(
    port: int, kind: str, connections: int, seconds: float, rate: float, sent: Requests
) -> dict[str, object]:
    """What became of it."""
    if kind == HALVES:
        return await Halves().run(port, connections, seconds, rate)
    load, loop = Load(sent, connections, seconds, rate), asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    begun()
    await load.done
    return load.report()


def main(port: str, kind: str, connections: str, seconds: str, rate: str, most: str, key: str) -> None:
    """As the words of the command say."""
    sent = KINDS[kind](key) if kind in KINDS else iter(())
    limited = islice(sent, int(most) or None)
    print(json.dumps(uvloop.run(flood(int(port), kind, int(connections), float(seconds), float(rate), limited))))


if __name__ == "__main__":
    main(*sys.argv[1:])
