"""A loop beside the live stream stands still where nothing passes, loses nothing, and goes on once something does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import StringIO
from itertools import pairwise

import pytest

from support.running import running
from support.waiting import eventually
from tern_common.blaming import IN_A_ROW
from tern_common.bus import Consumer, Poll, Record
from tern_common.clock import ManualClock
from tern_common.consume import Batch, Rest, consume
from tern_common.consume.standing import FIRST_PAUSE_S, LONGEST_PAUSE_S
from tern_common.errors import Misconfigured, Unusable
from tern_common.fetching import OUR_ERROR, Pacing
from tern_common.memory import MemoryBus
from tern_common.meters import PrometheusMeter
from tern_common.metrics import render
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED
from unit.common.consuming import GROUP, Recorder, committed, event, until_committed

pytestmark = pytest.mark.usefixtures("logged")

PERSONAL = "ann@example.com"


@dataclass
class Erring(Recorder):
    """Errs about what begins with `bad`, until it is mended. `tries`: when the first of a fetch was tried."""

    mended: bool = False
    clock: ManualClock = field(default_factory=ManualClock)
    tries: list[float] = field(default_factory=list)

    async def apply(self, batch: Batch[str]) -> None:
        if batch.spans:
            self.tries.append(self.clock.monotonic())
        if not self.mended and any(text.startswith("bad") for text in batch.items):
            raise ValueError(PERSONAL)
        await super().apply(batch)

    def tried(self, times: int) -> Callable[[], bool]:
        goal = len(self.tries) + times
        return lambda: len(self.tries) >= goal


async def standing(bus: MemoryBus, handler: Recorder, clock: ManualClock | None = None, limit: int = 100) -> None:
    consumer = await bus.subscribe(GROUP, [EVENTS])
    await consume_beside(consumer, bus, handler, clock or ManualClock(), limit)


async def consume_beside(
    consumer: Consumer, bus: MemoryBus, handler: Recorder, clock: ManualClock, limit: int = 100
) -> None:
    rejecting = Rejecting(bus.producer, "identity")
    pace, meter = Pacing(limit, stands=True), PrometheusMeter("beside")
    await consume(consumer, handler, rejecting, clock, pace=pace, meter=meter)


async def given(*texts: str) -> MemoryBus:
    bus = MemoryBus()
    await bus.producer.send([event("ann", text) for text in texts])
    return bus


def bad(count: int) -> list[str]:
    return [f"bad{number}" for number in range(count)]


def committing(bus: MemoryBus, records: int) -> Callable[[], Awaitable[bool]]:
    async def has() -> bool:
        return await committed(bus) == records

    return has


async def test_where_nothing_passes_it_stands_and_goes_on_once_something_does_and_nothing_is_lost() -> None:
    bus, handler = await given(*bad(20)), Erring()
    async with running(standing(bus, handler)):
        await eventually(handler.tried(5), 5, "it is tried again and again")
        assert (await committed(bus), bus.sent(REJECTED)) == (0, [])
        handler.mended = True
        await until_committed(bus, 20)
    assert handler.applied == bad(20)
    assert bus.sent(REJECTED) == []


async def test_pauses_grow_to_a_minute() -> None:
    clock = ManualClock()
    bus, handler = await given(*bad(4)), Erring(clock=clock)
    async with running(standing(bus, handler, clock)):
        await eventually(handler.tried(30), 5, "thirty tries")
    rounds = [pause for before, after in pairwise(handler.tries) if (pause := after - before) >= FIRST_PAUSE_S]
    assert rounds[:7] == pytest.approx([1, 2, 4, 8, 16, 32, 60], abs=0.2)
    assert max(rounds) == pytest.approx(LONGEST_PAUSE_S, abs=0.2)


async def test_its_member_polls_on_while_it_stands_and_reads_nothing() -> None:
    clock = ManualClock()
    bus, handler = await given(*bad(4)), Erring(clock=clock)
    joined, polls = await bus.subscribe(GROUP, [EVENTS]), list[tuple[float, Poll]]()
    usual = joined.poll

    async def poll(limit: int, wait_s: float) -> Poll:
        polls.append((clock.monotonic(), await usual(limit, wait_s)))
        return polls[-1][1]

    joined.poll = poll  # type: ignore[method-assign]
    async with running(consume_beside(joined, bus, handler, clock)):
        await eventually(handler.tried(20), 5, "it stands for minutes")
        await bus.producer.send([event("ann", "later")])
        await eventually(handler.tried(4), 5, "it stands on")
    assert max(after - before for (before, _), (after, _) in pairwise(polls)) < 2
    assert sum(len(found.records) for _, found in polls) == 4


async def test_who_is_told_to_stop_while_it_stands_stops_at_once_and_another_process_begins_where_it_stood() -> None:
    asleep = asyncio.Event()

    class Endless(ManualClock):
        async def sleep(self, seconds: float) -> None:
            if seconds < FIRST_PAUSE_S:
                await super().sleep(seconds)
            else:
                asleep.set()
                await asyncio.Event().wait()

    bus, mended = await given(*bad(20)), Erring(mended=True)
    async with running(standing(bus, Erring(), Endless())):
        await eventually(asleep.is_set, 5, "it stands")
    assert b'tern_loop_stands_still{loop="beside"} 0.0' in render()
    await bus.__aexit__(None, None, None)
    again = MemoryBus(bus.broker)
    async with running(standing(again, mended)):
        await until_committed(again, 20)
    assert (mended.applied, bus.sent(REJECTED)) == (bad(20), [])


async def test_partitions_that_are_dealt_anew_while_it_stands_are_given_up_and_each_goes_on_with_its_own() -> None:
    """The other is of the next release, and does not err."""
    bus = MemoryBus()
    await bus.producer.send([event(f"key{number}", f"bad{number}") for number in range(40)])
    handler, other = Erring(), Erring(mended=True)
    async with running(standing(bus, handler)):
        await eventually(handler.tried(3), 5, "it stands")
        async with running(standing(MemoryBus(bus.broker), other)):

            async def has_its_share() -> bool:
                return 0 < await committed(bus) == len(other.applied)

            await eventually(has_its_share, 5, "the other has what it was dealt")
            await eventually(handler.tried(3), 5, "this one stands on for the rest")
            assert await committed(bus) == len(other.applied) < 40
        handler.mended = True
        await until_committed(bus, 40)
    assert sorted([*handler.applied, *other.applied]) == sorted(f"bad{number}" for number in range(40))


async def test_what_is_behind_a_fetch_that_was_given_up_is_not_committed_before_it() -> None:
    """The first fetch cannot be published, and stands; the second one is applied by then."""

    @dataclass
    class Publishing(Erring):
        async def apply(self, batch: Batch[str]) -> Rest:  # type: ignore[override]
            items, spans = list(batch.items), dict(batch.spans)

            async def rest() -> None:
                await super(Publishing, self).apply(Batch(items, spans))

            return rest

    many = IN_A_ROW + 1
    behind = [f"behind{number}" for number in range(many)]
    bus, handler = await given(*bad(many), *behind), Publishing()
    async with running(standing(bus, handler, limit=many)):
        await eventually(handler.tried(3), 5, "the first stands")
        other = MemoryBus(bus.broker)
        await other.subscribe(GROUP, [EVENTS])
        await other.__aexit__(None, None, None)
        await eventually(lambda: handler.applied == behind, 5, "the first is given up")
        await eventually(handler.tried(3), 5, "and read again")
        assert await committed(bus) == 0
        handler.mended = True
        await until_committed(bus, 2 * many)
    assert handler.applied == [*behind, *bad(many), *behind]


async def test_where_nothing_can_be_read_it_stands_and_what_came_before_is_committed() -> None:
    @dataclass
    class Misreading(Recorder):
        mended: bool = False

        def decode(self, record: Record) -> str:
            if record.value.startswith(b"bad") and not self.mended:
                raise ValueError(PERSONAL)
            return super().decode(record)

    good = [f"good{number}" for number in range(IN_A_ROW + 1)]
    bus, handler = await given(*good, *bad(len(good)), "later"), Misreading()
    async with running(standing(bus, handler, limit=len(good))):
        await until_committed(bus, len(good))
        await eventually(lambda: b'tern_loop_stands_still{loop="beside"} 1.0' in render(), 5, "it stands")
        handler.mended = True
        await until_committed(bus, 2 * len(good) + 1)
    assert handler.applied == [*good, *bad(len(good)), "later"]
    assert bus.sent(REJECTED) == []


async def test_what_cannot_be_read_is_given_up_too_where_partitions_are_dealt_anew() -> None:
    class Misreading(Recorder):
        reads = 0

        def decode(self, record: Record) -> str:
            self.reads += 1
            raise ValueError(record.value.decode())

    bus, handler = await given(*bad(4)), Misreading()
    async with running(standing(bus, handler)):
        await eventually(lambda: handler.reads > 8, 5, "it stands")
        other = MemoryBus(bus.broker)
        await other.subscribe(GROUP, [EVENTS])
        await other.__aexit__(None, None, None)
        goal = handler.reads + 12
        await eventually(lambda: handler.reads > goal, 5, "it stands on")
    assert (handler.batches, await committed(bus), bus.sent(REJECTED)) == ([], 0, [])


async def test_what_can_never_be_applied_is_rejected_once_however_often_the_fetch_was_tried() -> None:
    def refuse(items: list[str]) -> None:
        if "odd" in items:
            raise Unusable("data-refused-by-database")

    bus, handler = await given("odd", *bad(3)), Erring(refuse)
    async with running(standing(bus, handler)):
        await eventually(handler.tried(6), 5, "it stands")
        assert bus.sent(REJECTED) == []
        handler.mended = True
        await until_committed(bus, 4)
    assert [one.header("reason") for one in bus.sent(REJECTED)] == ["data-refused-by-database"]
    assert handler.applied == bad(3)


async def test_it_stands_too_where_a_batch_of_nothing_errs() -> None:
    errors: list[Exception] = [ZeroDivisionError() for _ in range(7)]

    def refuse(items: list[str]) -> None:
        if errors:
            raise errors.pop()

    bus, handler = await given("poison"), Recorder(refuse)
    async with running(standing(bus, handler)):
        await until_committed(bus, 1)
    assert errors == []


async def test_it_rejects_ten_in_a_row_and_stands_before_the_eleventh() -> None:
    bus, handler = await given("good", *bad(13)), Erring()
    async with running(standing(bus, handler, limit=1)):
        await eventually(committing(bus, 1 + IN_A_ROW), 5, "ten of them")
        await eventually(handler.tried(6), 5, "and no more")
        assert await committed(bus) == 1 + IN_A_ROW
        handler.mended = True
        await until_committed(bus, 14)
    assert [one.header("reason") for one in bus.sent(REJECTED)] == [OUR_ERROR] * IN_A_ROW
    assert handler.applied == ["good", *bad(13)[IN_A_ROW:]]


async def test_what_only_an_operator_can_mend_ends_the_process_all_the_same() -> None:
    def refuse(_: list[str]) -> None:
        raise Misconfigured("this release cannot read a rule")

    with pytest.raises(Misconfigured):
        await standing(await given("a", "b"), Recorder(refuse))


async def test_that_it_stands_is_told_with_what_to_do_and_without_words_of_the_error(logged: StringIO) -> None:
    bus, handler = await given(*bad(3)), Erring()
    async with running(standing(bus, handler)):
        await eventually(handler.tried(5), 5, "it stands")
        assert b'tern_loop_stands_still{loop="beside"} 1.0' in render()
        handler.mended = True
        await until_committed(bus, 3)
    assert b'tern_loop_stands_still{loop="beside"} 0.0' in render()
    told = [line for line in map(json.loads, logged.getvalue().splitlines()) if "stands still" in line["message"]]
    assert "mend the error" in told[0]["message"]
    assert (told[0]["level"], told[0]["topic"], told[0]["offset"], told[0]["records"]) == ("error", EVENTS, 0, 3)
    assert told[0]["error"]["type"] == "ValueError"
    assert told[1]["seconds"] > told[0]["seconds"]
    assert PERSONAL not in logged.getvalue()
