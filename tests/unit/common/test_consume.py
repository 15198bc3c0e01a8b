"""The consume loop: what it promises about order, poison, retries and commits (architecture §4)."""

from __future__ import annotations

import pytest

from support.running import running
from support.waiting import eventually
from tern_common.blaming import TooManyErrors
from tern_common.bus import Message, Producer
from tern_common.clock import ManualClock
from tern_common.consume import Batch, consume
from tern_common.errors import Transient, Unusable
from tern_common.fetching import Pacing
from tern_common.memory import MemoryBus
from tern_common.meters import PrometheusMeter
from tern_common.metrics import render
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED
from unit.common.consuming import GROUP, Recorder, committed, consuming, event, until_committed


async def test_a_fetch_is_one_batch_with_its_spans_and_is_committed_after_it() -> None:
    bus, handler = MemoryBus(), Recorder()
    await bus.producer.send([event("ann", "a"), event("ann", "b"), event("bob", "c")])
    async with running(consuming(bus, handler)):
        await until_committed(bus, 3)
    ((items, spans),) = handler.batches
    assert sorted(items) == ["a", "b", "c"]
    assert items.index("a") < items.index("b")
    assert sum(span.end - span.start for span in spans.values()) == 3


async def test_the_limit_bounds_a_batch() -> None:
    bus, handler = MemoryBus(), Recorder()
    await bus.producer.send([event("ann", str(n)) for n in range(10)])
    async with running(consuming(bus, handler, limit=4)):
        await until_committed(bus, 10)
    assert [len(items) for items, _ in handler.batches] == [4, 4, 2]


async def test_nothing_is_committed_before_it_is_applied() -> None:
    bus, seen = MemoryBus(), list[int]()

    class Watching(Recorder):
        async def apply(self, batch: Batch[str]) -> None:
            seen.append(await committed(bus))
            await super().apply(batch)

    await bus.producer.send([event("ann", str(n)) for n in range(6)])
    async with running(consuming(bus, Watching(), limit=2)):
        await until_committed(bus, 6)
    assert seen == [0, 2, 4]


async def test_a_poison_record_is_rejected_alone_with_its_bytes_and_the_reason() -> None:
    bus, handler = MemoryBus(), Recorder()
    poison = b'poison {"source_id": "shop"}'
    await bus.producer.send(
        [event("ann", "a"), Message(EVENTS, b"ann", poison, (("mode", b"live"),)), event("ann", "b")]
    )
    async with running(consuming(bus, handler)):
        await until_committed(bus, 3)
    (rejected,) = bus.sent(REJECTED)
    assert rejected.value == poison
    assert rejected.key == EVENTS.encode()  # not JSON: the source cannot be read
    assert rejected.header("reason") == "not-an-event"
    assert rejected.header("service") == "identity"
    assert (rejected.header("place") or "").startswith(f"{EVENTS}/")
    assert rejected.header("key") == "ann"
    assert rejected.header("mode") == "live"
    assert handler.applied == ["a", "b"]


async def test_a_batch_of_nothing_but_poison_still_hands_over_its_spans() -> None:
    bus, handler = MemoryBus(), Recorder()
    await bus.producer.send([event("ann", "poison")])
    async with running(consuming(bus, handler)):
        await until_committed(bus, 1)
    ((items, spans),) = handler.batches
    assert items == []
    assert [span.end for span in spans.values()] == [1]


async def test_an_unusable_record_is_found_by_halving_and_the_others_are_applied_in_order() -> None:
    def refuse(items: list[str]) -> None:
        if "5" in items:
            raise Unusable("data-refused-by-database")

    bus, handler = MemoryBus(), Recorder(refuse)
    await bus.producer.send([event("ann", str(n)) for n in range(8)])
    async with running(consuming(bus, handler)):
        await until_committed(bus, 8)
    assert handler.applied == ["0", "1", "2", "3", "4", "6", "7"]
    (rejected,) = bus.sent(REJECTED)
    assert rejected.value == b"5"
    assert rejected.header("reason") == "data-refused-by-database"


async def test_only_the_last_part_of_a_halved_batch_carries_the_spans() -> None:
    def refuse(items: list[str]) -> None:
        if len(items) > 1:
            raise Unusable("too-much")

    bus, handler = MemoryBus(), Recorder(refuse)
    await bus.producer.send([event("ann", str(n)) for n in range(4)])
    async with running(consuming(bus, handler)):
        await until_committed(bus, 4)
    *parts, (items, spans) = handler.batches
    assert [part for part, _ in parts] == [["0"], ["1"], ["2"], ["3"]]
    assert all(part_spans == {} for _, part_spans in parts)
    assert items == []
    assert [span.end for span in spans.values()] == [4]


async def test_a_transient_error_retries_the_same_batch_until_it_is_in() -> None:
    left = [Transient("database away")] * 5

    def refuse(_: list[str]) -> None:
        if left:
            raise left.pop()

    bus, handler = MemoryBus(), Recorder(refuse)
    await bus.producer.send([event("ann", "a"), event("ann", "b")])
    async with running(consuming(bus, handler)):
        await until_committed(bus, 2)
    assert handler.attempts == 6
    assert handler.applied == ["a", "b"]
    assert bus.sent(REJECTED) == []


async def test_a_batch_that_is_too_much_at_once_is_applied_in_parts_and_rejects_nothing() -> None:
    def too_slow(texts: list[str]) -> None:
        if len(texts) > 2:
            raise Transient("the database asks to try again (57014)")

    bus, handler = MemoryBus(), Recorder(too_slow)
    await bus.producer.send([event("ann", str(number)) for number in range(7)])
    async with running(consuming(bus, handler)):
        await until_committed(bus, 7)
    assert handler.applied == [str(number) for number in range(7)]
    assert [bool(spans) for _, spans in handler.batches] == [False] * (len(handler.batches) - 1) + [True]
    assert bus.sent(REJECTED) == []


async def test_a_transient_error_inside_a_half_is_no_reason_to_reject() -> None:
    errors: list[Exception] = [Unusable("odd"), Transient("away"), Transient("away")]

    def refuse(_: list[str]) -> None:
        if errors:
            raise errors.pop(0)

    bus, handler = MemoryBus(), Recorder(refuse)
    await bus.producer.send([event("ann", str(n)) for n in range(4)])
    async with running(consuming(bus, handler)):
        await until_committed(bus, 4)
    assert handler.applied == ["0", "1", "2", "3"]
    assert bus.sent(REJECTED) == []


async def test_while_a_batch_is_retried_the_member_polls_but_reads_nothing() -> None:
    bus, polls = MemoryBus(), list[int]()
    consumer = await bus.subscribe(GROUP, [EVENTS])
    broken = [True]

    def refuse(_: list[str]) -> None:
        if broken and len(polls) > 3:
            broken.clear()
        if broken:
            raise Transient("database away")

    class Watched:
        pause, resume, assigned = consumer.pause, consumer.resume, consumer.assigned
        commit, holds = consumer.commit, consumer.holds

        async def poll(self, limit: int, wait_s: float) -> object:
            poll = await consumer.poll(limit, wait_s)
            polls.append(len(poll.records))
            await bus.producer.send([event("ann", "later")] if len(polls) == 2 else [])
            return poll

    handler = Recorder(refuse)
    await bus.producer.send([event("ann", "first")])
    loop = consume(Watched(), handler, Rejecting(bus.producer, "x"), ManualClock(), pace=Pacing(10))  # type: ignore[arg-type]
    async with running(loop):
        await until_committed(bus, 2)
    assert polls[:4] == [1, 0, 0, 0]
    assert handler.applied == ["first", "later"]


async def test_what_cannot_be_rejected_is_not_committed() -> None:
    bus, handler = MemoryBus(), Recorder()
    refusing = [True]

    class NoRoom:
        async def send(self, messages: object, timeout_s: float = 1) -> None:  # noqa: ARG002 - the protocol's names
            if refusing:
                handler.attempts += 1
                raise Transient("topic refuses writes")

    consumer = await bus.subscribe(GROUP, [EVENTS])
    await bus.producer.send([event("ann", "poison")])
    producer: Producer = NoRoom()
    async with running(consume(consumer, handler, Rejecting(producer, "x"), ManualClock(), pace=Pacing(10))):
        await eventually(lambda: handler.attempts > 5, 5, "several attempts to reject")
        assert await committed(bus) == 0
        refusing.clear()
        await until_committed(bus, 1)


async def test_a_broker_that_comes_back_is_read_again() -> None:
    bus, handler = MemoryBus(), Recorder()
    async with running(consuming(bus, handler)):
        await eventually(lambda: GROUP in bus.broker.groups, 5, "joined")
        bus.fail_with(Transient("broker away"))
        await eventually(lambda: bus.broker.broken, 1, "away")
        bus.recover()
        await bus.producer.send([event("ann", "a")])
        await until_committed(bus, 1)
    assert handler.applied == ["a"]


async def test_a_bug_that_a_batch_of_nothing_meets_ends_the_process() -> None:
    def refuse(_: list[str]) -> None:
        raise ZeroDivisionError

    bus = MemoryBus()
    await bus.producer.send([event("ann", "a")])
    with pytest.raises(TooManyErrors) as ended:
        await consuming(bus, Recorder(refuse))
    assert isinstance(ended.value.__cause__, ZeroDivisionError)
    assert await committed(bus) == 0


async def test_spans_that_cannot_be_stored_are_a_bug_not_a_poison() -> None:
    def refuse(items: list[str]) -> None:
        if not items:
            raise Unusable("position")

    bus = MemoryBus()
    await bus.producer.send([event("ann", "poison")])
    with pytest.raises(TooManyErrors) as ended:
        await consuming(bus, Recorder(refuse))
    assert isinstance(ended.value.__cause__, Unusable)
    assert await committed(bus) == 0


async def test_what_a_loop_does_is_counted_under_its_name() -> None:
    left = [Transient("database away")]

    def refuse(_: list[str]) -> None:
        if left:
            raise left.pop()

    bus, meter = MemoryBus(), PrometheusMeter("test-loop")
    consumer = await bus.subscribe(GROUP, [EVENTS])
    await bus.producer.send([event("ann", "a"), event("ann", "b"), event("ann", "poison")])
    rejecting = Rejecting(bus.producer, "identity")
    loop = consume(consumer, Recorder(refuse), rejecting, ManualClock(), pace=Pacing(10), meter=meter)
    async with running(loop):
        await until_committed(bus, 3)
        await eventually(lambda: b'records_total{loop="test-loop"} 2.0' in render(), 5, "the batch is counted")
    meter.lag(7)
    exposed = render()
    assert b'tern_rejected_records_total{loop="test-loop",reason="not-an-event"} 1.0' in exposed
    assert b'tern_consume_retries_total{loop="test-loop"} 1.0' in exposed
    assert b'tern_consumed_batch_duration_seconds_count{loop="test-loop"} 1.0' in exposed
    assert b'tern_consumer_lag_records{loop="test-loop"} 7.0' in exposed
