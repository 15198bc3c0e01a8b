"""A reader that keeps all it was given, and messages to read. For every test of the bus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from support.waiting import eventually
from tern_common.bus import Bus, Consumer, Message, Place, Record, Span

TIMEOUT_S = 20.0


def messages(topic: str, texts: Sequence[str], keys: int = 8) -> list[Message]:
    return [Message(topic, f"key-{int(text) % keys}".encode(), text.encode()) for text in texts]


def numbers(first: int, after: int) -> list[str]:
    return [str(number) for number in range(first, after)]


class Reader:
    """Polls until it has what it wants, and keeps everything."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.records: list[Record] = []
        self.spans: dict[Place, list[Span]] = defaultdict(list)

    async def once(self, limit: int = 1000, wait_s: float = 0.1) -> int:
        poll = await self.consumer.poll(limit, wait_s)
        self.records += poll.records
        for place, span in poll.spans.items():
            self.spans[place].append(span)
        return len(poll.records)

    async def until(self, count: int) -> list[str]:
        async def enough() -> bool:
            await self.once()
            return len(self.records) >= count

        await eventually(enough, TIMEOUT_S, f"{count} records")
        return self.texts

    @property
    def texts(self) -> list[str]:
        return [record.value.decode("utf-8", "replace") for record in self.records]

    @property
    def ends(self) -> dict[Place, int]:
        return {place: spans[-1].end for place, spans in self.spans.items()}


async def joined(bus: Bus, group: str, topic: str) -> Reader:
    return Reader(await bus.subscribe(group, [topic]))
