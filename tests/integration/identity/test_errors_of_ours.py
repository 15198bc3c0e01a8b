"""One event that meets an error of ours in the transaction is set aside; where all do, the process ends, or history
stands still beside the live stream (ADR 30)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.graph_jobs import ask, chores, finished
from support.running import running
from support.waiting import eventually
from tern_common.blaming import TooManyErrors
from tern_common.bus import Message
from tern_common.clock import ManualClock
from tern_common.consume import consume
from tern_common.errors import Transient
from tern_common.events import MembershipChange, decode_resolved, encode
from tern_common.fetching import OUR_ERROR, Pacing
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.sealing import Sealer
from tern_common.topics import EVENTS, EVENTS_BACKFILL, REJECTED, RESOLVED, RESOLVED_BACKFILL
from tern_identity.consumer import BACKFILL_GROUP, GROUP, EventHandler
from tern_identity.store import Numbers, Store
from unit.identity.histories import SHIPPED, Said, event

VISITS = [event(Said(number, number, browser=number % 4, user=number == 3)) for number in range(1, 8)]


class Jammed(Sealer):
    """Errs so many times about whatever contains `about`: inside the transaction in which an identifier is born."""

    def __init__(self, about: str, current: str = "test", times: int = 1_000) -> None:
        super().__init__({"test": bytes(32), "next": bytes([1] * 32)}, current)
        self._about = about
        self._left = times

    def mend(self) -> None:
        """From now on nothing errs."""
        self._left = 0

    def seal_all(self, texts: Sequence[str]) -> list[bytes]:
        if self._left and any(self._about in text for text in texts):
            self._left -= 1
            raise ZeroDivisionError
        return super().seal_all(texts)


async def work_through(graphs: Graphs, sealer: Sealer, values: Sequence[bytes]) -> MemoryBus:
    """The service's loop over these, until all is committed."""
    bus = MemoryBus()
    await bus.producer.send([Message(EVENTS, b"k", value) for value in values])
    store = Store(graphs.pool, KEYS._replace(sealer=sealer), Numbers(SHIPPED, 0))
    await store.refresh()
    handler = EventHandler(store, graphs.pool, bus.producer)
    consumer = await bus.subscribe(GROUP, [EVENTS])

    async def all_in() -> bool:
        return sum((await bus.log.committed(GROUP, EVENTS)).values()) == len(values)

    async with running(
        consume(consumer, handler, Rejecting(bus.producer, "identity"), ManualClock(), pace=Pacing(100))
    ):
        await eventually(all_in, 20, "all is committed")
    return bus


def resolved(bus: MemoryBus, topic: str = RESOLVED) -> set[str | None]:
    said = ((record, decode_resolved(record.value)) for record in bus.sent(topic))
    return {record.header("message-id") for record, one in said if not isinstance(one, MembershipChange)}


async def test_an_event_that_errs_is_set_aside_and_counts_once_that_is_mended(graphs: Graphs) -> None:
    bus = await work_through(graphs, Jammed("browser-2"), [encode(one) for one in VISITS])
    aside = bus.sent(REJECTED)
    assert {(one.header("reason"), one.value) for one in aside} == {(OUR_ERROR, encode(VISITS[n])) for n in (1, 5)}
    assert resolved(bus) == {"m-1", "m-3", "m-4", "m-5", "m-7"}
    mended = await work_through(graphs, KEYS.sealer, [one.value for one in aside])
    assert resolved(mended) == {"m-2", "m-6"}
    await graphs.assert_canonical(SHIPPED)


async def test_an_error_that_all_events_meet_ends_the_process(graphs: Graphs) -> None:
    with pytest.raises(ExceptionGroup) as ended:
        await work_through(graphs, Jammed(""), [encode(one) for one in VISITS])
    assert ended.group_contains(TooManyErrors)
    assert (await graphs.ledger()).homes == {}


class Lane:
    """One lane of the service, read by a loop of its own."""

    def __init__(self, graphs: Graphs, bus: MemoryBus, sealer: Sealer, group: str, topics: tuple[str, str]) -> None:
        self.bus = bus
        self.group = group
        self.events, self.resolved = topics
        self.store = Store(graphs.pool, KEYS._replace(sealer=sealer), Numbers(SHIPPED, 0))
        self.handler = EventHandler(self.store, graphs.pool, bus.producer, self.resolved)
        self.clock = ManualClock()

    async def read(self, pace: Pacing) -> None:
        await self.store.refresh()
        consumer = await self.bus.subscribe(self.group, [self.events])
        await consume(consumer, self.handler, Rejecting(self.bus.producer, "identity"), self.clock, pace=pace)

    async def bring(self, said: Sequence[Said]) -> None:
        await self.bus.producer.send([Message(self.events, b"k", encode(event(one))) for one in said])

    async def committed(self) -> int:
        return sum((await self.bus.log.committed(self.group, self.events)).values())


async def test_history_of_which_nothing_passes_stands_while_live_events_go_on_and_is_in_once_that_is_mended(
    graphs: Graphs,
) -> None:
    bus, jammed = MemoryBus(), Jammed("")
    live = Lane(graphs, bus, KEYS.sealer, GROUP, (EVENTS, RESOLVED))
    history = Lane(graphs, bus, jammed, BACKFILL_GROUP, (EVENTS_BACKFILL, RESOLVED_BACKFILL))
    past = [Said(number, number, browser=number) for number in range(1, 5)]
    now = [Said(number, number, browser=number) for number in range(5, 9)]

    async def all_of(lane: Lane, count: int) -> None:
        async def has() -> bool:
            return await lane.committed() == count

        await eventually(has, 20, f"{count} of {lane.group} committed")

    await history.bring(past)
    async with running(live.read(Pacing(100)), history.read(Pacing(100, stands=True))):
        await eventually(lambda: history.clock.monotonic() > 60, 20, "it was tried for a minute")
        await live.bring(now)
        await all_of(live, 4)
        again = history.clock.monotonic() + 60
        await eventually(lambda: history.clock.monotonic() > again, 20, "it stands on")
        assert (await history.committed(), bus.sent(RESOLVED_BACKFILL), bus.sent(REJECTED)) == (0, [], [])
        jammed.mend()
        await all_of(history, 4)
    assert resolved(bus) == {"m-5", "m-6", "m-7", "m-8"}
    assert resolved(bus, RESOLVED_BACKFILL) == {"m-1", "m-2", "m-3", "m-4"}
    assert bus.sent(REJECTED) == []
    await graphs.assert_canonical(SHIPPED)


async def test_a_job_that_errs_ends_and_says_so_and_the_next_one_is_done(graphs: Graphs) -> None:
    await work_through(graphs, KEYS.sealer, [encode(one) for one in VISITS])
    job, then = await ask(graphs, "reseal"), await ask(graphs, "check")
    work = chores(graphs, SHIPPED, Jammed("browser-2", "next"))
    for _ in range(3):
        with pytest.raises(Transient):
            await finished(graphs, work, job)
    assert (await finished(graphs, work, job)).report["failed"] == "error-in-tern: ZeroDivisionError, see the log"
    assert "failed" not in (await finished(graphs, work, then)).report


async def test_a_job_goes_on_where_it_was_after_an_error_of_ours_that_passes(graphs: Graphs) -> None:
    await work_through(graphs, KEYS.sealer, [encode(one) for one in VISITS])
    job, work = await ask(graphs, "reseal"), chores(graphs, SHIPPED, Jammed("browser-2", "next", times=3))
    for _ in range(3):
        with pytest.raises(Transient):
            await finished(graphs, work, job)
    ended = await finished(graphs, work, job)
    assert "failed" not in ended.report
    assert ended.changed == len({visit.anonymous_id for visit in VISITS}) + 1, "every value is sealed anew"
