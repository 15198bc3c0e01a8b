"""What subscribers read: CloudEvents 1.0, structured JSON, on `tern.triggers.<family>.v1` (triggers.md §13).

Inside a version a field is only ever added, and only optional. Contact data stands here only where the channel's
consent is granted.
"""

from tern_triggers.domain.contract.payload import (
    CONTENT_TYPE,
    FIRED,
    REVOKED,
    AllowedChannel,
    CartContent,
    CartLine,
    CloudEvent,
    Context,
    EventRef,
    Fired,
    Held,
    Offer,
    OrdersContent,
    ReasonFacts,
    Revoked,
    Timing,
    TriggerEvent,
    encode,
)
from tern_triggers.domain.contract.writing import LINES, attribution, fired, revoked

__all__ = [
    "CONTENT_TYPE",
    "FIRED",
    "LINES",
    "REVOKED",
    "AllowedChannel",
    "CartContent",
    "CartLine",
    "CloudEvent",
    "Context",
    "EventRef",
    "Fired",
    "Held",
    "Offer",
    "OrdersContent",
    "ReasonFacts",
    "Revoked",
    "Timing",
    "TriggerEvent",
    "attribution",
    "encode",
    "fired",
    "revoked",
]
