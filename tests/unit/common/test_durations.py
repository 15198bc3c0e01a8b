"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tern_common.durations import LONGEST, Duration, format_duration, parse_duration, parse_span

ADAPTER: TypeAdapter[timedelta] = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("0s", 0), ("2s", 2), ("5m", 300), ("1h30m", 5400), ("5400s", 5400), ("90d", 7_776_000), ("1w2d3h4m5s", 788_645)],
)
def test_a_duration_is_written_as_numbers_with_units(written: str, seconds: int) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "wrong", ["", "  ", "h", "90", "1h 30m", " 1d", "-1h", "1.5h", "1m1h", "1h1h", "１d", "1e3s", None, 7]
)
def test_anything_else_is_refused_with_an_example(wrong: object) -> None:
    with pytest.raises(ValueError, match="write a duration such as"):
        parse_duration(wrong)


@pytest.mark.parametrize("written", ["36601d", "9999999999w"])
def test_a_hundred_years_are_the_most(written: str) -> None:
    assert parse_duration("36600d") == LONGEST
    with pytest.raises(ValueError, match="a hundred years"):
        parse_duration(written)


def test_a_span_is_more_than_nothing() -> None:
    assert parse_span("1s") == timedelta(seconds=1)
    with pytest.raises(ValueError, match="does nothing"):
        parse_span("0s")


@given(st.integers(0, int(LONGEST.total_seconds())))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["0s", "1h30m", "90d"])
def test_a_policy_shows_it_as_it_was_written(written: str) -> None:
    assert ADAPTER.dump_python(ADAPTER.validate_python(written), mode="json") == written
    with pytest.raises(ValidationError, match="write a duration"):
        ADAPTER.validate_python("soon")
