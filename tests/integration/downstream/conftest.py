"""Identity, profile and triggers on one database, each in its own schema."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from integration.downstream.platform import Platform, open_platform


@pytest.fixture
async def platform(database: str) -> AsyncIterator[Platform]:
    """Fresh: nobody has said anything yet."""
    async with open_platform(database) as found:
        yield found
