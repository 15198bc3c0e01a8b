"""What goes on the wire: a decision as a record, accepted or rejected. Encodes each event once."""

from __future__ import annotations

from collections.abc import Iterable

from tern_common.bus import Headers, Message
from tern_common.events import Mode, encode
from tern_common.rejecting import AT
from tern_common.topics import EVENTS, EVENTS_BACKFILL, REJECTED
from tern_ingest.domain.decisions import Accepted, Decision, Rejected, Stamp, record_key
from tern_ingest.domain.letters import ADDRESS, INGEST, ROBOT, SENT, TRUSTED, YES
from tern_ingest.domain.times import read_time

SERVICE = INGEST
SCHEMA = b"event"

_LANES: dict[Mode, str] = {"live": EVENTS, "replay": EVENTS, "backfill": EVENTS_BACKFILL}
_MODES = {mode: ("mode", mode.encode()) for mode in _LANES}
_SCHEMA = ("schema", SCHEMA)
_SERVICE = ("service", SERVICE.encode())


def messages(decisions: Iterable[Decision], stamp: Stamp, path: str, sent_at: object = None) -> list[Message]:
    """One record per decision, in order. `path` tells the readers of rejected events where they came in.

    `sent_at`: as the envelope says it. All that the event's own bytes do not say stands beside them, for a replay.
    """
    found = []
    for decision in decisions:
        if isinstance(decision, Accepted):
            event = decision.event
            headers = (("message-id", event.message_id.encode()), _SCHEMA, _MODES[event.mode])
            found.append(Message(_LANES[event.mode], record_key(event), encode(event), headers))
        else:
            why = _why(decision, stamp, path, sent_at)
            found.append(Message(REJECTED, stamp.source_id.encode(), decision.original, why))
    return found


def _why(rejected: Rejected, stamp: Stamp, path: str, sent_at: object) -> Headers:
    sent = None if sent_at is None else read_time(sent_at)
    said = (
        ("reason", rejected.reason.encode()),
        _SERVICE,
        ("place", path.encode()),
        ("source", stamp.source_id.encode()),
        (AT, stamp.received_at.isoformat().encode()),
        (TRUSTED, YES if stamp.trusted else b""),
        (SENT, sent.isoformat().encode() if sent else b""),
        (ADDRESS, (stamp.address or "").encode()),
        (ROBOT, YES if stamp.robot_calls else b""),
    )
    return tuple((name, value) for name, value in said if value)
