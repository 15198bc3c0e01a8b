"""One platform for all end-to-end tests: started as a user starts it, reached through its public doors only."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from support.shop import Shop
from support.waiting import eventually
from tern_common.clock import VirtualClock

STARTS_S = 240
STOPS_S = 30


@pytest.fixture(scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop on a platform with a virtual clock. Tests share it: each brings customers of its own."""
    data = tmp_path_factory.mktemp("platform")
    log = data / "run.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "tern_local", "run", "--virtual-clock", "--data", str(data)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: ASYNC220
        try:
            async with httpx.AsyncClient(timeout=10) as http:
                yield await _open(process, data, log, http)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, STOPS_S)


async def _open(process: subprocess.Popen[bytes], data: Path, log: Path, http: httpx.AsyncClient) -> Shop:
    run_file = data / "run.json"

    def up() -> bool:
        assert process.poll() is None, log.read_text()
        return run_file.exists()

    await eventually(up, STARTS_S, "the platform is up")
    return Shop(run_file, http, VirtualClock(data / "clock"))
