"""The envelope of a tracking request: one event or a batch, each as its bytes and its call. The fast way.

Nothing becomes an object before its bytes are known to be few. An event's free-form parts stay the bytes that came.
What this parser does not take as it is goes to `tolerant.py`. Knows nothing of what a call means.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from tern_ingest.domain.bounds import check_count, check_depth, events_of
from tern_ingest.domain.policy import Limits

ABSENT = Raw(b"")
NUL = b"\\u0000"
_BACKSLASH = b"\\"
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

LONGEST_VALUE = 2_048
"""Bytes of a value of the envelope itself: a time, or a write key."""


class Call(Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
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


class WiderCall(Call, rename="camel", frozen=True, forbid_unknown_fields=False):
    """An event with members that are none of a call's: `extra` is the object of these."""

    extra: Raw = ABSENT


class _Small(Call, rename="camel", frozen=True, forbid_unknown_fields=False):
    """A body no longer than one event may be: an event, or an envelope around a batch."""

    batch: list[Raw] | UnsetType = UNSET


class _Large(Struct, rename="camel", frozen=True):
    """Any body, nothing of it read yet."""

    batch: Raw = ABSENT
    sent_at: Raw = ABSENT
    write_key: Raw = ABSENT


class Envelope(NamedTuple):
    """A body taken apart. `events` is None when it is itself the one event; the others are JSON, or empty."""

    events: list[Raw] | list[bytes] | None
    sent_at: bytes = b""
    write_key: bytes = b""


class Part(NamedTuple):
    """One event of a request: its original bytes, and its call or the reason why it is none."""

    original: bytes | Raw
    call: Call | str


class Parsed(NamedTuple):
    """A request's events; `sent_at` and `write_key` as the envelope says them, unchecked."""

    parts: list[Part]
    sent_at: object = None
    write_key: object = None


_value = msgspec.json.Decoder()
_small = msgspec.json.Decoder(_Small)
_large = msgspec.json.Decoder(_Large)
_call = msgspec.json.Decoder(Call)
_wider_call = msgspec.json.Decoder(WiderCall)
_members = msgspec.json.Decoder(dict[str, Raw])
_KNOWN = frozenset(Call.__struct_encode_fields__)


def parse(body: bytes, limits: Limits) -> Parsed | None:
    """The events of a well-formed body, or None when only the tolerant parser can tell. Raises `Unusable`.

    Raw parts pass msgspec unchecked for UTF-8 and for the range of numbers, so both are checked here: what stands on
    the events topic can be decoded by everyone. NUL escapes are valid JSON, but no store takes them.
    """
    try:
        if (_BACKSLASH in body and NUL in body) or not is_text(body):
            return None  # most have no backslash, and one byte is found in a tenth of the time
        return _of_small(body, limits) if len(body) <= limits.event_bytes else _of_large(body, limits)
    except MALFORMED:
        return None


def is_text(body: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False


def split(body: bytes, limits: Limits) -> Envelope:
    """A body of any length, taken apart. Raises `Unusable` when its events are too many, and any of `MALFORMED`."""
    outer = _large.decode(body)
    events = events_of(bytes(outer.batch), limits.batch_events) if len(outer.batch) else None
    return Envelope(events, bytes(outer.sent_at), bytes(outer.write_key))


def one(raw: bytes | Raw, limits: Limits) -> Call | str:
    """The call of a well-formed event, or the reason why it is none. May raise any of `MALFORMED`.

    `raw` is text, without NUL escapes.
    """
    data = bytes(raw)
    if len(data) > limits.event_bytes:
        return "event-too-large"
    too_deep = check_depth(data, limits.event_depth)
    try:
        call = whole(data)
    except msgspec.ValidationError:
        return "event-not-an-object"
    return "event-too-deep" if too_deep else call


def whole(raw: bytes) -> Call:
    """The call of an event that is known to be well-formed and within the limits. Raises `ValidationError` for what is
    no object."""
    try:
        return _call.decode(raw)
    except msgspec.ValidationError:
        call = _wider_call.decode(raw)
    unknown = {name: value for name, value in _members.decode(raw).items() if name not in _KNOWN}
    return replace(call, extra=Raw(msgspec.json.encode(unknown)))


def value(raw: bytes) -> object:
    """A value of the envelope; None when there is none, or it is too long to be one. May raise any of `MALFORMED`."""
    return _value.decode(raw) if 0 < len(raw) <= LONGEST_VALUE else None


def _of_small(body: bytes, limits: Limits) -> Parsed:
    try:
        return _alone(body, _call.decode(body), limits)
    except msgspec.ValidationError:
        outer = _small.decode(body)
    if outer.batch is UNSET:
        return _alone(body, whole(body), limits)
    check_count(len(outer.batch), limits.batch_events)
    return Parsed([Part(raw, one(raw, limits)) for raw in outer.batch], outer.sent_at, outer.write_key)


def _alone(body: bytes, call: Call, limits: Limits) -> Parsed:
    found = "event-too-deep" if check_depth(body, limits.event_depth) else call
    return Parsed([Part(body, found)], call.sent_at, call.write_key)


def _of_large(body: bytes, limits: Limits) -> Parsed:
    events, sent_at, write_key = split(body, limits)
    parts = [Part(raw, one(raw, limits)) for raw in ([body] if events is None else events)]
    return Parsed(parts, value(sent_at), value(write_key))
