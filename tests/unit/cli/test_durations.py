"""Spans of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_cli.durations import duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", timedelta(days=90)),
        ("1h30m", timedelta(minutes=90)),
        ("5400s", timedelta(minutes=90)),
        ("1w2d3h4m5s", timedelta(9, 5 + 4 * 60 + 3 * 3600)),
    ],
)
def test_a_span_is_written_as_numbers_with_units(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "1d ", "0s", "999999999w", "37000d", "１d"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"90d|hundred years"):
        duration(text)


@given(st.integers(1, 36_000), st.integers(0, 100), st.integers(0, 100))
def test_parts_add_up(days: int, hours: int, seconds: int) -> None:
    assert duration(f"{days}d{hours}h{seconds}s") == timedelta(days=days, hours=hours, seconds=seconds)
