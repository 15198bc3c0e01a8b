"""Dead letters: what no retry can apply goes to `tern.events.rejected.v1` with its original bytes, and can be replayed.

It refuses to know why: the reason is a constant word that somebody else chose.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tern_common.bus import Headers, Message, Producer, Record
from tern_common.clock import Clock, SystemClock
from tern_common.topics import REJECTED

AT = "rejected-at"
KEY = "key"
"""The last header of those that say why: what follows are the record's own."""

_REAL = SystemClock()


class _Sourced(msgspec.Struct):
    """As much of an event, or of a resolved event, as tells where it came from."""

    source_id: str | None = None
    event: _Sourced | None = None


_sourced = msgspec.json.Decoder(_Sourced)


class Rejecting:
    """Rejects in the name of a service. `clock`: the domain's."""

    def __init__(self, producer: Producer, service: str, clock: Clock = _REAL) -> None:
        self._producer = producer
        self._service = service.encode()
        self._clock = clock

    async def reject(self, records: Sequence[Record], reason: str) -> None:
        """Returns when all are acknowledged. Raises `Transient`: then they must not be committed."""
        at = self._clock.now().isoformat().encode()
        await self._producer.send([self._message(record, reason, at) for record in records])

    def _message(self, record: Record, reason: str, at: bytes) -> Message:
        """Key: the source, else the topic. The headers that a replay needs are kept behind those that say why."""
        source = source_of(record.value)
        headers: Headers = (
            ("reason", reason.encode()),
            ("service", self._service),
            ("place", f"{record.topic}/{record.partition}/{record.offset}".encode()),
            (AT, at),
            *((("source", source.encode()),) if source else ()),
            (KEY, record.key),
            *record.headers,
        )
        return Message(REJECTED, (source or record.topic).encode(), record.value, headers)


def source_of(value: bytes) -> str | None:
    """The `source_id` of an event or of the event inside a resolved record, when it can be read at all."""
    try:
        found = _sourced.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found.source_id or (found.event.source_id if found.event else None)
