"""A batch of nothing, which brings the spans of a fetch in, errs: no record is rejected for it, and none is twice."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from support.running import running
from support.waiting import eventually
from tern_common.bus import Message
from tern_common.clock import ManualClock
from tern_common.consume import Batch, consume
from tern_common.errors import Unusable
from tern_common.fetching import Pacing
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED
from unit.common.consuming import GROUP, Recorder, committed, event, until_committed

pytestmark = pytest.mark.usefixtures("logged")


@dataclass
class Reaching(Recorder):
    """Meets `wrong` about what begins with `bad`, and `in_spans` about spans until it is mended."""

    wrong: Exception | None = None
    in_spans: Exception | None = None
    tries: int = 0

    async def apply(self, batch: Batch[str]) -> None:
        if self.wrong and any(text.startswith("bad") for text in batch.items):
            raise self.wrong
        if self.in_spans and batch.spans:
            self.tries += 1
            raise self.in_spans
        await super().apply(batch)

    async def tried(self, times: int) -> None:
        goal = self.tries + times
        await eventually(lambda: self.tries >= goal, 5, "it is tried again and again")


async def standing(bus: MemoryBus, handler: Reaching) -> None:
    consumer = await bus.subscribe(GROUP, [EVENTS])
    pace = Pacing(100, stands=True)
    await consume(consumer, handler, Rejecting(bus.producer, "identity"), ManualClock(), pace=pace)


async def given(*texts: str) -> MemoryBus:
    bus = MemoryBus()
    await bus.producer.send([event("ann", text) for text in texts])
    return bus


def rejected(bus: MemoryBus) -> list[bytes]:
    return [record.value for record in bus.sent(REJECTED)]


@pytest.mark.parametrize("wrong", [ValueError(), Unusable("data-refused-by-database")])
@pytest.mark.parametrize("in_spans", [ZeroDivisionError(), Unusable("data-refused-by-database")])
@pytest.mark.parametrize("texts", [("bad",), ("good", "bad"), ("bad0", "good0", "good1", "bad1")])
async def test_each_record_is_rejected_once_however_often_the_spans_are_tried(
    texts: tuple[str, ...], wrong: Exception, in_spans: Exception
) -> None:
    bus, handler = await given(*texts), Reaching(wrong=wrong, in_spans=in_spans)
    async with running(standing(bus, handler)):
        await handler.tried(12)
        assert await committed(bus) == 0
        await bus.producer.send([Message(EVENTS, b"ann", b"later")])
        handler.in_spans = None
        await until_committed(bus, len(texts) + 1)
    assert rejected(bus) == [text.encode() for text in texts if text.startswith("bad")]
    assert handler.applied == [*(text for text in texts if text.startswith("good")), "later"]
    assert sorted(span.end for _, spans in handler.batches for span in spans.values()) == [len(texts), len(texts) + 1]


async def test_what_was_not_tried_alone_is_rejected_for_nothing_that_the_spans_met() -> None:
    """All of them pass once the spans do."""
    bus, handler = await given("good0", "good1"), Reaching(in_spans=Unusable("data-refused-by-database"))
    async with running(standing(bus, handler)):
        await handler.tried(12)
        handler.in_spans = None
        await until_committed(bus, 2)
    assert rejected(bus) == []
    assert handler.applied == ["good0", "good1"]


async def test_spans_of_nothing_that_can_never_be_applied_are_tried_again_too() -> None:
    bus, handler = await given("poison"), Reaching(in_spans=Unusable("data-refused-by-database"))
    async with running(standing(bus, handler)):
        await handler.tried(12)
        assert await committed(bus) == 0
        handler.in_spans = None
        await until_committed(bus, 1)
    assert rejected(bus) == [b"poison"]


async def test_whoever_is_dealt_the_fetch_meanwhile_reads_all_of_it_again() -> None:
    bus, handler = await given("good", "bad"), Reaching(wrong=ValueError(), in_spans=ZeroDivisionError())
    async with running(standing(bus, handler)):
        await handler.tried(6)
        other = MemoryBus(bus.broker)
        await other.subscribe(GROUP, [EVENTS])
        await other.__aexit__(None, None, None)
        await eventually(lambda: handler.applied == ["good", "good"], 5, "it is read again")
        await handler.tried(3)
        assert await committed(bus) == 0
        handler.in_spans = None
        await until_committed(bus, 2)
    assert rejected(bus) == [b"bad", b"bad"]
