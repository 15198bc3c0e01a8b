"""What the consume loop hands to a service, and what it asks of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tern_common.bus import Place, Record, Span
from tern_common.fetching import Decoded

T = TypeVar("T")

Rest = Callable[[], Awaitable[None]]
"""What is left to do for a batch after its transaction: to publish all that follows from it and await the acks."""


@dataclass(frozen=True)
class Batch(Generic[T]):
    """Decoded records, in offset order per partition, and what of each partition they cover.

    `spans` is complete only when all of a fetch is in: parts of a bisected batch carry none, and an empty batch with
    the spans follows them. So a position written with `spans` never runs ahead of the data.
    """

    items: list[T]
    spans: dict[Place, Span]


class Handler(Protocol[T]):
    """What a service does with records."""

    def decode(self, record: Record) -> T:
        """Pure. Raises `Poison`: the record is rejected and the rest goes on."""
        ...

    async def apply(self, batch: Batch[T]) -> Rest | None:
        """One transaction. Returns the rest, or None when all is done. Both must bear being repeated.

        The rest is called after that of the batch before, while the next batch may be in its transaction.
        Either raises `Transient` (the batch is tried again) or `Unusable` (the batch is bisected; a single record that
        still fails is rejected). What else they raise is a bug, and done with like the latter, unless nothing passes
        (`blaming`). `items` may be empty.
        """
        ...


def batch_of(decoded: list[Decoded[T]], spans: dict[Place, Span]) -> Batch[T]:
    """These records, without the bytes that they were read from."""
    return Batch([item for _, item in decoded], spans)
