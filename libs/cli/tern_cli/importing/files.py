"""Files as numbered lines to send: NDJSON as it is, CSV through a mapping; packed or not. One line in memory at a time.

Numbers count lines of NDJSON from 1, and of CSV its rows below the heading. Knows no HTTP.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

from tern_cli.importing.mapping import MappingFile, RowMapping, as_line
from tern_common.errors import Misconfigured, Unusable

LONGEST_LINE = 1024 * 1024
_GZIP = b"\x1f\x8b"
_DELIMITERS = ",;\t|"


class Read(NamedTuple):
    """A line, or the reason why the file has none there that could be sent. `place`: bytes of the file read so far."""

    number: int
    text: bytes
    reason: str | None
    place: int


class Kind(NamedTuple):
    """How a file is read. `table`: it is CSV, and `said` tells what its columns mean."""

    table: bool
    said: MappingFile
    delimiter: str | None = None
    encoding: str = "utf-8-sig"


def is_table(path: Path) -> bool:
    """Whether its name says that it is CSV."""
    return {suffix.lower() for suffix in path.suffixes[-2:]} & {".csv", ".tsv"} != set()


def lines_of(path: Path, kind: Kind) -> Iterator[Read]:
    """All lines. Raises `Misconfigured` when the file cannot be read, or not so."""
    try:
        with path.open("rb") as packed, _unpacked(packed) as opened:
            yield from _rows(opened, kind, packed) if kind.table else _lines(opened, packed)
    except OSError as wrong:
        raise Misconfigured(f"{path}: {wrong.strerror or wrong}") from None
    except (EOFError, zlib.error):
        raise Misconfigured(f"{path}: the gzipped file is broken or cut off") from None


def _unpacked(packed: BinaryIO) -> BinaryIO:
    """Goes by what the bytes are, as the platform does."""
    start = packed.read(len(_GZIP))
    packed.seek(0)
    return cast("BinaryIO", gzip.open(packed, "rb")) if start == _GZIP else packed


def _lines(opened: BinaryIO, packed: BinaryIO) -> Iterator[Read]:
    number = 0
    while text := opened.readline(LONGEST_LINE + 1):
        number += 1
        reason = None
        if len(text) > LONGEST_LINE and not text.endswith(b"\n"):
            reason = "line-too-long"
            _pass_over(opened)
        yield Read(number, b"" if reason else text.rstrip(b"\n"), reason, packed.tell())


def _pass_over(opened: BinaryIO) -> None:
    """The rest of a line."""
    while text := opened.readline(LONGEST_LINE):
        if text.endswith(b"\n"):
            return


def _rows(opened: BinaryIO, kind: Kind, packed: BinaryIO) -> Iterator[Read]:
    number = 0
    try:
        with _text(opened, kind.encoding) as text:
            rows, mapping = _headed(text, kind)
            for row in rows:
                number += 1
                yield _row(number, row, mapping, packed.tell())
    except csv.Error as wrong:
        raise Misconfigured(f"row {number + 1} is no CSV: {wrong}; mend it, or say --delimiter") from None
    except UnicodeDecodeError:
        raise Misconfigured(
            f"after row {number} the file is not {kind.encoding}: say --encoding, as in latin-1"
        ) from None


def _headed(text: TextIO, kind: Kind) -> tuple[Iterator[list[str]], RowMapping]:
    """The rows below the heading, and what becomes of them."""
    if kind.delimiter is not None and len(kind.delimiter) != 1:
        raise Misconfigured("--delimiter is one character, such as ';' or a tab")
    first = text.readline(LONGEST_LINE)
    delimiter = kind.delimiter or max(_DELIMITERS, key=first.count)
    heading = [column.strip() for column in next(csv.reader([first], delimiter=delimiter), [])]
    return csv.reader(text, delimiter=delimiter, strict=True), RowMapping(heading, kind.said)


def _row(number: int, row: list[str], mapping: RowMapping, place: int) -> Read:
    if not any(cell.strip() for cell in row):
        return Read(number, b"", None, place)
    try:
        return Read(number, as_line(mapping.event(row)), None, place)
    except Unusable as wrong:
        return Read(number, b"", wrong.reason, place)


def _text(opened: BinaryIO, encoding: str) -> TextIO:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise Misconfigured(f"--encoding {encoding}: there is none of that name; try latin-1 or cp1252") from None
    return io.TextIOWrapper(opened, encoding=encoding, newline="")
