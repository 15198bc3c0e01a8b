"""The stages of the consume loop: one batch is read, one in its transaction, one published, and all stay in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from support.running import running
from support.waiting import eventually
from tern_common.bus import Record
from tern_common.clock import ManualClock
from tern_common.consume import Batch, Rest, consume
from tern_common.errors import Transient, Unusable
from tern_common.fetching import LINGER_S, Pacing
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED
from unit.common.consuming import GROUP, committed, event, until_committed


def never(_: list[str]) -> None:
    return


@dataclass
class Staged:
    """A handler with a rest. `gate` holds transactions up; the refusals may raise for the texts of a batch."""

    bus: MemoryBus
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    publishing: asyncio.Event = field(default_factory=asyncio.Event)
    refuse: Callable[[list[str]], None] = never
    refuse_rest: Callable[[list[str]], None] = never
    decoded: list[str] = field(default_factory=list)
    applied: list[list[str]] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    committed_then: list[int] = field(default_factory=list)

    def decode(self, record: Record) -> str:
        self.decoded.append(record.value.decode())
        return self.decoded[-1]

    async def apply(self, batch: Batch[str]) -> Rest | None:
        items = list(batch.items)
        self.applied.append(items)
        self.refuse(items)
        await self.gate.wait()

        async def rest() -> None:
            self.committed_then.append(await committed(self.bus))
            self.refuse_rest(items)
            await self.publishing.wait()
            self.published.extend(items)

        return rest

    def opened(self) -> Staged:
        self.gate.set()
        self.publishing.set()
        return self


async def staged(bus: MemoryBus, handler: Staged, limit: int = 2, clock: ManualClock | None = None) -> None:
    consumer = await bus.subscribe(GROUP, [EVENTS])
    await consume(consumer, handler, Rejecting(bus.producer, "identity"), clock or ManualClock(), pace=Pacing(limit))


async def given_events(bus: MemoryBus, count: int) -> list[str]:
    texts = [str(number) for number in range(count)]
    await bus.producer.send([event("ann", text) for text in texts])
    return texts


async def test_the_next_batch_is_read_while_one_is_in_its_transaction() -> None:
    bus = MemoryBus()
    handler = Staged(bus)
    await given_events(bus, 6)
    async with running(staged(bus, handler)):
        await eventually(lambda: len(handler.decoded) == 4, 5, "the next two are decoded, and no more")
        assert handler.applied == [["0", "1"]]
        handler.opened()
        await until_committed(bus, 6)
    assert handler.published == handler.decoded == ["0", "1", "2", "3", "4", "5"]


async def test_a_batch_is_published_while_the_next_one_is_in_its_transaction_and_no_further() -> None:
    bus = MemoryBus()
    handler = Staged(bus)
    handler.gate.set()
    await given_events(bus, 6)
    async with running(staged(bus, handler)):
        await eventually(lambda: len(handler.applied) == 2, 5, "two transactions")
        assert await committed(bus) == 0
        assert handler.published == []
        handler.publishing.set()
        await until_committed(bus, 6)
    assert handler.published == ["0", "1", "2", "3", "4", "5"]
    assert handler.committed_then == [0, 2, 4]


async def test_what_came_while_a_batch_was_applied_is_one_batch() -> None:
    bus = MemoryBus()
    handler = Staged(bus)
    await given_events(bus, 1)
    async with running(staged(bus, handler, limit=100)):
        await eventually(lambda: handler.applied, 5, "the first is in its transaction")
        for text in "abc":
            await bus.producer.send([event("ann", text)])
        handler.opened()
        await until_committed(bus, 4)
    assert handler.applied == [["0"], ["a", "b", "c"]]


class Lingering(ManualClock):
    """Notes how often a loop waits for company, and brings some of it then."""

    def __init__(self, bus: MemoryBus, coming: list[str]) -> None:
        super().__init__()
        self._bus = bus
        self._coming = coming
        self.lingered = 0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if seconds >= LINGER_S:
            self.lingered += 1
            await self._bus.producer.send([event("ann", text) for text in self._coming])
            self._coming.clear()


async def test_few_wait_a_moment_for_company() -> None:
    bus = MemoryBus()
    handler = Staged(bus).opened()
    await given_events(bus, 1)
    async with running(staged(bus, handler, limit=100, clock=Lingering(bus, ["a", "b"]))):
        await until_committed(bus, 3)
    assert handler.applied == [["0", "a", "b"]]


async def test_many_wait_for_nobody() -> None:
    bus = MemoryBus()
    clock = Lingering(bus, [])
    handler = Staged(bus).opened()
    await given_events(bus, 4)
    async with running(staged(bus, handler, limit=2, clock=clock)):
        await until_committed(bus, 4)
    assert clock.lingered == 0


async def test_few_are_published_while_the_next_gather() -> None:
    bus = MemoryBus()
    handler = Staged(bus)
    handler.gate.set()
    await given_events(bus, 1)
    async with running(staged(bus, handler, limit=100)):
        await eventually(lambda: handler.committed_then, 5, "the first is being published")
        await bus.producer.send([event("ann", "a")])
        await eventually(lambda: handler.decoded == ["0", "a"], 5, "the next is read")
        assert handler.applied == [["0"]]
        handler.publishing.set()
        await until_committed(bus, 2)
    assert handler.published == ["0", "a"]


async def test_a_rest_that_fails_for_now_is_repeated_without_its_transaction() -> None:
    left = [Transient("broker away")] * 3

    def refuse(_: list[str]) -> None:
        if left:
            raise left.pop()

    bus = MemoryBus()
    handler = Staged(bus, refuse_rest=refuse).opened()
    await given_events(bus, 2)
    async with running(staged(bus, handler)):
        await until_committed(bus, 2)
    assert handler.applied == [["0", "1"]]
    assert handler.published == ["0", "1"]


async def test_a_record_that_cannot_be_published_is_found_by_halving_and_the_next_batch_waits_for_it() -> None:
    def refuse(items: list[str]) -> None:
        if "1" in items:
            raise Unusable("message-too-large")

    bus = MemoryBus()
    handler = Staged(bus, refuse_rest=refuse).opened()
    await given_events(bus, 8)
    async with running(staged(bus, handler, limit=4)):
        await until_committed(bus, 8)
    assert handler.published == ["0", "2", "3", "4", "5", "6", "7"]
    assert [record.value for record in bus.sent(REJECTED)] == [b"1"]


async def test_what_is_too_much_to_publish_at_once_is_published_in_parts() -> None:
    def refuse(items: list[str]) -> None:
        if len(items) > 2:
            raise Transient("kafka did not acknowledge in time")

    bus = MemoryBus()
    handler = Staged(bus, refuse_rest=refuse).opened()
    texts = await given_events(bus, 10)
    async with running(staged(bus, handler, limit=5)):
        await until_committed(bus, 10)
    assert handler.published == texts


async def test_what_was_read_ahead_of_a_rebalance_is_forgotten_and_read_again() -> None:
    bus = MemoryBus()
    handler = Staged(bus)
    await given_events(bus, 4)
    async with running(staged(bus, handler)):
        await eventually(lambda: len(handler.decoded) == 4, 5, "read ahead")
        await MemoryBus(bus.broker).subscribe("another group", [EVENTS])
        other = MemoryBus(bus.broker)
        await other.subscribe(GROUP, [EVENTS])
        await other.__aexit__(None, None, None)
        handler.opened()
        await until_committed(bus, 4)
    assert handler.applied[0] == ["0", "1"]
    assert handler.decoded[4] == "0"  # nothing was committed when the partition was dealt
    assert handler.published == ["0", "1", "0", "1", "2", "3"]


failures = st.lists(st.sampled_from([None, None, Transient("away"), Unusable("odd")]), max_size=12)


@given(failures, failures, st.integers(1, 5), st.integers(1, 12))
async def test_whatever_fails_each_record_is_published_in_order_or_rejected_and_all_is_committed(
    wrong: list[Exception | None], wrong_rest: list[Exception | None], limit: int, count: int
) -> None:
    def failing(failures: list[Exception | None]) -> Callable[[list[str]], None]:
        def refuse(items: list[str]) -> None:
            failure = failures.pop() if failures and items else None
            if failure is not None:
                raise failure

        return refuse

    bus = MemoryBus()
    handler = Staged(bus, refuse=failing(wrong), refuse_rest=failing(wrong_rest)).opened()
    texts = await given_events(bus, count)
    async with running(staged(bus, handler, limit=limit)):
        await until_committed(bus, count)
    first = list(dict.fromkeys(handler.published))
    assert first == sorted(first, key=int)
    assert {*first, *(record.value.decode() for record in bus.sent(REJECTED))} == set(texts)
