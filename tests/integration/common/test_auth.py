"""Tokens in a real database: stored hashed, expiring, revoked, read by services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tern_common.access import store
from tern_common.access.store import StoredToken
from tern_common.auth import Caller, NewToken, Tokens, new_token
from tern_common.clock import ManualClock
from tern_common.db import Pool, connection, open_pool
from tern_common.migrate import migrate

STEP = timedelta(seconds=11)


@pytest.fixture
async def pool(empty_database: str) -> AsyncIterator[Pool]:
    await migrate(empty_database, ["access"], {})
    opened = await open_pool(empty_database, service="access", size=2)
    yield opened
    await opened.close()


async def made(pool: Pool, role: store.Role, lives_for: timedelta | None = None) -> NewToken:
    token = new_token()
    await store.create(pool, token.token_id, StoredToken(token.digest, role, "a dashboard"), lives_for)
    return token


async def test_a_token_is_known_by_its_text_and_stored_without_it(pool: Pool) -> None:
    token = await made(pool, "pii:read")
    assert await Tokens(pool, ManualClock()).find(token.text) == Caller(token.token_id, "pii:read", "a dashboard")
    async with connection(pool) as conn:
        stored = await conn.fetchval("SELECT t::text FROM access.token t")
    assert token.text.split("_", 2)[2] not in stored


async def test_a_token_ends_when_its_time_is_over_by_the_databases_clock(pool: Pool) -> None:
    clock = ManualClock()
    tokens = Tokens(pool, clock)
    token = await made(pool, "read", timedelta(hours=1))
    assert await tokens.find(token.text)
    clock.advance(timedelta(days=365))  # virtual time moves no token
    assert await tokens.find(token.text)
    async with connection(pool) as conn:
        await conn.execute("UPDATE access.token SET expires_at = now()")
    assert await tokens.find(token.text), "kept for ten seconds"
    clock.advance(STEP)
    assert await tokens.find(token.text) is None


async def test_a_revoked_token_ends_and_can_be_revoked_once(pool: Pool) -> None:
    clock = ManualClock()
    tokens, token = Tokens(pool, clock), await made(pool, "read")
    assert await tokens.find(token.text)
    assert await store.revoke(pool, token.token_id)
    assert not await store.revoke(pool, token.token_id)
    clock.advance(STEP)
    assert await tokens.find(token.text) is None


async def test_tokens_are_listed_with_what_became_of_them(pool: Pool) -> None:
    first, second = await made(pool, "admin", timedelta(days=1)), await made(pool, "read")
    await store.revoke(pool, second.token_id)
    found = {token.token_id: token for token in await store.listed(pool)}
    assert found[first.token_id].expires_at is not None
    assert found[first.token_id].revoked_at is None
    assert found[second.token_id].revoked_at is not None
    assert {token.role for token in found.values()} == {"admin", "read"}
