"""Records of one partition as the bytes that Kafka stores, and their numbers, by which a broker takes them once."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from tern_common.bus import Headers, Place

BATCH_BYTES = 512 * 1024
_WORTH_COMPRESSING = 16 * 1024  # bytes; zstd begins by setting up tables, which takes longer than sending a few records
_PLAIN, _ZSTD = 0, 4  # Kafka's numbers
_MAGIC = 2
_SEQUENCES = 2**31


class Identity:
    """By which brokers know a producer. Within one, the records of each partition are numbered from 0."""

    __slots__ = ("_next", "epoch", "producer")

    def __init__(self, producer: int, epoch: int) -> None:
        self.producer = producer
        self.epoch = epoch
        self._next: dict[Place, int] = {}

    def number(self, place: Place, count: int) -> int:
        """The first sequence number of so many records."""
        first = self._next.get(place, 0)
        self._next[place] = (first + count) % _SEQUENCES
        return first


class Flight(NamedTuple):
    """A batch on its way to its partition, until a broker has said what became of it."""

    place: Place
    identity: Identity
    content: bytes


class Batch:
    """Takes records until it is full. Compressed where that is worth its price, here and at the broker.

    zstd, which takes an eighth of lz4's CPU here, since aiokafka asks lz4 for its best; and is smaller.
    """

    __slots__ = ("_builder", "_count")

    def __init__(self, size: int) -> None:
        """For about so many bytes."""
        codec = _ZSTD if size >= _WORTH_COMPRESSING else _PLAIN
        self._builder = DefaultRecordBatchBuilder(_MAGIC, codec, 0, -1, -1, 0, BATCH_BYTES)
        self._count = 0

    def append(self, key: bytes, value: bytes, headers: Headers) -> bool:
        """Whether there was room."""
        if self._builder.append(self._count, None, key, value, list(headers)) is None:
            return False
        self._count += 1
        return True

    def sealed(self, place: Place, identity: Identity) -> Flight:
        """Numbered and complete."""
        first = identity.number(place, self._count)
        self._builder.set_producer_state(identity.producer, identity.epoch, first)
        return Flight(place, identity, self._builder.build())
