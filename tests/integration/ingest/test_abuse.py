"""A whole process under what strangers send: good traffic is taken all the time, in bounded memory."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from integration.ingest.conftest import Ingest
from integration.ingest.test_process import running
from support.waiting import eventually

GOOD = {"type": "page", "anonymousId": "a"}
ROUNDS = 60
"""Of good requests, each beside ten bad ones."""

PROXY = {"TERN_TRUSTED_PROXIES": "127.0.0.0/8"}
BOMB = gzip.compress(b'{"batch":[' + b"{}," * 2_700_000 + b"{}]}")
NEST = b'{"a":' * 300_000
HALF = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"

Send = Callable[[int], Coroutine[Any, Any, httpx.Response]]


class Crowd:
    """Callers of one process: the shop, and strangers at a port of their own each, as the shop's proxy says."""

    def __init__(self, client: httpx.AsyncClient, pid: int, key: str, pages_key: str) -> None:
        self._client = client
        self._pid = pid
        self._auth = (key, "")
        self._anybodys = (pages_key, "")
        self._strangers = count()
        self.bad = Counter[int]()

    async def good(self) -> None:
        """One event of the shop is taken."""
        answer = await self._client.post("/v1/page", json=GOOD, auth=self._auth)
        assert answer.status_code == 200, answer.text

    async def wrong_key(self, n: int) -> httpx.Response:
        """One address, one wrong key after another."""
        return await self._client.post("/v1/page", json=GOOD, auth=(f"{self._auth[0][:-8]}{n:08x}", ""))

    async def anywhere(self, n: int) -> httpx.Response:
        """Each from an address of its own, with a key in the body that is none."""
        address = f"203.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        return await self._client.post("/v1/page", json=GOOD | {"writeKey": "x"}, headers={"X-Forwarded-For": address})

    async def bomb(self, n: int) -> httpx.Response:
        """Kilobytes of gzip, millions of events; or a nest; under the key that stands in each page of the shop."""
        return await self._client.post("/v1/batch", content=BOMB if n % 2 else NEST, auth=self._anybodys)

    async def beside(self, send: Send, rounds: int = ROUNDS) -> None:
        """Good requests, each beside ten of those."""

        async def one() -> None:
            self.bad[(await send(next(self._strangers))).status_code] += 1

        for _ in range(rounds):
            async with asyncio.TaskGroup() as group:
                for _ in range(10):
                    group.create_task(one())
                group.create_task(self.good())

    def megabytes(self) -> float:
        """What the process holds in memory."""
        pages = Path(f"/proc/{self._pid}/statm").read_text().split()[1]
        return int(pages) * 4096 / 1e6


@asynccontextmanager
async def crowd(ingest: Ingest, database: str, kafka: str) -> AsyncIterator[tuple[Crowd, int]]:
    """A process with its crowd, warm; and its port."""
    source = await ingest.new_source()
    keys = [(await ingest.new_key(source, kind))[1] for kind in ("server", "browser")]
    async with running(database, kafka, **PROXY) as process:
        port = await eventually(process.port, 20, "it listens")
        assert isinstance(port, int)
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=30) as client:
            found = Crowd(client, process.child.pid, *keys)

            async def ready() -> bool:
                return (await client.get("/ready")).status_code == 200

            await eventually(ready, 10, "it is ready")
            for _ in range(ROUNDS):
                await found.good()
            yield found, port


async def test_bad_keys_at_ten_times_the_good_rate_cost_the_good_ones_nothing(
    ingest: Ingest, database: str, kafka_bootstrap: str
) -> None:
    async with crowd(ingest, database, kafka_bootstrap) as (callers, _):
        before = callers.megabytes()
        for send in (callers.wrong_key, callers.anywhere):
            await callers.beside(send)
        assert set(callers.bad) <= {401, 429}, "by how fast this machine lets them fail"
        assert sum(callers.bad.values()) == 20 * ROUNDS
        assert callers.megabytes() <= 1.5 * before


async def test_bombs_cost_the_good_ones_nothing(ingest: Ingest, database: str, kafka_bootstrap: str) -> None:
    async with crowd(ingest, database, kafka_bootstrap) as (callers, _):
        before = callers.megabytes()
        await callers.beside(callers.bomb)
        assert set(callers.bad) <= {400, 413, 429}
        assert callers.bad[429] > 9 * ROUNDS
        assert callers.megabytes() <= 1.5 * before


async def test_half_requests_cost_the_good_ones_nothing(ingest: Ingest, database: str, kafka_bootstrap: str) -> None:
    async with crowd(ingest, database, kafka_bootstrap) as (callers, port):
        before = callers.megabytes()
        halves = [await asyncio.open_connection("127.0.0.1", port) for _ in range(500)]
        for n, (_, writer) in enumerate(halves):
            writer.write(HALF[: 1 + n % len(HALF)])
        for _ in range(ROUNDS):
            await callers.good()
        assert callers.megabytes() <= 1.5 * before
        for _, writer in halves:
            writer.close()
