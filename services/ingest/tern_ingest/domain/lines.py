"""Lines out of a stream of bytes: unpacked, split and numbered, piece by piece, in memory that its length cannot move.

However the bytes are cut, the lines are the same. Knows nothing of what stands in a line.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tern_common.errors import Unusable

_GZIP, _ZLIB = b"\x1f", b"\x78"
_EITHER = zlib.MAX_WBITS | 32
_AT_ONCE = 64 * 1024
_SLICE = 16 * 1024
"""What follows a gzip member is copied for the next one, and a piece of empty ones has thousands."""


class Line(NamedTuple):
    """`number` counts from 1. `cut`: it was longer than a line may be, and only its beginning was kept."""

    number: int
    text: bytes
    cut: bool = False


class Unpacking:
    """A plain or packed stream, told apart by its first byte: JSON begins neither as gzip nor as zlib does."""

    def __init__(self) -> None:
        self._plain: bool | None = None
        self._member = zlib.decompressobj(_EITHER)
        self._begun = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What the piece unpacks to, never much at once. Raises `Unusable` when it is not what it began as."""
        if self._plain is None and piece:
            self._plain = not piece.startswith((_GZIP, _ZLIB))
        size = _AT_ONCE if self._plain else _SLICE
        for start in range(0, len(piece), size):
            part = piece[start : start + size]
            yield from (part,) if self._plain else self._unpacked(part)

    def end(self) -> None:
        """The stream is over. Raises `Unusable` when it was cut off."""
        if self._begun:
            raise Unusable("gzip-cut-off", "the gzipped body is cut off")

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        while packed:
            self._begun = True
            try:
                found = self._member.decompress(packed, _AT_ONCE)
            except zlib.error:
                raise Unusable("not-gzip", "the body is neither NDJSON nor gzip") from None
            packed = self._member.unconsumed_tail
            if self._member.eof:
                packed = self._member.unused_data
                self._member = zlib.decompressobj(_EITHER)
                self._begun = False
            if found:
                yield found


class Splitting:
    """Splits at line feeds. No line is kept beyond `longest` bytes, however long it goes on."""

    def __init__(self, longest: int, first: int = 1) -> None:
        self._longest = longest
        self._number = first
        self._rest = bytearray()
        self._cut = False

    def feed(self, piece: bytes) -> Iterator[Line]:
        """The lines that end in this piece."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._keep(piece, start, end)
            yield self._line()
            start = end + 1
        self._keep(piece, start, len(piece))

    def end(self) -> Iterator[Line]:
        """The last line, when nothing ended it."""
        if self._rest:
            yield self._line()

    def _keep(self, piece: bytes, start: int, end: int) -> None:
        room = self._longest - len(self._rest)
        self._cut = self._cut or end - start > room
        self._rest += piece[start : min(end, start + room)]

    def _line(self) -> Line:
        line = Line(self._number, bytes(self._rest), self._cut)
        self._number += 1
        self._cut = False
        self._rest.clear()
        return line
