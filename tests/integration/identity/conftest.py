"""A store on a database that the tests of a module share; each begins with empty tables."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from integration.identity.graph_in_database import Graphs
from tern_common.db import Pool, open_pool


@pytest.fixture(scope="module")
async def pool(module_database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(module_database, service="identity", size=12)
    yield opened
    await opened.close()


@pytest.fixture
async def graphs(pool: Pool) -> Graphs:
    found = Graphs(pool)
    await found.empty()
    return found
