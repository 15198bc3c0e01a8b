"""Natural batching: what arrives during a write is the next write, and everyone learns what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from support.waiting import eventually
from tern_common.bus import Message
from tern_common.clock import SystemClock
from tern_common.errors import Transient
from tern_ingest.rounds import Rounds


class Slow:
    """A producer whose writes end when they are let go, one by one, with or without a failure."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []
        self.timeouts: list[float] = []
        self._ends: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def send(self, messages: Sequence[Message], timeout_s: float = 0) -> None:
        self.writes.append([message.value for message in messages])
        self.timeouts.append(timeout_s)
        failure = await self._ends.get()
        if failure:
            raise failure

    def end(self, failure: Exception | None = None) -> None:
        self._ends.put_nowait(failure)

    async def writing(self, count: int) -> None:
        await eventually(lambda: len(self.writes) >= count, 2, f"write {count} is under way")


@asynccontextmanager
async def rounds_on(producer: Slow) -> AsyncIterator[Rounds]:
    rounds = Rounds(producer, SystemClock())
    running = asyncio.ensure_future(rounds.run())
    yield rounds
    running.cancel()
    await asyncio.wait([running])


def message(value: bytes) -> Message:
    return Message("t", b"k", value)


def asking(rounds: Rounds, *values: bytes, timeout_s: float = 9) -> asyncio.Future[None]:
    return asyncio.ensure_future(rounds.send([message(value) for value in values], timeout_s))


async def test_what_arrives_during_a_write_is_the_next_write_in_order() -> None:
    producer = Slow()
    async with rounds_on(producer) as rounds:
        asks = [asking(rounds, b"1")]
        await producer.writing(1)
        asks += [asking(rounds, b"2", b"3"), asking(rounds, b"4")]
        producer.end()
        await producer.writing(2)
        assert asks[0].done()
        assert not asks[1].done()
        producer.end()
        await asyncio.gather(*asks)
    assert producer.writes == [[b"1"], [b"2", b"3", b"4"]]


async def test_a_failed_write_fails_those_who_were_in_it_and_nobody_else() -> None:
    producer = Slow()
    async with rounds_on(producer) as rounds:
        first = asking(rounds, b"1")
        await producer.writing(1)
        second = asking(rounds, b"2")
        producer.end(Transient("gone"))
        producer.end()
        with pytest.raises(Transient, match="gone"):
            await first
        await second


async def test_nobody_waits_longer_than_the_first_of_a_round() -> None:
    producer = Slow()
    async with rounds_on(producer) as rounds:
        first = asking(rounds, b"1", timeout_s=1.5)
        await producer.writing(1)
        second = asking(rounds, b"2", timeout_s=0.0)
        producer.end()
        producer.end()
        await asyncio.gather(first, second)
    assert 1 < producer.timeouts[0] <= 1.5
    assert 0 < producer.timeouts[1] < 0.2


async def test_a_caller_who_went_away_stops_nobody() -> None:
    producer = Slow()
    async with rounds_on(producer) as rounds:
        gone, stays = asking(rounds, b"1"), asking(rounds, b"2")
        await producer.writing(1)
        gone.cancel()
        producer.end()
        await stays
        assert gone.cancelled()


async def test_nothing_is_sent_for_nothing() -> None:
    producer = Slow()
    async with rounds_on(producer) as rounds:
        await rounds.send([])
    assert producer.writes == []


async def test_those_who_wait_when_it_stops_are_told_so() -> None:
    producer = Slow()
    async with rounds_on(producer) as rounds:
        waiting = asking(rounds, b"1")
        await producer.writing(1)
    with pytest.raises(Transient, match="stopping"):
        await waiting
