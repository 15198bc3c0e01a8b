"""What the trigger service's integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from integration.triggers.shop import Shop, new_broker
from tern_common.db import Pool, open_pool


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Of a fresh database."""
    opened = await open_pool(database, service="triggers", size=8)
    yield opened
    await opened.close()


@pytest.fixture
def shop(pool: Pool) -> Shop:
    """One instance on that database."""
    return Shop(pool, new_broker())
