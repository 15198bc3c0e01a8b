"""What becomes of a dead letter that is sent again, mended.

What ingest rejected is judged once more, as it would have been when it came. What a consumer rejected goes back to the
topic it came from. Knows no HTTP and no broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Raw
from msgspec.structs import replace

from tern_common.bus import Headers, Message
from tern_common.errors import Poison
from tern_common.events import Event, EventType, ResolvedEvent, decode_event, decode_resolved, encode
from tern_common.topics import CATALOG, EVENTS, EVENTS_BACKFILL, OUTCOMES, RESOLVED, RESOLVED_BACKFILL, STOCK
from tern_ingest.domain import calls, mending, tolerant
from tern_ingest.domain.calls import Parsed, Part
from tern_ingest.domain.decisions import Accepted, Rejected, Stamp, decide, record_key
from tern_ingest.domain.letters import IMPORT, INGEST, REPLAY_OF, Letter
from tern_ingest.domain.policy import Limits
from tern_ingest.domain.vouching import SourceRule

NOT_REPLAYABLE, PUT_BACK_BEFORE, KEY_MISSING = "not-replayable", "put-back-before", "key-missing"
UNASKED = SourceRule(login_needs_token=True)
"""The rule of a source without a live key, which cannot be asked: nothing is believed."""

_REPLAY = b"replay"
_ID_BYTES = 16
_EVENTS = (EVENTS, EVENTS_BACKFILL)
_RESOLVED = (RESOLVED, RESOLVED_BACKFILL)
_AS_THEY_ARE = (OUTCOMES, STOCK, CATALOG)


class Terms(NamedTuple):
    """How letters are sent again. `rules`: of the sources that have a live key. `types`: of the events of a path."""

    now: datetime
    mapping: mending.Mapping
    limits: Limits
    rules: Mapping[str, SourceRule]
    types: Mapping[str, EventType | None]


class Replay(NamedTuple):
    """A letter's mended bytes, and what becomes of them: an event, a record that goes back, or why neither."""

    letter: Letter
    mended: bytes
    outcome: Accepted | Message | Rejected


def replay(one: Letter, terms: Terms) -> Replay:
    """Decides about one letter. The same letter has the same message id each time."""
    mended = _mended(one.value, terms)
    return Replay(one, mended, _judged(one, mended, terms) if one.service == INGEST else _put_back(one, mended, terms))


def _mended(original: bytes, terms: Terms) -> bytes:
    """What only the tolerant parser takes is mended as that parser reads it."""
    if not terms.mapping:
        return original
    mended = terms.mapping.mend(original)
    if mended is not original or not calls.is_text(original):
        return mended
    clean = tolerant.cleaned(original, terms.limits)
    return original if isinstance(clean, str) else terms.mapping.mend(clean)


def _judged(one: Letter, mended: bytes, terms: Terms) -> Accepted | Rejected:
    """As it would have been judged when it came, with the event's own bytes mended. Its token was not kept.

    A body that was refused as a whole is no event, whatever a mapping makes of it.
    """
    if one.is_whole_body:
        return Rejected(one.reason, mended)
    call = tolerant.read(mended, terms.limits) if calls.is_text(mended) else "event-not-json"
    source, received_at = one.source or "", one.rejected_at or terms.now
    stamp = Stamp(
        source,
        one.trusted,
        received_at,
        terms.types.get(one.origin),
        terms.rules.get(source, UNASKED),
        address=one.address,
        robot_calls=one.robot,
        mode="backfill" if one.origin == IMPORT else "live",
    )
    (decision,) = decide(Parsed([Part(mended, call)], one.sent_at), stamp, _ids(one))
    return decision if isinstance(decision, Rejected) else Accepted(_again(decision.event, terms.now), decision.token)


def _again(event: Event, now: datetime) -> Event:
    """History stays history."""
    return replace(event, replayed_at=now, mode="backfill" if event.mode == "backfill" else "replay")


def _ids(one: Letter) -> Iterator[str]:
    """For an event without an id of its own: of its letter, or of its line, which each import of the file repeats."""
    place = b"" if one.origin == IMPORT else one.at.encode()
    said = b"\n".join((place, (one.source or "").encode(), one.value))
    yield blake2b(said, digest_size=_ID_BYTES, person=b"tern-replay").hexdigest()


def _put_back(one: Letter, mended: bytes, terms: Terms) -> Message | Rejected:
    """Not to a compacted topic, where it would stand in for what is newer; and no trigger, which was withdrawn."""
    if any(name == REPLAY_OF for name, _ in one.headers):
        return Rejected(PUT_BACK_BEFORE, mended)
    try:
        key, value = _record(one, mended, terms.now)
    except Poison as wrong:
        return Rejected(wrong.reason, mended)
    return Message(one.origin, key, value, _headers(one))


def _record(one: Letter, mended: bytes, now: datetime) -> tuple[bytes, bytes]:
    """Key and value. Raises `Poison` for what its readers would reject again, and what must not be put back."""
    if one.origin in _EVENTS:
        event = _again(decode_event(mended), now)
        return record_key(event), encode(event)
    if one.origin in _RESOLVED:
        found = decode_resolved(mended)
        if not isinstance(found, ResolvedEvent):
            return found.customer_id.encode(), mended
        inner = _again(decode_event(found.event), now)
        return found.customer_id.encode(), encode(replace(found, event=Raw(encode(inner))))
    if one.origin not in _AS_THEY_ARE:
        raise Poison(NOT_REPLAYABLE)
    if not one.key:
        raise Poison(KEY_MISSING)
    return one.key, mended


def _headers(one: Letter) -> Headers:
    """Its own; history stays history."""
    kept = tuple((name, _REPLAY if name == "mode" and said == b"live" else said) for name, said in one.headers)
    return (*kept, (REPLAY_OF, one.at.encode()))
