"""A consume loop on the memory bus, with a handler that notes what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from support.waiting import eventually
from tern_common.bus import Message, Place, Record, Span
from tern_common.clock import ManualClock
from tern_common.consume import Batch, consume
from tern_common.errors import Poison
from tern_common.fetching import Pacing
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS

GROUP = "identity"


def event(key: str, text: str) -> Message:
    return Message(EVENTS, key.encode(), text.encode(), (("message-id", text.encode()),))


@dataclass
class Recorder:
    """A handler that notes what it was given. `refuse` may raise for a batch of texts."""

    refuse: Callable[[list[str]], None] = lambda _: None
    batches: list[tuple[list[str], dict[Place, Span]]] = field(default_factory=list)
    attempts: int = 0

    def decode(self, record: Record) -> str:
        if record.value.startswith(b"poison"):
            raise Poison("not-an-event")
        return record.value.decode()

    async def apply(self, batch: Batch[str]) -> None:
        self.attempts += 1
        self.refuse(batch.items)
        self.batches.append((list(batch.items), dict(batch.spans)))

    @property
    def applied(self) -> list[str]:
        return [text for items, _ in self.batches for text in items]


async def consuming(bus: MemoryBus, handler: Recorder, limit: int = 100) -> None:
    consumer = await bus.subscribe(GROUP, [EVENTS])
    await consume(consumer, handler, Rejecting(bus.producer, "identity"), ManualClock(), pace=Pacing(limit))


async def committed(bus: MemoryBus) -> int:
    return sum((await bus.log.committed(GROUP, EVENTS)).values())


async def until_committed(bus: MemoryBus, records: int) -> None:
    async def all_in() -> bool:
        return await committed(bus) == records

    await eventually(all_in, 5, f"{records} records committed")
