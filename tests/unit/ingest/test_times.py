"""Reading clients' times, and correcting their clocks (architecture §5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_ingest.domain.times import NEWEST, OLDEST, event_time, read_time

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MOMENT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC))


def ago(**by: float) -> datetime:
    return RECEIVED - timedelta(**by)


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20.000Z",
        "2023-11-14T22:13:20.000000000Z",
        "2023-11-14T22:13:20,000Z",
        "2023-11-14T22:13:20",
        "2023-11-14 22:13:20",
        "2023-11-14 22:13:20+00:00",
        "2023-11-14 22:13:20 +0000",
        "2023-11-14T23:13:20+01",
        "2023-11-15T03:43:20+05:30",
        "2023-11-14T17:13:20-0500",
        "20231114T221320Z",
        "20231114T221320",
        "2023-W46-2T22:13:20Z",
        "2023-318T22:13:20Z",
        "2023318T221320Z",
        "2023-11-14t22:13:20z",
        "2023-11-14T22:13:20 UTC",
        "2023-11-14 22:13:20 GMT",
        " 2023-11-14T22:13:20Z ",
        1700000000,
        1700000000.0,
        1700000000000,
        1700000000000000,
        1700000000000000000,
        "1700000000",
        "1700000000000",
    ],
)
def test_a_moment_is_read_in_every_form(text: object) -> None:
    assert read_time(text) == MOMENT


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2023-11-14", datetime(2023, 11, 14, tzinfo=UTC)),
        ("20231114", datetime(2023, 11, 14, tzinfo=UTC)),
        ("2023-11", datetime(2023, 11, 1, tzinfo=UTC)),
        ("2023-318", datetime(2023, 11, 14, tzinfo=UTC)),
        ("2023-11-14T22", datetime(2023, 11, 14, 22, tzinfo=UTC)),
        ("2023-11-14T24:00:00Z", datetime(2023, 11, 15, tzinfo=UTC)),
        ("20231114T24Z", datetime(2023, 11, 15, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.000Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2023-11-14T22:13:20.1234567Z", MOMENT.replace(microsecond=123456)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-86400, datetime(1969, 12, 31, tzinfo=UTC)),
    ],
)
def test_reduced_and_rare_forms_mean_what_iso_8601_says(text: object, meant: datetime) -> None:
    assert read_time(text) == meant


@pytest.mark.parametrize(
    "said",
    [
        "", "yesterday", "2023-13-01", "2023-02-30T00:00:00Z", "2023-02-30T00:00:00.000Z", "2023-366", "2023-000",
        "9999-12-31T24:00:00Z",
        "0001-01-01T00:00:00+14:00", "14.11.2023", True, None, [], {}, float("inf"), float("nan"), 1e300, 10**400,
    ],
)  # fmt: skip
def test_what_is_no_moment_is_none(said: object) -> None:
    assert read_time(said) is None


@given(moments)
def test_what_python_writes_is_read(moment: datetime) -> None:
    assert read_time(moment.isoformat()) == moment


@given(st.text() | st.from_regex(r"[0-9TZ:.,+\-W ]{0,30}"))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = read_time(text)
    assert found is None or found.tzinfo is UTC


def test_without_a_timestamp_it_happened_when_it_was_sent_else_when_it_was_received() -> None:
    assert event_time(None, ago(seconds=30), RECEIVED) == ago(seconds=30)
    assert event_time(None, None, RECEIVED) == RECEIVED
    assert event_time(None, ago(days=3), RECEIVED) == RECEIVED


def test_a_small_skew_is_left_so_that_a_retry_keeps_its_time() -> None:
    happened = ago(hours=1)
    assert event_time(happened, ago(minutes=2), RECEIVED) == happened
    assert event_time(happened, ago(seconds=1), RECEIVED + timedelta(seconds=60)) == happened


def test_a_wrong_clock_is_corrected_by_its_skew() -> None:
    clock_is_slow = timedelta(days=365)
    assert event_time(ago(hours=1) - clock_is_slow, RECEIVED - clock_is_slow, RECEIVED) == ago(hours=1)
    clock_is_fast = timedelta(minutes=2, microseconds=1)
    assert event_time(RECEIVED + clock_is_fast, RECEIVED + clock_is_fast, RECEIVED) == RECEIVED


def test_a_future_date_is_clamped_to_five_minutes_ahead() -> None:
    assert event_time(RECEIVED + timedelta(days=400), None, RECEIVED) == RECEIVED + timedelta(minutes=5)
    assert event_time(RECEIVED + timedelta(minutes=4), None, RECEIVED) == RECEIVED + timedelta(minutes=4)


def test_an_ancient_date_is_clamped_to_thirty_days_ago() -> None:
    assert event_time(datetime(1, 1, 1, tzinfo=UTC), None, RECEIVED) == ago(days=30)
    assert event_time(ago(days=29), None, RECEIVED) == ago(days=29)


@given(st.none() | moments, st.none() | moments)
def test_event_time_always_lies_within_the_clamp(happened: datetime | None, sent: datetime | None) -> None:
    assert OLDEST <= event_time(happened, sent, RECEIVED) - RECEIVED <= NEWEST
