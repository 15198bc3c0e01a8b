"""The envelope of a tracking request: one event or a batch, each as its bytes and its call. The fast way.

Each event is parsed once, its free-form parts staying the bytes that came. What this parser does not take as it is goes
to `tolerant.py`. Knows nothing of what a call means.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from tern_common.errors import Unusable
from tern_ingest.domain.policy import Limits

ABSENT = Raw(b"")
TOO_MANY = "too-many-events"
NUL = b"\\u0000"
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Call(Struct, rename="camel", frozen=True):
    """An event as a client sends it. Nothing is checked yet: a wrong type must cost this event only."""

    type: Any = None
    message_id: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None
    group_id: Any = None
    event: Any = None
    name: Any = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    write_key: Any = None
    context: Raw = ABSENT
    traits: Raw = ABSENT
    properties: Raw = ABSENT
    integrations: Raw = ABSENT


class _Body(Call, rename="camel", frozen=True):
    """A request's body: an event, or an envelope around a batch."""

    batch: list[Raw] | UnsetType = UNSET


class Part(NamedTuple):
    """One event of a request: its original bytes, and its call or the reason why it is none."""

    original: bytes | Raw
    call: Call | str


class Parsed(NamedTuple):
    """A request's events; `sent_at` and `write_key` as the envelope says them, unchecked."""

    parts: list[Part]
    sent_at: object = None
    write_key: object = None


_anything = msgspec.json.Decoder()
_body = msgspec.json.Decoder(_Body)
_call = msgspec.json.Decoder(Call)


def parse(body: bytes, limits: Limits) -> Parsed | None:
    """The events of a well-formed body, or None when only the tolerant parser can tell. Raises `Unusable`.

    Raw parts pass msgspec unchecked for UTF-8 and for the range of numbers, so the body is decoded as a whole first:
    what stands on the events topic can be decoded by everyone. NUL escapes are valid JSON, but no store takes them.
    """
    if NUL in body:
        return None
    try:
        _anything.decode(body)
        outer = _body.decode(body)
    except MALFORMED:
        return None
    if outer.batch is UNSET:
        return Parsed([Part(body, unfit(body, limits) or outer)], outer.sent_at, outer.write_key)
    check_count(len(outer.batch), limits)
    parts = [Part(raw, unfit(raw, limits) or decode(raw)) for raw in outer.batch]
    return Parsed(parts, outer.sent_at, outer.write_key)


def check_count(events: int, limits: Limits) -> None:
    """Raises `Unusable` when a request has more events than one may have."""
    if events > limits.batch_events:
        raise Unusable(TOO_MANY, f"send at most {limits.batch_events} events in one request")


def one(raw: bytes) -> Call | None:
    """A single well-formed event's call, or None. May raise any of `MALFORMED`."""
    if NUL in raw:
        return None
    _anything.decode(raw)
    return _call.decode(raw)


def decode(raw: bytes | Raw) -> Call | str:
    """The call of an event that is well-formed JSON, or the reason why it is none."""
    try:
        return _call.decode(raw)
    except msgspec.ValidationError:
        return "event-not-an-object"


def unfit(raw: bytes | Raw, limits: Limits) -> str | None:
    """The reason why an event is beyond the limits, or None. `raw` is well-formed."""
    if len(raw) > limits.event_bytes:
        return "event-too-large"
    data = bytes(raw)
    brackets = data.count(b"{") + data.count(b"[")
    if brackets > limits.event_depth and deeper(_anything.decode(data), limits.event_depth):
        return "event-too-deep"
    return None


def deeper(value: object, limit: int) -> bool:
    """Whether objects and arrays stand within each other more than `limit` deep. Needs no recursion."""
    level = _containers([value])
    for _ in range(limit):
        if not level:
            return False
        level = [child for node in level for child in _containers(node.values() if isinstance(node, dict) else node)]
    return bool(level)


def _containers(values: Iterable[object]) -> list[dict[str, object] | list[object]]:
    return [value for value in values if isinstance(value, dict | list)]
