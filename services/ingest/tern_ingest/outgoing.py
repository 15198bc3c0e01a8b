"""What goes on the wire: a decision as a record, accepted or rejected. Encodes each event once."""

from __future__ import annotations

from collections.abc import Iterable

from tern_common.bus import Message
from tern_common.events import Mode, encode
from tern_common.topics import EVENTS, EVENTS_BACKFILL, REJECTED
from tern_ingest.domain.decisions import Accepted, Decision, record_key

SERVICE = "ingest"
SCHEMA = b"event"

_LANES: dict[Mode, str] = {"live": EVENTS, "replay": EVENTS, "backfill": EVENTS_BACKFILL}
_MODES = {mode: ("mode", mode.encode()) for mode in _LANES}
_SCHEMA = ("schema", SCHEMA)
_SERVICE = ("service", SERVICE.encode())


def messages(decisions: Iterable[Decision], source_id: str, path: str) -> list[Message]:
    """One record per decision, in order. `path` tells the readers of rejected events where they came in."""
    source = source_id.encode()
    place = ("place", path.encode())
    found = []
    for decision in decisions:
        if isinstance(decision, Accepted):
            event = decision.event
            headers = (("message-id", event.message_id.encode()), _SCHEMA, _MODES[event.mode])
            found.append(Message(_LANES[event.mode], record_key(event), encode(event), headers))
        else:
            reason = ("reason", decision.reason.encode())
            found.append(Message(REJECTED, source, decision.original, (reason, _SERVICE, place, ("source", source))))
    return found
