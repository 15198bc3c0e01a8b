"""A connection that breaks is no reason to end, whenever it breaks."""

from __future__ import annotations

from typing import cast

import asyncpg
import pytest

from tern_common.db import Pool, connection, translated
from tern_common.errors import Transient


class Broken:
    """A connection that broke, and its pool: as asyncpg says it when the server is killed at the wrong moment."""

    async def acquire(self, timeout: float) -> Broken:  # noqa: ASYNC109, ARG002 - the name is of the pool
        return self

    async def release(self, _connection: Broken) -> None:
        raise asyncpg.InternalClientError('cannot switch to state 12; protocol is in the "failed" state')

    def is_closed(self) -> bool:
        return True

    def ended_in_order(self) -> None: ...


def test_what_the_client_calls_internal_is_tried_again_on_a_lost_connection_and_a_bug_on_a_sound_one() -> None:
    wrong = asyncpg.InternalClientError("cannot switch to state 12")
    assert isinstance(translated(wrong, lost=True), Transient)
    assert translated(wrong) is None


async def test_a_pool_that_cannot_clean_a_connection_takes_nothing_back_of_what_the_block_did() -> None:
    async with connection(cast(Pool, Broken())):
        done = True
    assert done


async def test_a_block_that_meets_it_may_be_tried_again() -> None:
    with pytest.raises(Transient):
        async with connection(cast(Pool, Broken())):
            raise asyncpg.InternalClientError("cannot switch to state 12")
