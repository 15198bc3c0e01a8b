"""Dead letters keep their bytes and say where they came from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tern_common.bus import Record
from tern_common.clock import ManualClock
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED


@pytest.mark.parametrize("value", [b'{"source_id": "shop"}', b'{"event": {"source_id": "shop"}, "home_id": 1}'])
async def test_a_rejected_record_is_filed_under_its_source_when_that_can_be_read(value: bytes) -> None:
    bus = MemoryBus()
    await Rejecting(bus.producer, "profile").reject([Record(EVENTS, 0, 7, b"k", value)], "broken")
    (rejected,) = bus.sent(REJECTED)
    assert rejected.key == b"shop"
    assert rejected.header("source") == "shop"
    assert rejected.header("place") == f"{EVENTS}/0/7"


async def test_a_rejected_record_says_when_and_keeps_its_own_headers_behind_its_key() -> None:
    bus, noon = MemoryBus(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    own = (("mode", b"live"), ("reason", b"its own"))
    await Rejecting(bus.producer, "profile", ManualClock(noon)).reject([Record(EVENTS, 0, 7, b"k", b"", own)], "broken")
    (rejected,) = bus.sent(REJECTED)
    assert rejected.header("rejected-at") == noon.isoformat()
    assert rejected.headers[-3:] == (("key", b"k"), *own)
