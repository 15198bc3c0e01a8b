"""What the profile service's integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from integration.profile.world import Worker
from tern_common.db import Pool, open_pool


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Of a fresh database."""
    opened = await open_pool(database, service="profile", size=6)
    yield opened
    await opened.close()


@pytest.fixture
def worker(pool: Pool) -> Worker:
    """One instance on that database, with a bus of its own."""
    return Worker(pool)
