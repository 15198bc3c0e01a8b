"""Fixtures for all tiers: a broker and a database for the session, a database of its own for each test.

The tier is the folder. `tests/unit` runs without sockets; what needs a broker or a database asks for a fixture.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from support import databases
from support.backing import Backing, open_backing
from support.floors import DomainFloor
from support.teeth import MARK, MEANING, Untraced

# How long an example takes says nothing on a machine that others use. In CI the same examples are tried each time, so
# that a failure belongs to the change.
settings.register_profile(
    "tern", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", settings.get_profile("tern"), max_examples=5_000, derandomize=False)
settings.load_profile(os.environ.get("TERN_HYPOTHESIS", "tern"))

_UNIT = Path(__file__).parent / "unit"
_SIMULATION = Path(__file__).parent / "simulation"


def pytest_configure(config: pytest.Config) -> None:
    """Adds the floor of the pure domain to coverage's own, and what keeps coverage off tests of tests."""
    config.pluginmanager.register(DomainFloor())
    config.addinivalue_line("markers", f"{MARK}: {MEANING}")
    config.pluginmanager.register(Untraced())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Closes the network to the unit tier. Long files come first: last, they would leave one of two processes idle."""
    items.sort(key=_turn)
    for item in items:
        if item.path.is_relative_to(_UNIT):
            item.add_marker(pytest.mark.disable_socket)


def _turn(item: pytest.Item) -> int:
    """Worlds, tests of tests, all others."""
    if item.path.is_relative_to(_SIMULATION):
        return 0
    return 1 if item.get_closest_marker(MARK) else 2


@pytest.fixture(scope="session")
async def backing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backing]:
    """A real Kafka and a real PostgreSQL, up for the session."""
    async with open_backing(tmp_path_factory.mktemp("stack")) as found:
        yield found


@pytest.fixture(scope="session")
def kafka_bootstrap(backing: Backing) -> str:
    """`host:port` of the broker. Topics are shared by the session: name yours with `support.names.unique`."""
    return backing.kafka


@pytest.fixture(scope="session")
def postgres_admin_url(backing: Backing) -> str:
    """URL of an administrator, in a database that is nobody's."""
    return backing.postgres


@pytest.fixture(scope="session")
async def database_template(postgres_admin_url: str) -> AsyncIterator[str]:
    """The name of a database with every service's schema, to be copied."""
    async with databases.database(postgres_admin_url) as url:
        await databases.migrated(url)
        yield urlsplit(url).path[1:]


@pytest.fixture
async def database(postgres_admin_url: str, database_template: str) -> AsyncIterator[str]:
    """The administrator's URL of a fresh database with every service's schema; gone after the test."""
    async with databases.database(postgres_admin_url, database_template) as url:
        yield url


@pytest.fixture(scope="module")
async def module_database(postgres_admin_url: str, database_template: str) -> AsyncIterator[str]:
    """The same, for all tests of a module together."""
    async with databases.database(postgres_admin_url, database_template) as url:
        yield url
