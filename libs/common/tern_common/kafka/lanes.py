"""What waits to be written to one partition, and who waits for it. Knows nothing of Kafka but a batch to fill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from tern_common.bus import Headers, Message, Place
from tern_common.errors import TernError

_RECORD_OVERHEAD = 32
_HEADER_OVERHEAD = 8


class Batch(Protocol):
    """Takes records until it is full: then `append` answers no."""

    def append(self, key: bytes, value: bytes, headers: Headers) -> bool: ...


def size_of(message: Message) -> int:
    """About the bytes that a message takes uncompressed in a batch."""
    _, key, value, headers = message
    size = len(key) + len(value) + _RECORD_OVERHEAD
    for name, said in headers:
        size += len(name) + len(said) + _HEADER_OVERHEAD
    return size


class Delivery:
    """One call of `send`: its messages with their sizes, its parts in several lanes, and one future for all of them."""

    __slots__ = ("_parts", "done", "messages", "sizes")

    def __init__(self, messages: Sequence[Message], sizes: Sequence[int]) -> None:
        self.messages = messages
        self.sizes = sizes
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parts: dict[Part, None] = {}

    def counts(self, part: Part) -> None:
        """The part has to be acknowledged too."""
        self._parts[part] = None

    def acknowledged(self, part: Part) -> bool:
        """All of a part is written; whether it was the last. What has ended is not done by it."""
        if part not in self._parts:
            return False
        del self._parts[part]
        if self._parts or self.done.done():
            return False
        self.done.set_result(None)
        return True

    def failed(self, error: TernError) -> None:
        """Some of it could not be written."""
        if not self.done.done():
            self.done.set_exception(error)

    def end(self) -> None:
        """Nobody waits any more: what is not on its way yet is dropped, so that an outage piles nothing up."""
        self.done.cancel()
        for part in self._parts:
            part.lane.drop(part)
        self._parts.clear()


class Part:
    """The messages of one `send` for one partition. `taken` of them are in batches; `flying`: one is on its way."""

    __slots__ = ("delivery", "flying", "lane", "messages", "size", "taken")

    def __init__(self, lane: Lane, delivery: Delivery) -> None:
        self.lane = lane
        self.delivery = delivery
        self.messages: list[Message] = []
        self.size = 0
        self.taken = 0
        self.flying = False

    def add(self, message: Message, size: int) -> None:
        """Appends a message of so many bytes."""
        self.messages.append(message)
        self.size += size

    def pour(self, batch: Batch) -> bool:
        """Puts what fits into the batch; whether that was all."""
        append, before = batch.append, self.taken
        for _, key, value, headers in self.messages[before:]:
            if not append(key, value, headers):
                break
            self.taken += 1
        self.flying = self.flying or self.taken > before
        return self.taken == len(self.messages)


class Lane:
    """One partition: parts in the order they came.

    `held` counts the bytes of all that waits or is on its way; `aboard`: who has messages in the batch that is on its
    way; `queued`: it goes with the next convoy.
    """

    __slots__ = ("aboard", "held", "pending", "place", "queued")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pending: dict[Part, None] = {}
        self.aboard: list[Part] = []
        self.queued = False
        self.held = 0

    def add(self, part: Part) -> None:
        """Appends what one `send` has for this partition."""
        part.delivery.counts(part)
        self.pending[part] = None
        self.held += part.size

    def take(self, batch: Batch) -> bool:
        """Moves what fits into the batch; whether that is anything. It is on its way until `settle`."""
        for part in list(self.pending):
            whole = part.pour(batch)
            if part.flying:
                self.aboard.append(part)
            if not whole:
                break
            del self.pending[part]
        return bool(self.aboard)

    def settle(self, error: TernError | None) -> int:
        """The batch is acknowledged, or lost with `error`; how many sends are done by that."""
        done = 0
        aboard, self.aboard = self.aboard, []
        for part in aboard:
            part.flying = False
            if error is not None:
                self.pending.pop(part, None)
                part.delivery.failed(error)
            if part not in self.pending:
                self.held -= part.size
                done += part.delivery.acknowledged(part)
        return done

    def drop(self, part: Part) -> None:
        """Forgets what no batch has taken; what is on its way is settled when it comes back."""
        self.pending.pop(part, None)
        if not part.flying:
            self.held -= part.size

    def fail(self, error: TernError) -> None:
        """Gives up all that waits or is on its way."""
        for part in [*self.pending, *self.aboard]:
            part.delivery.failed(error)
            part.delivery.end()
