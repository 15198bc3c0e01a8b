"""What becomes of each call: accepted as a stamped event, or rejected with its reason (ingest.md, Normalise).

The only knowledge of what a call's fields mean. Knows no parser's failures but as reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, get_args

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tern_common.catalog import is_product_event
from tern_common.errors import Unusable
from tern_common.events import EMPTY, Event, EventType, Mode
from tern_ingest.domain.addresses import with_address
from tern_ingest.domain.calls import ABSENT, Call, Parsed, Part, WiderCall
from tern_ingest.domain.flags import flags_of, is_of_tester
from tern_ingest.domain.scrubbing import emptied, scrubbed, user_token
from tern_ingest.domain.times import event_time, history_time, read_time
from tern_ingest.domain.vouching import Outcome, SourceRule, Vouching

TYPES: tuple[EventType, ...] = get_args(EventType)
LONGEST_MESSAGE_ID = 100

_TYPE_BY_NAME = {str(kind): kind for kind in TYPES}
_LARGEST_EXACT = 2**53
_NULL = Raw(b"null")
_BRACE = ord("{")
_FREE_FORM = ("context", "traits", "properties", "integrations", "extra")


class Stamp(NamedTuple):
    """What ingest knows of a request that the client does not say. `path_type`: the type of a path like /v1/track.

    `may_hold_secrets`: whether its body could name a write key or a user token; False spares its events the search.
    `address`: the caller's, for events whose context names none. `mode`: `backfill` for history, which keeps its times.
    `robot_calls`: whether the request is a robot's, for events whose context names no user agent.
    """

    source_id: str
    trusted: bool
    received_at: datetime
    path_type: EventType | None = None
    rule: SourceRule = SourceRule()
    may_hold_secrets: bool = True
    address: str | None = None
    robot_calls: bool = False
    mode: Mode = "live"


class Accepted(Struct, frozen=True):
    """An event for `tern.events.v1`. `token`: what its user token was found to be; None when there was none to read."""

    event: Event
    token: Outcome | None = None


class Rejected(Struct, frozen=True):
    """A call for `tern.events.rejected.v1`: a constant, kebab-case reason, and the bytes that came, without secrets."""

    reason: str
    original: bytes


Decision = Accepted | Rejected


class _Context(Struct, frozen=True):
    """The one part of a context that ingest reads."""

    traits: Raw = ABSENT


_context = msgspec.json.Decoder(_Context)
_members = msgspec.json.Decoder(dict[str, Raw])


def decide(parsed: Parsed, stamp: Stamp, new_ids: Iterator[str]) -> list[Decision]:
    """One decision per event, in order. `new_ids` names the events that bring no message id."""
    sent = read_time(parsed.sent_at)
    vouching = None if stamp.trusted else Vouching(stamp.source_id, stamp.rule, stamp.received_at)
    return [_decide(part, stamp, sent, new_ids, vouching) for part in parsed.parts]


def record_key(event: Event) -> bytes:
    """What keeps the records of one person in one partition (architecture §3)."""
    return (event.user_id or event.anonymous_id or event.message_id).encode()


def _decide(
    part: Part, stamp: Stamp, sent: datetime | None, new_ids: Iterator[str], vouching: Vouching | None
) -> Decision:
    if isinstance(part.call, str):
        return Rejected(part.call, emptied(part.original))
    try:
        call = _without_secrets(part.call) if stamp.may_hold_secrets else part.call
        event = _tested(_event(call, stamp, sent, new_ids), stamp.rule)
    except Unusable as wrong:
        return Rejected(wrong.reason, emptied(part.original))
    if vouching is None:
        return Accepted(event)
    if is_product_event(event):
        return Rejected("product-event-untrusted", emptied(part.original))
    return Accepted(*vouching.judge(event, user_token(part.call.context) if call is not part.call else None))


def _event(call: Call, stamp: Stamp, sent: datetime | None, new_ids: Iterator[str]) -> Event:
    """The event that a call says. Raises `Unusable` with the reason when it cannot be one.

    What is absent, as most members are of most calls, is not asked about any further.
    """
    kind = _type(call.type, stamp.path_type)
    user_id = _text(call.user_id, "user-id-not-text")
    previous_id = None if call.previous_id is None else _text(call.previous_id, "previous-id-not-text")
    group_id = None if call.group_id is None else _text(call.group_id, "group-id-not-text")
    sent_at = sent if call.sent_at is None else read_time(call.sent_at) or sent
    context = _object(call.context, "context-not-an-object")
    bot, test = flags_of(context, stamp.robot_calls)
    timed = history_time if stamp.mode == "backfill" else event_time
    event = Event(
        message_id=_message_id(call.message_id) or next(new_ids),
        type=kind,
        event_time=timed(_timestamp(call), sent_at, stamp.received_at),
        received_at=stamp.received_at,
        source_id=stamp.source_id,
        trusted=stamp.trusted,
        name=_name(call, kind),
        user_id=user_id,
        anonymous_id=None if call.anonymous_id is None else _text(call.anonymous_id, "anonymous-id-not-text"),
        sent_at=sent_at,
        mode=stamp.mode,
        context=with_address(context, stamp.address),
        traits=_traits(call, kind, context),
        properties=_object(call.properties, "properties-not-an-object"),
        integrations=_object(call.integrations, "integrations-not-an-object"),
    )
    extra = call.extra if isinstance(call, WiderCall) else EMPTY
    if previous_id is None and group_id is None and extra is EMPTY and not bot and not test:
        return event  # as most: a Struct is given up to fifteen members at a fifth of the price of more
    previous_id = None if previous_id == user_id else previous_id
    return replace(event, previous_id=previous_id, group_id=group_id, extra=extra, bot=bot, test=test)


def _tested(event: Event, rule: SourceRule) -> Event:
    """Flagged as a test where it states a tester's address. Few sources declare any, and only theirs are searched."""
    if not rule.testers or event.test or not is_of_tester(event, rule.testers):
        return event
    return replace(event, test=True)


def _type(said: object, path_type: EventType | None) -> EventType:
    found = _TYPE_BY_NAME.get(said) if isinstance(said, str) else None
    if found is not None:
        return found
    if said is not None and said != "":
        raise Unusable("type-unknown")
    if path_type is None:
        raise Unusable("type-missing")
    return path_type


def _text(said: object, reason: str) -> str | None:
    """An id or a name: absent, null and "" are none; a number is its digits, as JavaScript prints them."""
    if isinstance(said, str):
        return said or None
    if said is None:
        return None
    if isinstance(said, float) and said.is_integer() and abs(said) < _LARGEST_EXACT:
        return str(int(said))
    if isinstance(said, int | float) and not isinstance(said, bool):
        return str(said)
    raise Unusable(reason)


def _message_id(said: object) -> str | None:
    """Cutting a long one would make two events one, so it is refused."""
    text = _text(said, "message-id-not-text")
    if text is not None and len(text) > LONGEST_MESSAGE_ID:
        raise Unusable("message-id-too-long")
    return text


def _name(call: Call, kind: EventType) -> str | None:
    if kind == "track":
        name = _text(call.event, "event-name-not-text")
        if name is None:
            raise Unusable("event-name-missing")
        return name
    return _text(call.name, "name-not-text") if kind in ("page", "screen") else None


def _timestamp(call: Call) -> datetime | None:
    """When the client says it happened. Guessing at one that cannot be read would falsify every timer."""
    said = call.timestamp
    if said is None or said == "":
        said = call.original_timestamp
        if said is None or said == "":
            return None
    moment = read_time(said)
    if moment is None:
        raise Unusable("timestamp-unreadable")
    return moment


def _object(raw: Raw, reason: str) -> Raw:
    """The JSON object, untouched; absent and null are the empty one."""
    if raw is ABSENT or not len(raw) or raw == _NULL:
        return EMPTY
    if memoryview(raw)[0] != _BRACE:
        raise Unusable(reason)
    return raw


def _traits(call: Call, kind: EventType, context: Raw) -> Raw:
    """RudderStack's identify has its traits in the context only; on other types those are a repeat."""
    traits = _object(call.traits, "traits-not-an-object")
    if kind != "identify" or _members.decode(traits):
        return traits
    return _object(_context.decode(context).traits, "traits-not-an-object")


def _without_secrets(call: Call) -> Call:
    """The call without write keys and user tokens in its free-form parts; itself when there are none."""
    found = {name: scrubbed(raw) for name in _FREE_FORM if len(raw := getattr(call, name, ABSENT))}
    changed = {name: raw for name, raw in found.items() if raw is not getattr(call, name)}
    return replace(call, **changed) if changed else call
