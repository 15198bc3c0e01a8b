"""What a reader of the wire refuses."""

from __future__ import annotations

import pytest

from tern_common.errors import Poison
from tern_common.events import decode_event

GOOD = '{"message_id":"m","type":"track","event_time":"%s","received_at":"2026-03-01T00:00:00Z","source_id":"s"}'


def test_an_event_is_read() -> None:
    assert decode_event((GOOD % "2026-03-01T01:00:00+01:00").encode()).message_id == "m"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("0001-01-01T00:00:00+10:00", "time-out-of-range"),
        ("9999-12-31T23:59:59Z", "time-out-of-range"),
        ("2026-03-01T00:00:00", "not-an-event"),
        ("tomorrow", "not-an-event"),
    ],
)
def test_a_time_that_no_calendar_can_reckon_with_is_poison(time: str, reason: str) -> None:
    with pytest.raises(Poison) as refused:
        decode_event((GOOD % time).encode())
    assert refused.value.reason == reason
