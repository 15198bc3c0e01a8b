"""A store on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from integration.identity.graph_in_database import Graphs
from tern_common.db import Pool, open_pool


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database, service="identity", size=12)
    yield opened
    await opened.close()


@pytest.fixture
def graphs(pool: Pool) -> Graphs:
    return Graphs(pool)
