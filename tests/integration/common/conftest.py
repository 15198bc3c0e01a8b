"""A database of its own for tests that migrate, and URLs of roles in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.databases import database as new_database


@pytest.fixture
async def empty_database(postgres_admin_url: str) -> AsyncIterator[str]:
    """The administrator's URL of a database in which nothing was migrated."""
    async with new_database(postgres_admin_url) as url:
        yield url
