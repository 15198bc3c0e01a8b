"""Answers that go on for as long as somebody watches, on a memory bus."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from support.waiting import eventually
from support.watching import watching
from tern_common.bus import ALL, Message, Record
from tern_common.clock import ManualClock
from tern_common.errors import Refused, Transient
from tern_common.http.tailing import LINES_HELD, Tails, Window
from tern_common.memory import MemoryBus
from tern_common.topics import EVENTS


def show(record: Record) -> dict[str, object] | None:
    return {"kind": "event", "n": int(record.value)} if record.value.isdigit() else None


def record(value: bytes) -> Record:
    return Record(EVENTS, 0, 0, b"k", value)


class CountedBus(MemoryBus):
    """Knows how many records were read from it."""

    read = 0

    async def tail(
        self, topic: str, from_start: bool = True, starts: Mapping[int, int] = ALL
    ) -> AsyncGenerator[Record, None]:
        async for found in super().tail(topic, from_start, starts):
            yield found
            self.read += 1


class Door:
    """An application that answers everything with a tail."""

    def __init__(self, at_once: int = 8) -> None:
        self.bus = CountedBus()
        self.tails = Tails(self.bus, ManualClock(), at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self.tails.begin({EVENTS: show}))(scope, receive, send)

    async def send(self, *values: int) -> None:
        await self.bus.producer.send([Message(EVENTS, b"k", str(value).encode()) for value in values])


async def test_one_who_watches_is_shown_what_comes_from_now_on_and_nothing_older() -> None:
    door = Door()
    await door.send(1, 2)
    async with watching(door, "/", {}, {}) as watch:
        await watch.told("watching")
        await door.send(3, 4)
        assert [line["n"] for line in await watch.told("event", 2)] == [3, 4]
    assert (watch.status, watch.ended, door.tails.running) == (200, True, 0)


async def test_few_watch_at_once_and_a_place_is_free_when_one_hangs_up() -> None:
    door = Door(at_once=1)
    async with watching(door, "/", {}, {}) as watch:
        await watch.told("watching")
        with pytest.raises(Refused) as refused:
            await door.tails.begin({EVENTS: show})
        assert (refused.value.status, refused.value.code) == (503, "too-many-tails")
    async with watching(door, "/", {}, {}) as again:
        await again.told("watching")


async def test_a_slow_reader_holds_few_lines_and_is_told_how_many_records_were_passed_over() -> None:
    door = Door()
    async with watching(door, "/", {}, {}) as watch:
        await watch.told("watching")
        watch.gate.clear()
        await door.send(*range(LINES_HELD + 1_000))
        await eventually(lambda: door.bus.read == LINES_HELD + 1_000, 5, "all is read")
        watch.gate.set()
        (note,) = await watch.told("passed-over")
        shown = len([line for line in watch.lines if line["kind"] == "event"])
        assert note["records"] + shown == LINES_HELD + 1_000
        assert shown <= LINES_HELD + 200


async def test_without_news_an_empty_line_shows_that_the_platform_is_there() -> None:
    window = Window()
    assert await window.take(0.0) == b"\n"


async def test_a_window_that_is_full_counts_what_it_has_no_room_for() -> None:
    window = Window(most=2)
    for value in (b"1", b"none", b"2", b"3", b"4"):
        window.offer(record(value), show)
    lines: list[Any] = [json.loads(line) for line in (await window.take(1.0)).splitlines()]
    assert lines == [{"kind": "event", "n": 1}, {"kind": "event", "n": 2}, {"kind": "passed-over", "records": 2}]


async def test_who_watches_does_not_hold_up_a_stop_and_his_answer_ends_well() -> None:
    door = Door()
    async with watching(door, "/", {}, {}) as watch:
        await watch.told("watching")
        door.tails.stopping.set()
        await eventually(lambda: watch.ended, 5, "the answer ends")
        assert (watch.whole, door.tails.running) == (True, 0)


async def test_no_tail_begins_while_the_broker_is_away() -> None:
    door = Door()
    door.bus.fail_with(Transient("away"))
    with pytest.raises(Transient):
        await door.tails.begin({EVENTS: show})
