"""What goes through the outbox: changes and notices as records. Keys are customers, so that each keeps its order."""

from __future__ import annotations

from tern_common.bus import Message
from tern_common.events import IdentityNotice, MembershipChange, Merged, Split, encode
from tern_common.headers import headers_of
from tern_common.topics import IDENTITY, RESOLVED


def change_message(change: MembershipChange) -> Message:
    """On `tern.resolved.v1`, under the customer that the homes have now."""
    value = encode(change)
    return Message(RESOLVED, change.customer_id.encode(), value, headers_of("membership", value))


def notice_message(notice: IdentityNotice) -> Message:
    """On `tern.identity.v1`, under the customer that goes on."""
    match notice:
        case Merged(survivor=customer_id):
            schema = "merged"
        case Split(from_=customer_id):
            schema = "split"
        case _:
            customer_id, schema = notice.customer_id, "violation"
    value = encode(notice)
    return Message(IDENTITY, customer_id.encode(), value, headers_of(schema, value))
