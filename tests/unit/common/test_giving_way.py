"""The backfill lane gives way: it reads only while the live lane is fresh, stays a member, and never blocks itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from support.running import running
from support.waiting import eventually
from tern_common.bus import Message
from tern_common.clock import ManualClock
from tern_common.consume import consume
from tern_common.errors import Transient
from tern_common.fetching import Pacing
from tern_common.giving_way import GivingWay
from tern_common.lanes import BackfillPolicy
from tern_common.memory import MemoryBus
from tern_common.metrics import render
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS_BACKFILL
from unit.common.consuming import Recorder

GROUP = "identity-backfill"
POLICY = BackfillPolicy()
SECOND = timedelta(seconds=1)


class Lane:
    """A loop of the backfill lane beside a live lane whose safe time is set by hand."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.clock = ManualClock()
        self.live: datetime | None = None
        self.handler = Recorder()
        self.looks = 0

    def look(self) -> datetime | None:
        self.looks += 1
        return self.live

    async def loop(self) -> None:
        consumer = GivingWay(await self.bus.subscribe(GROUP, [EVENTS_BACKFILL]), self.look, self.clock, POLICY, GROUP)
        await consume(consumer, self.handler, Rejecting(self.bus.producer, "identity"), self.clock, pace=Pacing(2))

    async def bring(self, *texts: str) -> None:
        await self.bus.producer.send([Message(EVENTS_BACKFILL, b"k", text.encode()) for text in texts])

    async def committed(self) -> int:
        return sum((await self.bus.log.committed(GROUP, EVENTS_BACKFILL)).values())

    def has_committed(self, records: int) -> Callable[[], Awaitable[bool]]:
        async def has() -> bool:
            return await self.committed() == records

        return has

    async def some_looks(self) -> None:
        goal = self.looks + 10
        await eventually(lambda: self.looks >= goal, 5, "it looks on")


async def test_nothing_is_read_before_anything_is_known_of_the_live_lane_nor_while_it_is_behind() -> None:
    lane = Lane()
    await lane.bring("a", "b", "c")
    async with running(lane.loop()):
        await lane.some_looks()
        assert lane.handler.applied == []
        assert b'tern_backfill_gives_way{loop="identity-backfill"} 1.0' in render()
        lane.live = lane.clock.now() - POLICY.give_way_after - SECOND
        await lane.some_looks()
        assert lane.handler.applied == []
        lane.live = lane.clock.now() + timedelta(days=1)
        await eventually(lambda: lane.handler.applied == ["a", "b", "c"], 5, "the live lane is fresh")
        await eventually(lane.has_committed(3), 5, "all of it is committed")


async def test_while_the_live_lane_is_late_a_batch_a_second_is_read() -> None:
    lane = Lane()
    await lane.bring("a", "b", "c", "d")
    joined = await lane.bus.subscribe(GROUP, [EVENTS_BACKFILL])
    consumer = GivingWay(joined, lane.look, lane.clock, POLICY, GROUP)

    async def read(age: timedelta) -> list[bytes]:
        lane.live = lane.clock.now() - age
        return [record.value for record in (await consumer.poll(1, 0)).records]

    late = POLICY.slow_after + SECOND
    assert [await read(late), await read(late)] == [[b"a"], []]
    lane.clock.advance(SECOND)
    assert [await read(late), await read(late)] == [[b"b"], []]
    assert [await read(POLICY.slow_after), await read(POLICY.slow_after)] == [[b"c"], [b"d"]]


async def test_a_jump_of_the_clock_stops_it_until_the_live_lane_has_caught_up() -> None:
    lane = Lane()
    lane.live = lane.clock.now() + timedelta(hours=1)
    async with running(lane.loop()):
        await lane.bring("a")
        await eventually(lambda: lane.handler.applied == ["a"], 5, "it reads")
        lane.clock.advance(timedelta(days=90))
        await lane.some_looks()
        await lane.bring("b")
        await lane.some_looks()
        assert lane.handler.applied == ["a"]
        lane.live = lane.clock.now() + timedelta(hours=1)
        await eventually(lambda: lane.handler.applied == ["a", "b"], 5, "the live lane needed nothing of this one")


async def test_what_is_in_hand_is_brought_to_its_end_and_committed_while_it_waits() -> None:
    lane = Lane()
    lane.live = lane.clock.now() + timedelta(hours=1)

    class Falling(Recorder):
        async def apply(self, batch: object) -> None:
            lane.live = None
            await super().apply(batch)  # type: ignore[arg-type]

    lane.handler = Falling()
    await lane.bring("a", "b", "c", "d", "e", "f")
    async with running(lane.loop()):
        await eventually(lambda: lane.handler.applied, 5, "a batch")
        await lane.some_looks()
        applied = len(lane.handler.applied)
        assert applied == await lane.committed()
        assert applied == 2


async def test_a_pause_that_the_loop_asked_for_is_not_ended_by_giving_way() -> None:
    lane = Lane()
    await lane.bring("a")
    joined = await lane.bus.subscribe(GROUP, [EVENTS_BACKFILL])
    consumer = GivingWay(joined, lane.look, lane.clock, POLICY, GROUP)
    consumer.pause()
    assert (await consumer.poll(10, 0.1)).records == []
    lane.live = lane.clock.now() + timedelta(hours=1)
    assert (await consumer.poll(10, 0.1)).records == []
    consumer.resume()
    poll = await consumer.poll(10, 0.1)
    assert [record.value for record in poll.records] == [b"a"]
    assert consumer.holds(poll)
    assert consumer.assigned() == joined.assigned()


async def test_a_broker_that_is_away_while_it_gives_way_leaves_no_pause_behind() -> None:
    lane = Lane()
    await lane.bring("a")
    consumer = GivingWay(await lane.bus.subscribe(GROUP, [EVENTS_BACKFILL]), lane.look, lane.clock, POLICY, GROUP)
    lane.bus.fail_with(Transient("away"))
    with pytest.raises(Transient):
        await consumer.poll(10, 0)
    lane.bus.recover()
    lane.live = lane.clock.now() + timedelta(hours=1)
    assert [record.value for record in (await consumer.poll(10, 0.1)).records] == [b"a"]
