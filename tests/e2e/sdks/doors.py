"""Ingest as a process that can be killed and started again on its port, and an ear on the topic of events."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

import httpx

from integration.ingest.conftest import Ingest
from support.waiting import eventually
from tern_common.events import Event, decode_event
from tern_common.topics import EVENTS

STARTS_S = 30


class Door:
    """The process, and the events that came through it, by source. `inside` makes sources and keys."""

    def __init__(self, inside: Ingest, settings: Mapping[str, str], log: Path) -> None:
        self.inside = inside
        self.port = _free_port()
        self.events: dict[str, list[Event]] = defaultdict(list)
        self._environment = {**os.environ, **settings, "TERN_HTTP_PORT": str(self.port)}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._heard: dict[int, int] = {}

    async def opens(self) -> None:
        """Starts it, and waits until it is ready."""
        with self._log.open("ab") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tern_ingest", env=self._environment, stdout=log, stderr=log
            )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:

            async def ready() -> bool:
                assert process.returncode is None, f"ingest has ended: {self._log.read_text()[-2000:]}"
                try:
                    return (await client.get("/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready, STARTS_S, f"ingest is ready; {self._log} says more")

    async def dies(self) -> None:
        """Kills it, as a machine that loses its power does."""
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def metrics(self) -> str:
        """What it counted since it was started."""
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/metrics")).text

    async def hears(self) -> None:
        """Follows the topic for ever."""
        async with aclosing(self.inside.bus.tail(EVENTS)) as records:
            async for record in records:
                event = decode_event(record.value)
                self.events[event.source_id].append(event)
                self._heard[record.partition] = record.offset + 1

    async def caught_up(self) -> None:
        """Waits until everything that is on the topic now was heard."""
        ends = await self.inside.bus.log.ends(EVENTS)

        def heard() -> bool:
            return all(self._heard.get(partition, 0) >= end for partition, end in ends.items())

        await eventually(heard, STARTS_S, "the topic is read to its end")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
