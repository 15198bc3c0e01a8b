"""Arrays as text: what PostgreSQL's reader makes of them is what was given."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from tern_common.arrays import array, columns, hex_array

_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)


def read_back(text: str) -> list[str | None]:
    """By the rules of PostgreSQL's `array_in`: in quotes a backslash gives the next character as it is."""
    assert text[0] + text[-1] == "{}"
    found = _ELEMENT.findall(text[1:-1])
    return [
        None if bare == "NULL" or bare == "null" else bare or re.sub(r"(?s)\\(.)", r"\1", quoted)
        for quoted, bare in found
    ]


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))))
def test_texts_come_back_whatever_stands_in_them(texts: list[str | None]) -> None:
    assert read_back(array(texts)) == texts


@given(st.lists(st.none() | st.binary()))
@example([None, b"\x00key"])
@example([b"\x00key", None])
def test_bytes_come_back_and_what_is_missing_stays_in_its_place(values: list[bytes | None]) -> None:
    expected = [None if one is None else "\\x" + one.hex() for one in values]
    assert read_back(array(values)) == expected


@given(st.lists(st.binary()))
def test_bytes_that_are_written_as_digits_come_back(values: list[bytes]) -> None:
    expected = ["\\x" + one.hex() for one in values]
    assert read_back(array(values)) == read_back(hex_array([one.hex() for one in values])) == expected


def test_columns_are_numbers_truths_moments_and_ids_as_they_are_written() -> None:
    rows = [(1, True, datetime(2026, 11, 22, 1, 2, 3, 4, tzinfo=UTC), UUID(int=7)), (None, False, None, None)]
    assert columns(rows) == [
        "{1,null}",
        "{true,false}",
        '{"2026-11-22T01:02:03.000004Z",null}',
        '{"00000000-0000-0000-0000-000000000007",null}',
    ]
