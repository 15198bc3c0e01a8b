"""Errors of ours in the consume loop: one record's are set aside with it, everybody's end the process (ADR 30)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from io import StringIO

import pytest

from support.running import running
from support.waiting import eventually
from tern_common.blaming import IN_A_ROW, TooManyErrors
from tern_common.bus import Record
from tern_common.clock import ManualClock
from tern_common.consume import Batch, Rest, consume
from tern_common.errors import Misconfigured, Transient, Unusable
from tern_common.fetching import OUR_ERROR, Pacing
from tern_common.insisting import FIRST_PAUSE_S
from tern_common.memory import MemoryBus
from tern_common.meters import PrometheusMeter
from tern_common.metrics import render
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED
from unit.common.consuming import GROUP, Recorder, committed, consuming, event, until_committed

PERSONAL = "ann@example.com"


def failing_for(*texts: str) -> Callable[[list[str]], None]:
    def refuse(items: list[str]) -> None:
        if any(text in items for text in texts):
            raise ValueError(PERSONAL)

    return refuse


def failing_for_all(items: list[str]) -> None:
    if items:
        raise ValueError(PERSONAL)


async def given(*texts: str) -> MemoryBus:
    bus = MemoryBus()
    await bus.producer.send([event("ann", text) for text in texts])
    return bus


def rejected(bus: MemoryBus) -> list[tuple[str | None, bytes]]:
    return [(record.header("reason"), record.value) for record in bus.sent(REJECTED)]


async def test_a_record_that_meets_an_error_of_ours_is_rejected_alone_and_the_others_are_applied_in_order() -> None:
    bus, handler = await given(*map(str, range(8))), Recorder(failing_for("2", "5"))
    async with running(consuming(bus, handler)):
        await until_committed(bus, 8)
    assert handler.applied == ["0", "1", "3", "4", "6", "7"]
    assert rejected(bus) == [(OUR_ERROR, b"2"), (OUR_ERROR, b"5")]
    items, spans = handler.batches[-1]
    assert (items, [span.end for span in spans.values()]) == ([], [8])


async def test_one_whose_effects_cannot_be_published_for_an_error_of_ours_is_rejected_alone() -> None:
    class Publishing(Recorder):
        async def apply(self, batch: Batch[str]) -> Rest:  # type: ignore[override]
            items = list(batch.items)

            async def rest() -> None:
                failing_for("1")(items)
                self.batches.append((items, {}))

            return rest

    bus, handler = await given("0", "1", "2"), Publishing()
    async with running(consuming(bus, handler)):
        await until_committed(bus, 3)
    assert handler.applied == ["0", "2"]
    assert rejected(bus) == [(OUR_ERROR, b"1")]


async def test_what_is_applied_and_cannot_be_published_has_not_passed() -> None:
    class Publishing(Recorder):
        async def apply(self, batch: Batch[str]) -> Rest:  # type: ignore[override]
            items = list(batch.items)

            async def rest() -> None:
                failing_for_all(items)

            return rest

    bus = await given(*map(str, range(IN_A_ROW)))
    with pytest.raises(TooManyErrors):
        await consuming(bus, Publishing(), limit=1)
    assert (await committed(bus), len(rejected(bus))) == (1, 1)


async def test_an_error_that_all_of_a_fetch_meet_ends_the_process_and_rejects_nothing() -> None:
    bus = await given(*map(str, range(50)))
    with pytest.raises(TooManyErrors) as ended:
        await consuming(bus, Recorder(failing_for_all))
    assert isinstance(ended.value.__cause__, ValueError)
    assert (await committed(bus), rejected(bus)) == (0, [])


async def test_while_nothing_passes_the_process_ends_after_ten_in_a_row_and_begun_anew_after_one() -> None:
    bad = [f"bad{number}" for number in range(IN_A_ROW + 3)]
    bus = await given("good", *bad)
    with pytest.raises(TooManyErrors):
        await consuming(bus, Recorder(failing_for(*bad)), limit=1)
    assert [value for _, value in rejected(bus)] == [text.encode() for text in bad[:IN_A_ROW]]
    assert await committed(bus) == 1 + IN_A_ROW
    await bus.__aexit__(None, None, None)
    again = MemoryBus(bus.broker)
    with pytest.raises(TooManyErrors):
        await consuming(again, Recorder(failing_for(*bad)), limit=1)
    assert await committed(bus) == 1 + IN_A_ROW + 1


async def test_any_number_may_fail_while_others_pass() -> None:
    texts = [f"bad{number}" if number % 3 else f"good{number}" for number in range(60)]
    bad = [text for text in texts if text.startswith("bad")]
    bus, handler = await given(*texts), Recorder(failing_for(*bad))
    async with running(consuming(bus, handler, limit=20)):
        await until_committed(bus, 60)
    assert [value.decode() for _, value in rejected(bus)] == bad
    assert handler.applied == [text for text in texts if text not in bad]


async def test_an_error_that_is_not_met_again_rejects_nothing() -> None:
    errors: list[Exception] = [ValueError(PERSONAL), Transient("away")]

    def refuse(_: list[str]) -> None:
        if errors:
            raise errors.pop(0)

    bus, handler = await given("a"), Recorder(refuse)
    async with running(consuming(bus, handler)):
        await until_committed(bus, 1)
    assert (handler.applied, rejected(bus)) == (["a"], [])


async def test_an_error_of_ours_that_is_a_moments_rejects_no_lone_record() -> None:
    clock = ManualClock()
    over = clock.monotonic() + FIRST_PAUSE_S / 2

    def refuse(items: list[str]) -> None:
        if items and clock.monotonic() < over:
            raise ValueError(PERSONAL)

    bus, handler = await given("a"), Recorder(refuse)
    consumer = await bus.subscribe(GROUP, [EVENTS])
    async with running(consume(consumer, handler, Rejecting(bus.producer, "identity"), clock, pace=Pacing(1))):
        await until_committed(bus, 1)
    assert (handler.applied, rejected(bus), handler.attempts) == (["a"], [], 2)


async def test_what_the_database_refuses_keeps_its_own_reason_beside_errors_of_ours() -> None:
    def refuse(items: list[str]) -> None:
        if "1" in items:
            raise Unusable("data-refused-by-database")
        failing_for("3")(items)

    bus, handler = await given("0", "1", "2", "3"), Recorder(refuse)
    async with running(consuming(bus, handler)):
        await until_committed(bus, 4)
    assert rejected(bus) == [("data-refused-by-database", b"1"), (OUR_ERROR, b"3")]
    assert handler.applied == ["0", "2"]


async def test_what_only_an_operator_can_mend_ends_the_process_and_is_no_records_fault() -> None:
    def refuse(items: list[str]) -> None:
        if "1" in items:
            raise Misconfigured("this release cannot read a rule")

    bus = await given("0", "1", "2")
    with pytest.raises(Misconfigured):
        await consuming(bus, Recorder(refuse))
    assert (await committed(bus), rejected(bus)) == (0, [])


async def test_who_is_told_to_stop_while_he_tries_apart_stops_and_rejects_nothing() -> None:
    tried = asyncio.Event()

    class Stuck(Recorder):
        async def apply(self, batch: Batch[str]) -> None:
            failing_for("1")(batch.items) if len(batch.items) > 1 else tried.set()
            await asyncio.Event().wait()

    bus = await given("0", "1")
    async with running(consuming(bus, Stuck())):
        await eventually(tried.is_set, 5, "one is tried alone")
    assert (await committed(bus), rejected(bus)) == (0, [])


class Misreading(Recorder):
    """Its reading errs about what begins with `bad`."""

    def decode(self, record: Record) -> str:
        failing_for("bad")([record.value.decode()[:3]])
        return super().decode(record)


async def test_what_cannot_be_read_for_an_error_of_ours_is_rejected_while_others_can() -> None:
    bus, handler = await given(*(f"bad{number}" for number in range(20)), "good"), Misreading()
    async with running(consuming(bus, handler)):
        await until_committed(bus, 21)
    assert [reason for reason, _ in rejected(bus)] == [OUR_ERROR] * 20
    assert handler.applied == ["good"]


async def test_where_nothing_can_be_read_for_an_error_of_ours_the_process_ends_and_rejects_nothing() -> None:
    bus = await given(*(f"bad{number}" for number in range(20)))
    with pytest.raises(TooManyErrors):
        await consuming(bus, Misreading())
    assert (await committed(bus), rejected(bus)) == (0, [])


async def test_an_error_of_ours_is_logged_with_its_trace_and_place_and_without_its_words(logged: StringIO) -> None:
    bus, handler, meter = await given("0", "bad", "2"), Recorder(failing_for("bad")), PrometheusMeter("erring")
    consumer = await bus.subscribe(GROUP, [EVENTS])
    loop = consume(consumer, handler, Rejecting(bus.producer, "identity"), ManualClock(), pace=Pacing(10), meter=meter)
    async with running(loop):
        await until_committed(bus, 3)
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (told,) = (line for line in lines if "error" in line)
    assert told["level"] == "error"
    assert (told["topic"], told["offset"], told["error"]["type"]) == (EVENTS, 1, "ValueError")
    assert told["error"]["where"][-1].endswith(" refuse")
    assert "causes" not in told["error"]
    assert PERSONAL not in logged.getvalue()
    assert f'tern_rejected_records_total{{loop="erring",reason="{OUR_ERROR}"}} 1.0'.encode() in render()
