"""Watching events be filed, on a memory bus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from msgspec import Raw

from support.watching import watching
from tern_common.auth import Caller
from tern_common.bus import Message
from tern_common.clock import ManualClock
from tern_common.events import Event, MembershipChange, ResolvedEvent, encode
from tern_common.http.tailing import Tails
from tern_common.memory import MemoryBus
from tern_common.topics import RESOLVED
from tern_identity.app.tailing import tail_router

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Everybody:
    """Tokens: all of them are good for reading."""

    async def find(self, text: str) -> Caller:
        return Caller(text, "read", "a test")


def filed(message_id: str, source_id: str = "s1") -> Message:
    event = Event(message_id=message_id, type="track", event_time=NOW, received_at=NOW, source_id=source_id)
    value = ResolvedEvent(home_id="h", customer_id="c-1", membership_version=1, event=Raw(encode(event)))
    return Message(RESOLVED, b"c-1", encode(value))


async def test_one_who_watches_a_source_is_told_whom_each_of_its_events_is_filed_under() -> None:
    bus = MemoryBus()
    app = FastAPI()
    tokens: Any = Everybody()
    app.state.tokens = tokens
    app.include_router(tail_router(Tails(bus, ManualClock())))
    async with watching(app, "/v1/tail", {"source_id": "s1"}, {"Authorization": "Bearer tt_1_x"}) as watch:
        await watch.told("watching")
        change = Message(RESOLVED, b"c-1", encode(MembershipChange(customer_id="c-1")))
        unreadable = (b"", b'{"kind": "event", "customer_id": "\xff"}', b'{"kind": "event", "more": ' + b"[" * 100_000)
        foreign = [Message(RESOLVED, b"c-1", value) for value in unreadable]
        await bus.producer.send([*foreign, change, filed("m-1"), filed("m-2", "s2"), filed("ann@example.com")])
        first, second = await watch.told("filed", 2)
        assert first == {"kind": "filed", "source_id": "s1", "message_id": "m-1", "customer_id": "c-1", "shared": False}
        assert second["message_id"] == "a***@e***.com"
