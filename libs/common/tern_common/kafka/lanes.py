"""What waits to be written to one partition, and who waits for it. Knows nothing of Kafka but a batch to fill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from tern_common.bus import Message, Place
from tern_common.errors import TernError

_RECORD_OVERHEAD = 32
_HEADER_OVERHEAD = 8


class Batch(Protocol):
    """What aiokafka's `create_batch` gives. `append` answers None when the batch is full."""

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> object | None: ...


def size_of(message: Message) -> int:
    """About the bytes that a message takes uncompressed in a batch."""
    headers = sum(len(name) + len(value) + _HEADER_OVERHEAD for name, value in message.headers)
    return len(message.key) + len(message.value) + headers + _RECORD_OVERHEAD


class Delivery:
    """One call of `send`: its parts in several lanes, and one future for all of them."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parts: dict[Part, None] = {}

    def add(self, part: Part) -> None:
        """Counts a part that has to be acknowledged."""
        self._parts[part] = None

    def acknowledged(self, part: Part) -> None:
        """Tells that all of a part is written; what was abandoned is never done."""
        counted = part in self._parts
        self._parts.pop(part, None)
        if counted and not self._parts and not self.done.done():
            self.done.set_result(None)

    def failed(self, error: TernError) -> None:
        """Tells that some of it could not be written."""
        if not self.done.done():
            self.done.set_exception(error)

    def abandon(self) -> None:
        """Nobody waits any more: what is not on its way yet is dropped, so that an outage piles nothing up."""
        for part in self._parts:
            part.lane.drop(part)
        self._parts.clear()


class Part:
    """The messages of one `send` for one partition. `taken` of them are in batches; `flying`: one is on its way."""

    __slots__ = ("delivery", "flying", "lane", "messages", "size", "taken")

    def __init__(self, lane: Lane, messages: Sequence[Message], size: int, delivery: Delivery) -> None:
        self.lane = lane
        self.messages = messages
        self.size = size
        self.taken = 0
        self.flying = False
        self.delivery = delivery

    def pour(self, batch: Batch) -> bool:
        """Puts what fits into the batch; whether that was all."""
        for message in self.messages[self.taken :]:
            headers = list(message.headers)
            if batch.append(timestamp=None, key=message.key, value=message.value, headers=headers) is None:
                return False
            self.flying = True
            self.taken += 1
        return True


class Lane:
    """One partition: parts in the order they came. `held` counts the bytes of all that waits or is on its way."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pending: dict[Part, None] = {}
        self.held = 0
        self.writing = False

    def add(self, messages: Sequence[Message], size: int, delivery: Delivery) -> None:
        """Appends what one `send` has for this partition."""
        part = Part(self, messages, size, delivery)
        delivery.add(part)
        self.pending[part] = None
        self.held += size

    def take(self, batch: Batch) -> list[Part]:
        """Moves what fits into the batch. Each part that it names must come back through `settle`."""
        taken = []
        for part in list(self.pending):
            whole = part.pour(batch)
            if part.flying:
                taken.append(part)
            if not whole:
                break
            del self.pending[part]
        return taken

    def settle(self, parts: Sequence[Part], error: TernError | None) -> None:
        """The batch is acknowledged, or lost with `error`."""
        for part in parts:
            part.flying = False
            if error is not None:
                self.pending.pop(part, None)
                part.delivery.failed(error)
            if part not in self.pending:
                self.held -= part.size
                part.delivery.acknowledged(part)

    def drop(self, part: Part) -> None:
        """Forgets what no batch has taken; what is on its way is settled when it comes back."""
        self.pending.pop(part, None)
        if not part.flying:
            self.held -= part.size

    def fail(self, error: TernError) -> None:
        """Gives up all that waits."""
        for part in list(self.pending):
            part.delivery.failed(error)
            part.delivery.abandon()
