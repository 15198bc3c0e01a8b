"""What a loop has in hand for its next turn: everything once, in order, and nothing that is somebody else's by then."""

from __future__ import annotations

import asyncio

from tern_common.bus import Message, Place, Record, Span
from tern_common.clock import ManualClock
from tern_common.errors import Poison, Transient
from tern_common.fetching import (
    EACH_LINGERS_S,
    LINGER_S,
    LONGEST_LINGER_S,
    OUR_ERROR,
    STREAM_LINGER_S,
    Fetched,
    Fetching,
    Pacing,
)
from tern_common.memory import MemoryBroker, MemoryBus
from tern_common.topics import Topic

PLACE = Place("t", 0)
FOR_EVER_S = 3600.0


class Turns(ManualClock):
    """Counts how often others were given a turn, and notes for how long each time."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0
        self.lingered: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.given += 1
        self.lingered.append(seconds)
        await super().sleep(seconds)


def read(record: Record) -> str:
    if record.value == b"bad":
        raise Poison("not-an-event")
    if record.value == b"vast":
        raise OverflowError
    return record.value.decode()


class Obliging(MemoryBroker):
    """Whoever waits is brought something."""

    async def news(self, wait_s: float | None) -> None:
        if wait_s:
            self.append([Message("t", b"k", b"new")])


class Stage:
    """One partition, and one who fetches from it."""

    def __init__(self, broker: type[MemoryBroker] = MemoryBroker) -> None:
        self.bus = MemoryBus(broker([Topic("t", 1)]))
        self.clock = Turns()

    async def begin(self, limit: int) -> Fetching[str]:
        return Fetching(await self.bus.subscribe("g", ["t"]), read, self.clock, Pacing(limit))

    async def send(self, *texts: str) -> None:
        await self.bus.producer.send([Message("t", b"k", text.encode()) for text in texts])


def items(fetched: Fetched[str]) -> list[str]:
    return [item for _, item in fetched.decoded]


async def test_what_was_read_ahead_and_what_came_since_are_one_fetch_up_to_the_limit() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=5)
    await stage.send("a", "bad", "c")
    await fetching.ahead()
    await stage.send("d", "bad", "f")
    first = await fetching.next(FOR_EVER_S)
    assert items(first) == ["a", "c", "d"]
    assert [record.offset for _, record in first.poisoned] == [1, 4]
    assert first.spans == {PLACE: Span(0, 5)}
    assert (await fetching.next(FOR_EVER_S)).spans == {PLACE: Span(5, 6)}


async def test_a_record_that_meets_an_error_of_ours_is_rejected_by_itself_and_stops_nothing_behind_it() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=5)
    await stage.send("a", "vast", "vast", "d")
    found = await fetching.next(FOR_EVER_S)
    assert items(found) == ["a", "d"]
    assert [(reason, record.offset) for reason, record in found.poisoned] == [(OUR_ERROR, 1), (OUR_ERROR, 2)]
    assert found.spans == {PLACE: Span(0, 4)}


class Coming(Turns):
    """A clock that brings a record at the end of each sleep."""

    def __init__(self, stage: Stage, *coming: str) -> None:
        super().__init__()
        self._stage = stage
        self._coming = list(coming)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self._coming:
            await self._stage.send(self._coming.pop(0))


async def test_a_stream_is_read_after_its_rest_which_is_longer_the_more_it_brought() -> None:
    stage = Stage()
    stage.clock = Coming(stage, "b", "c", "d")
    fetching = await stage.begin(limit=5)
    await stage.send("a")
    assert items(await fetching.next(FOR_EVER_S)) == ["a", "b"]
    assert items(await fetching.next(FOR_EVER_S)) == ["c"]
    assert items(await fetching.next(FOR_EVER_S)) == ["d"]
    assert stage.clock.lingered == [LINGER_S, STREAM_LINGER_S + 2 * EACH_LINGERS_S, STREAM_LINGER_S + EACH_LINGERS_S]


async def test_no_stream_rests_for_longer_than_a_bound() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=5_000)
    await stage.send(*map(str, range(2_000)))
    assert (await fetching.next(0)).size == 2_000
    stage.clock.lingered.clear()
    await stage.send("a")
    assert items(await fetching.next(FOR_EVER_S)) == ["a"]
    assert stage.clock.lingered == [LONGEST_LINGER_S]


async def test_of_a_stream_the_client_is_asked_for_what_came_since_too() -> None:
    stage = Stage(Obliging)
    fetching = await stage.begin(limit=5)
    await stage.send("a")
    await fetching.next(FOR_EVER_S)
    await stage.send("b")
    assert items(await fetching.next(FOR_EVER_S)) == ["b", "new"]


async def test_one_who_was_waited_for_waits_a_moment_for_company_in_a_stream_too() -> None:
    stage = Stage(Obliging)
    fetching = await stage.begin(limit=5)
    await stage.send("a")
    await fetching.next(FOR_EVER_S)
    stage.clock.lingered.clear()
    assert items(await fetching.next(FOR_EVER_S)) == ["new"]
    assert stage.clock.lingered == [STREAM_LINGER_S + EACH_LINGERS_S, LINGER_S]


async def test_few_wait_no_longer_than_a_moment_where_an_applied_batch_waits_for_them() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=5)
    await stage.send("a")
    assert items(await fetching.next(0)) == ["a"]
    assert stage.clock.lingered == [LINGER_S]


async def test_who_has_something_in_hand_waits_for_no_more() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=5)
    await stage.send("a")
    await fetching.ahead()
    async with asyncio.timeout(5):
        assert items(await fetching.next(FOR_EVER_S)) == ["a"]


async def test_a_broker_that_is_away_takes_nothing_that_is_in_hand() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=5)
    await stage.send("a")
    await fetching.ahead()
    stage.bus.fail_with(Transient("away"))
    for _ in range(2):
        try:
            await fetching.next(0)
        except Transient:
            continue
        raise AssertionError("it did not ask")
    stage.bus.recover()
    assert items(await fetching.next(FOR_EVER_S)) == ["a"]


async def test_reading_ahead_from_a_broker_that_is_away_is_no_error_yet() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=5)
    await stage.send("a")
    stage.bus.fail_with(Transient("away"))
    await fetching.ahead()
    stage.bus.recover()
    assert items(await fetching.next(FOR_EVER_S)) == ["a"]


async def test_what_was_dealt_anew_is_forgotten_and_read_again_from_the_committed_offset() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=2)
    await stage.send("a", "b", "c")
    await fetching.ahead()
    other = MemoryBus(stage.bus.broker)
    async with other:
        await other.subscribe("g", ["t"])
    assert items(await fetching.next(FOR_EVER_S)) == ["a", "b"]
    assert items(await fetching.next(FOR_EVER_S)) == ["c"]


async def test_decoding_much_gives_others_their_turn() -> None:
    stage = Stage()
    fetching = await stage.begin(limit=1000)
    await stage.send(*map(str, range(1000)))
    assert len(items(await fetching.next(FOR_EVER_S))) == 1000
    assert stage.clock.given > 5
