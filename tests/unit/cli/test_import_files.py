"""Files as numbered lines, whatever they are packed in, one line in memory at a time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tern_cli.importing.files import LONGEST_LINE, Kind, Read, is_table, lines_of
from tern_cli.importing.mapping import MappingFile
from tern_common.errors import Misconfigured

USERS = MappingFile(type="identify", timestamp="at", columns={"id": "userId", "note": "traits.note"})
LINES = Kind(False, MappingFile())

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return written


def read(path: Path, kind: Kind = LINES) -> list[Read]:
    return list(lines_of(path, kind))


def notes(path: Path, **said: str) -> list[object]:
    return [json.loads(line.text)["traits"]["note"] for line in read(path, Kind(True, USERS, **said))]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_read_as_they_are_packed_or_not(write: Write, pack: Callable[[bytes], bytes]) -> None:
    path = write(pack(b'{"a":1}\n\n{"b":2}'))
    assert [(line.number, line.text) for line in read(path)] == [(1, b'{"a":1}'), (2, b""), (3, b'{"b":2}')]
    assert read(path)[-1].place == path.stat().st_size


def test_a_line_too_long_is_passed_over(write: Write) -> None:
    found = read(write(b"x" * (3 * LONGEST_LINE) + b"\n{}\n" + b"y" * (LONGEST_LINE + 1)))
    assert [(line.number, line.text, line.reason) for line in found] == [
        (1, b"", "line-too-long"),
        (2, b"{}", None),
        (3, b"", "line-too-long"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_tables_delimiter_is_what_its_heading_has(write: Write, delimiter: str) -> None:
    rows = [["id", "note", "at"], ["u1", '"two\nlines"', "2019"], ["u2", "plain", "2019"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    assert notes(write(b"\xef\xbb\xbf" + text.encode())) == ["two\nlines", "plain"]


def test_rows_are_numbered_below_the_heading_and_bad_ones_say_why(write: Write) -> None:
    found = read(write(b"id,note,at\nu1,a,2019\nu2\n,,\nu3,c,2019\n"), Kind(True, USERS))
    assert [(line.number, line.reason, bool(line.text)) for line in found] == [
        (1, None, True),
        (2, "cells-unlike-heading", False),
        (3, None, False),
        (4, None, True),
    ]


def test_a_table_of_another_encoding_says_how_to_read_it(write: Write) -> None:
    path = write("id,note,at\nu1,caf\u00e9,2019\n".encode("latin-1"))
    assert notes(path, encoding="latin-1") == ["caf\u00e9"]
    with pytest.raises(Misconfigured, match="--encoding"):
        notes(path)
    with pytest.raises(Misconfigured, match="none of that name"):
        notes(path, encoding="klingon")


def test_broken_files_say_so(write: Write, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="row 1 is no CSV"):
        notes(write(b'id,note,at\nu1,"no end,2019\n' + b"x" * 200_000))
    with pytest.raises(Misconfigured, match="one character"):
        notes(write(b"id\n"), delimiter=";;")
    with pytest.raises(Misconfigured, match="broken or cut off"):
        read(write(gzip.compress(b"{}\n" * 9_000)[:-9]))
    with pytest.raises(Misconfigured, match="its columns are none"):
        read(write(b""), Kind(True, MappingFile()))
    with pytest.raises(Misconfigured, match="No such file"):
        read(tmp_path / "none")


def test_names_tell_tables() -> None:
    assert [is_table(Path(name)) for name in ("a.csv", "a.CSV.gz", "a.tsv", "a.ndjson", "a.gz", "csv")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
