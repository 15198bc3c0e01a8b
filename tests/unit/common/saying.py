"""Events as ingest stamps them, for the tests of what is read of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from tern_common.events import Event

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


def event(**said: Any) -> Event:
    stamped: dict[str, Any] = {"message_id": "m-1", "type": "track", "source_id": "shop"}
    stamped |= {"event_time": MOMENT, "received_at": MOMENT} | said
    for part in ("traits", "properties", "context"):
        if part in stamped:
            stamped[part] = Raw(msgspec.json.encode(stamped[part]))
    return Event(**stamped)
