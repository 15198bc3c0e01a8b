"""Whoever closes something of aiokafka's waits for it within a bound, whatever it does, and is told how it ended."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import suppress
from io import StringIO

import pytest

from support.waiting import eventually
from tern_common.clock import SystemClock
from tern_common.kafka import connection
from tern_common.kafka.connection import closed


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(connection, "CANCEL_TIMEOUT_S", 0.05)


class Closing:
    """Is not answered, and swallows so many cancellations; then it errs, or is cancelled."""

    def __init__(self, swallows: int = 0, wrong: Exception | None = None) -> None:
        self._swallows = swallows
        self._wrong = wrong
        self.begun, self.answered, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.begun.set()
        try:
            for _ in range(self._swallows):
                with suppress(asyncio.CancelledError):
                    await self.answered.wait()
            await self.answered.wait()
            if self._wrong:
                raise self._wrong
        finally:
            self.ended.set()


def told(logged: StringIO) -> list[str]:
    return [json.loads(line)["error"] for line in logged.getvalue().splitlines()]


async def test_what_is_not_answered_is_ended_and_told(logged: StringIO) -> None:
    closing = Closing()
    async with asyncio.timeout(5):
        await closed("reader", closing())
    assert closing.ended.is_set()
    assert told(logged) == ["TimeoutError"]


async def test_what_swallows_a_cancellation_is_left_behind_and_told(logged: StringIO) -> None:
    closing = Closing(swallows=1)
    async with asyncio.timeout(5):
        await closed("reader", closing())
    assert not closing.ended.is_set()
    closing.answered.set()
    await eventually(closing.ended.is_set, 5, "it has ended")
    assert told(logged) == ["TimeoutError"]


async def test_nobody_is_warned_of_what_an_end_that_was_left_behind_comes_to(logged: StringIO) -> None:
    class Late(Exception): ...

    warned: list[object] = []
    loop = asyncio.get_running_loop()
    usual = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: warned.append(context.get("exception")))
    try:
        closing = Closing(swallows=1, wrong=Late())
        await closed("reader", closing())
        closing.answered.set()
        await eventually(closing.ended.is_set, 5, "it has ended")
        await SystemClock().sleep(0)
        gc.collect()
    finally:
        loop.set_exception_handler(usual)
    assert not any(isinstance(one, Late) for one in warned)


async def test_a_cancellation_that_it_lets_out_is_told_and_not_raised(logged: StringIO) -> None:
    async def lets_a_cancellation_out() -> None:
        raise asyncio.CancelledError

    await closed("reader", lets_a_cancellation_out())
    assert told(logged) == ["CancelledError"]


async def test_an_error_is_told_and_not_raised(logged: StringIO) -> None:
    closing = Closing(wrong=ValueError())
    closing.answered.set()
    await closed("reader", closing())
    assert told(logged) == ["ValueError"]


@pytest.mark.parametrize("swallows", [0, 1])
async def test_whoever_closes_can_be_cancelled(swallows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT_S", 60)
    closing = Closing(swallows)
    closer = asyncio.ensure_future(closed("reader", closing()))
    await closing.begun.wait()
    closer.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait((closer,))
    assert closer.cancelled()
    assert closing.ended.is_set() is (swallows == 0)
    closing.answered.set()
    await closing.ended.wait()
