"""The next convoy takes along who was just answered; for one alone, for many and for long it does not wait."""

from __future__ import annotations

import asyncio

import pytest

from tern_common.kafka.gathering import GATHER_S, Gathering

LONG_S = 60.0


async def test_it_leaves_when_as_many_have_sent_as_were_answered() -> None:
    gathering = Gathering(LONG_S)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        leaving = tasks.create_task(gathering.again(answered=3, waiting=1))
        tasks.create_task(sending(gathering, leaving))


async def sending(gathering: Gathering, leaving: asyncio.Task[None]) -> None:
    gathering.sent(2)
    assert not leaving.done()
    gathering.sent(1)
    gathering.sent(1)


@pytest.mark.parametrize(("answered", "waiting"), [(0, 3), (1, 3), (8, 33)])
async def test_it_leaves_at_once_where_one_alone_was_answered_or_they_are_many(answered: int, waiting: int) -> None:
    async with asyncio.timeout(5):
        await Gathering(LONG_S).again(answered, waiting)


async def test_it_leaves_without_those_who_do_not_come_back() -> None:
    async with asyncio.timeout(5):
        await Gathering(GATHER_S).again(answered=8, waiting=8)
