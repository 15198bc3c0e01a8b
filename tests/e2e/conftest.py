"""One platform for all end-to-end tests: started as a user starts it, reached through its public doors only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from support.platform import tern_local
from support.shop import Shop
from tern_common.clock import VirtualClock


@pytest.fixture(scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop on a platform with a virtual clock. Tests share it: each brings customers of its own."""
    data = tmp_path_factory.mktemp("platform")
    with tern_local(data, "run", "--virtual-clock") as command:
        await command.says("Tern is ready")
        async with httpx.AsyncClient(timeout=10) as http:
            yield Shop(command.run_file, command.log, http, VirtualClock(data / "clock"))
