"""What several processes of a service have counted, added up: each writes its metrics on a page of memory they share.

Whichever is asked answers for all; what the others say is as old as what they last wrote. A process that takes a dead
one's place goes on with the counts on its page. Knows nothing of what is counted, and of who starts whom.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
from prometheus_client import REGISTRY, Gauge, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tern_common.logs import logger

PAGE_BYTES = 1024 * 1024
_HEAD = struct.Struct("<BII")
"""Which half is the newest, and how long each is: one is read while the other is written."""
_HALF_BYTES = (PAGE_BYTES - _HEAD.size) // 2
_LASTING = frozenset({"counter", "histogram", "summary"})
"""Kinds that count on; the others say how things are with a process that lives."""

_seen_by_each: set[str] = set()
"""Names of gauges of something that is there once."""

Labels = tuple[tuple[str, str], ...]


def seen_by_each(gauge: Gauge) -> Gauge:
    """Declares that a gauge is about what every process looks at for itself, such as a queue that they share: together
    they say the greatest of what each saw, and not the sum."""
    _seen_by_each.update(metric.name for metric in gauge.describe())
    return gauge


class Family(msgspec.Struct, array_like=True):
    """A metric with the values of all its labels. `samples`: (name, labels) → value."""

    name: str
    documentation: str
    kind: str
    samples: list[tuple[str, Labels, float]]


_families = msgspec.msgpack.Decoder(list[Family])


class Board:
    """Pages in memory that forked processes share with the one that made it."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self._memory = mmap.mmap(-1, pages * PAGE_BYTES)
        self._outgrown = False

    def write(self, page: int, content: bytes) -> None:
        """Replaces a page's content; what does not fit is left out, and what stood there stays: said once a process."""
        if len(content) > _HALF_BYTES:
            if not self._outgrown:
                self._outgrown = True
                logger.error("metrics stand still: they no longer fit their page", bytes=len(content), room=_HALF_BYTES)
            return
        begin = page * PAGE_BYTES
        newest, *sizes = _HEAD.unpack_from(self._memory, begin)
        half = 1 - newest
        at = begin + _HEAD.size + half * _HALF_BYTES
        self._memory[at : at + len(content)] = content
        sizes[half] = len(content)
        _HEAD.pack_into(self._memory, begin, half, *sizes)

    def read(self, page: int) -> bytes:
        """What stands on the page; empty when nothing was ever written."""
        begin = page * PAGE_BYTES
        half, *sizes = _HEAD.unpack_from(self._memory, begin)
        at = begin + _HEAD.size + half * _HALF_BYTES
        return self._memory[at : at + sizes[half]]


class Sheet:
    """One process's page of the board."""

    def __init__(self, board: Board, page: int) -> None:
        self._board = board
        self._page = page
        self._inherited = [family for family in _read(board, page) if family.kind in _LASTING]

    def write(self) -> None:
        """Says what was counted up to now."""
        self._board.write(self._page, msgspec.msgpack.encode(added([*self._inherited, *_own()])))

    def render(self) -> bytes:
        """The metrics of all processes together in Prometheus' text format."""
        self.write()
        pages = (_read(self._board, page) for page in range(self._board.pages))
        return generate_latest(_Together(added(chain.from_iterable(pages))))


class _Together(Collector):
    """What prometheus_client renders."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.documentation, family.kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, dict(labels), value)
            yield metric


def added(families: Iterable[Family]) -> list[Family]:
    """One family per name, with the sum of each value, or the greatest of what each sees for itself; when something
    began is the earliest."""
    found: dict[str, tuple[Family, dict[tuple[str, Labels], float]]] = {}
    for family in families:
        _, values = found.setdefault(family.name, (family, {}))
        for name, labels, value in family.samples:
            known = values.get((name, labels))
            values[name, labels] = value if known is None else _together(name, known, value)
    return [
        Family(name, first.documentation, first.kind, [(*which, value) for which, value in values.items()])
        for name, (first, values) in found.items()
    ]


def _together(name: str, one: float, other: float) -> float:
    if name.endswith(("_created", "_start_time_seconds")):
        return min(one, other)
    return max(one, other) if name in _seen_by_each or name.endswith("_info") else one + other


def _own() -> Iterator[Family]:
    for metric in REGISTRY.collect():
        samples = [(one.name, tuple(sorted(one.labels.items())), one.value) for one in metric.samples]
        yield Family(metric.name, metric.documentation, metric.type, samples)


def _read(board: Board, page: int) -> list[Family]:
    content = board.read(page)
    return _families.decode(content) if content else []
