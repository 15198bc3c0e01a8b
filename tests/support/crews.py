"""A service of several processes, run as an operator runs it, and its workers seen from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from support.processes import descendants

STOPS_S = 10.0


@dataclass
class Crew:
    """`python -m tern_<service>` with workers, and where they listen. It logs to where the test prints."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill_one(self) -> int:
        """One of the workers, with -9; its process id."""
        pid = min(descendants(self.process.pid))
        os.kill(pid, signal.SIGKILL)
        return pid

    async def counted(self, name: str) -> float:
        """The sum of a metric over its labels, as whichever worker is asked tells it."""
        async with httpx.AsyncClient(trust_env=False) as http:  # a connection of its own: perhaps to another worker
            text = (await http.get(f"{self.address}/metrics")).text
        families = text_string_to_metric_families(text)
        return sum(one.value for family in families for one in family.samples if one.name == name)

    async def stopped(self) -> int:
        """Told to stop: its exit status."""
        self.process.terminate()
        async with asyncio.timeout(STOPS_S):
            return await self.process.wait()


@asynccontextmanager
async def crew(service: str, workers: int, environment: dict[str, str]) -> AsyncIterator[Crew]:
    """Runs while the block does."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    own = {"TERN_HTTP_PORT": str(port), f"TERN_{service.upper()}_WORKERS": str(workers)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tern_{service}"),
        env={**os.environ, **environment, **own},
    )
    try:
        yield Crew(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
