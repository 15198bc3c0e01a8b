"""What goes through the outbox: changes and notices as records. Keys are customers, so that each keeps its order."""

from __future__ import annotations

from tern_common.bus import Headers, Message
from tern_common.events import IdentityNotice, MembershipChange, Merged, Split, encode
from tern_common.topics import IDENTITY, RESOLVED

_LIVE = ("mode", b"live")
_CHANGE: Headers = (("schema", b"membership"), _LIVE)


def change_message(change: MembershipChange) -> Message:
    """On `tern.resolved.v1`, under the customer that the homes have now."""
    return Message(RESOLVED, change.customer_id.encode(), encode(change), _CHANGE)


def notice_message(notice: IdentityNotice) -> Message:
    """On `tern.identity.v1`, under the customer that goes on."""
    match notice:
        case Merged(survivor=customer_id):
            schema = b"merged"
        case Split(from_=customer_id):
            schema = b"split"
        case _:
            customer_id, schema = notice.customer_id, b"violation"
    return Message(IDENTITY, customer_id.encode(), encode(notice), (("schema", schema), _LIVE))
