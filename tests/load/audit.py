"""What stands on `tern.resolved.v1` since some offsets: which events, how often, and in which order. Reads, no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from load.rig import Rig, seek
from tern_common.bus import Place
from tern_common.events import Event
from tern_common.kafka import kafka_bus
from tern_common.topics import RESOLVED

GROUP = "bench-audit"
_MANY = 20_000


class Sent(msgspec.Struct):
    """As much of an event as is looked at."""

    message_id: str
    user_id: str | None = None


class _Resolved(msgspec.Struct):
    kind: str
    event: Sent | None = None


_resolved = msgspec.json.Decoder(_Resolved)


class Found(NamedTuple):
    """Events as they were resolved, in the order of each partition."""

    sent: list[Sent]

    def verify(self, events: Sequence[Event], *, copies: bool) -> None:
        """Raises unless each event stands there; without `copies` once."""
        missing = {event.message_id for event in events} - {one.message_id for one in self.sent}
        if missing or (not copies and len(self.sent) != len(events)):
            raise AssertionError(f"{len(events)} events, {len(self.sent)} resolved, {len(missing)} missing")

    def verify_order(self, events: Sequence[Event], user_id: str) -> int:
        """Raises unless the user's events stand there in their order; how many they are."""
        wanted = [event.message_id for event in events if event.user_id == user_id]
        if [one.message_id for one in self.sent if one.user_id == user_id] != wanted:
            raise AssertionError(f"{len(wanted)} events of one person do not stand in their order")
        return len(wanted)


async def resolved_since(rig: Rig, starts: Mapping[int, int]) -> Found:
    """All events from these offsets to the end of now."""
    await seek(rig, GROUP, RESOLVED, starts)
    left = {Place(RESOLVED, number): end for number, end in (await rig.bus.log.ends(RESOLVED)).items()}
    left = {place: end for place, end in left.items() if end > starts[place.partition]}
    sent: list[Sent] = []
    async with kafka_bus(rig.platform.kafka, GROUP) as bus:
        reader = await bus.subscribe(GROUP, [RESOLVED])
        while left:
            poll = await reader.poll(_MANY, 1)
            seen = [_resolved.decode(record.value).event for record in poll.records]
            sent += [event for event in seen if event is not None]
            left = {place: end for place, end in left.items() if place not in poll.spans or poll.spans[place].end < end}
    return Found(sent)
