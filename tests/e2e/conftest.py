"""One platform for most end-to-end tests: started as a user starts it, reached through its public doors only.

Two processes share the tests: all that meet on that platform are one's, and each file of the rest is either's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from support.platform import tern_local
from support.shop import Shop
from tern_common.clock import VirtualClock

_ALONE = ("test_chaos.py", "test_demo.py", "test_realistic_data.py", "test_run.py", "test_sdks.py")
"""They start what they need themselves."""

_MONTHS = ("test_three_shoppers.py", "test_backfill.py")
"""They let months pass. Whoever has ordered in another test would be one more moment to stop at."""


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """How xdist deals the tests out. (Its groups do nothing under this pytest: they were noted in names.)"""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.split("::", maxsplit=1)[0]).name
        return file if file in _ALONE else "the common platform"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Sharing:
    """Where several processes run this folder."""
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Months pass first, while few people are on the platform."""
    items.sort(key=lambda item: item.path.name not in _MONTHS)


@pytest.fixture(scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop on a platform with a virtual clock. Tests share it: each brings customers of its own."""
    data = tmp_path_factory.mktemp("platform")
    with tern_local(data, "run", "--virtual-clock") as command:
        await command.says("Tern is ready")
        async with httpx.AsyncClient(timeout=10) as http:
            yield Shop(command.run_file, command.log, http, VirtualClock(data / "clock"))
