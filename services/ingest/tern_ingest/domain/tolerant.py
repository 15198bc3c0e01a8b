"""The slow, forgiving way to read a tracking request: splits a batch without recursion, and mends what JSON forbids.

NaN, infinities and numbers beyond any range become null, lone surrogates U+FFFD, NUL goes. One event that cannot be
mended costs the others nothing. Every step takes time in proportion to the body. Knows nothing of what a call means.
"""

from __future__ import annotations

import json
import math
import re

from tern_common.errors import Unusable
from tern_ingest.domain import calls
from tern_ingest.domain.bounds import STRING, check_count, is_too_deep
from tern_ingest.domain.calls import MALFORMED, Call, Envelope, Parsed, Part
from tern_ingest.domain.policy import Limits

_MEMBER = re.compile(rb"(" + STRING + rb")\s*+:(.*)", re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"
_LONGEST_INTEGER = 4_000
_BOMB_DEPTH = 10_000
_MOST_MEMBERS = 1_000
_LEAVES = 4
_BYTES_PER_STEP, _SPARE_STEPS = 64, 50_000
"""A step is a comma of the first level, or a bracket with more than `_LEAVES` levels in it. Only bombs have so many."""


_PLAIN = STRING + rb"|\\.|[^\"\\\[\]{}%s]++|[\"\\]"
"""Whatever is no bracket. A quote alone never closes; what follows it is still taken in pairs of `\\` and another."""


def _within(levels: int) -> bytes:
    """What can be passed over inside a container: anything plain, and containers `levels` deep that close.

    A container is one step, `(?>…)`: before 3.11.5 Python goes on behind one that has not closed (its issue 106052).
    """
    items = _PLAIN % b""
    for _ in range(levels):
        items = _PLAIN % b"" + rb"|(?>[\[{](?:" + items + rb")*+[\]}])"
    return items


_MARK_AT_TOP = re.compile(rb"(?:" + _PLAIN % b"," + rb")*+([\[\]{},])", re.DOTALL)
_MARK_INSIDE = re.compile(rb"(?:" + _within(_LEAVES) + rb")*+([\[\]{}])", re.DOTALL)
_OPENS, _CLOSES = b"[{", b"]}"


def parse(body: bytes, limits: Limits) -> Parsed:
    """The events of a body that the fast parser did not take.

    Raises `Unusable` when the body as a whole is no tracking request: not UTF-8, not JSON, not an object, a bomb.
    """
    if not calls.is_text(body):
        raise Unusable("not-utf-8", "the body must be JSON in UTF-8")
    body = body.removeprefix(_BOM)
    envelope = _split(body, limits)
    if envelope.events is None:
        return _single(body, limits)
    parts = [Part(raw, read(bytes(raw), limits)) for raw in envelope.events]
    return Parsed(parts, _value(envelope.sent_at), _value(envelope.write_key))


def _split(body: bytes, limits: Limits) -> Envelope:
    """By msgspec when only parts of events need mending: it makes nothing of what it passes over."""
    try:
        return calls.split(body, limits)
    except MALFORMED:
        members = _members(body)
    if "batch" not in members:
        return Envelope(None)
    batch = pieces(members["batch"], b"[]", limits.batch_events)
    if batch is None:
        raise Unusable("batch-not-a-list", "`batch` must be a list of events")
    check_count(len(batch), limits.batch_events)
    return Envelope(batch, members.get("sentAt", b""), members.get("writeKey", b""))


def pieces(text: bytes, brackets: bytes, most: int) -> list[bytes] | None:
    """What stands between the commas of a bracketed text's first level; None if it is not bracketed so.

    After `most` + 1 of them it stops looking: there are too many.
    """
    text = text.strip()
    if text[:1] != brackets[:1] or text[-1:] != brackets[1:]:
        return None
    cuts = _cuts(text, most)
    if len(cuts) <= most and (not cuts or cuts[-1] != len(text) - 1):
        return None
    starts = [1, *(cut + 1 for cut in cuts)]
    found = [text[start:cut].strip() for start, cut in zip(starts, cuts, strict=False)]
    return [] if found == [b""] else found


def _cuts(text: bytes, most: int) -> list[int]:
    """Where the first level's commas stand, and where it closes. Nothing when it never does; at most `most` + 1."""
    depth, place = 1, 1
    cuts: list[int] = []
    for _ in range(_SPARE_STEPS + len(text) // _BYTES_PER_STEP):
        if len(cuts) > most:
            return cuts
        token = (_MARK_AT_TOP if depth == 1 else _MARK_INSIDE).match(text, place)
        if token is None:
            return []
        place = token.end()
        mark = token[1]
        if mark == b",":
            cuts.append(place - 1)
            continue
        depth += 1 if mark in _OPENS else -1
        if depth == 0:
            return [*cuts, place - 1]
        if depth > _BOMB_DEPTH:
            break
    raise Unusable("too-deep", "the body nests objects and arrays too deeply, or too often")


def _members(text: bytes) -> dict[str, bytes]:
    """The members of an object, values as bytes. Raises `Unusable` when it is none, or they are too many."""
    parts = pieces(text, b"{}", _MOST_MEMBERS)
    if parts is not None and len(parts) > _MOST_MEMBERS:
        raise Unusable("too-many-members", f"the body's object must have at most {_MOST_MEMBERS} members")
    members = None if parts is None else [_MEMBER.fullmatch(part) for part in parts]
    if members is None or None in members:
        raise Unusable("not-json", 'the body must be a JSON object: one event or {"batch": [...]}')
    return {str(_value(member[1])): member[2].strip() for member in members if member}


def _single(body: bytes, limits: Limits) -> Parsed:
    call = read(body, limits)
    if call == "event-not-json":
        raise Unusable("not-json", "the body must be valid JSON")
    if isinstance(call, str):
        return Parsed([Part(body, call)])
    return Parsed([Part(body, call)], call.sent_at, call.write_key)


def read(raw: bytes, limits: Limits) -> Call | str:
    """The call of an event that is text, mended if need be, or the reason why it is none."""
    if len(raw) > limits.event_bytes:
        return "event-too-large"
    try:
        return _mended(raw, limits) if calls.NUL in raw else calls.one(raw, limits)
    except MALFORMED:
        return _mended(raw, limits)


def _mended(raw: bytes, limits: Limits) -> Call | str:
    clean = cleaned(raw, limits)
    return clean if isinstance(clean, str) else calls.whole(clean)


def cleaned(raw: bytes, limits: Limits) -> bytes | str:
    """An event as JSON that every parser takes, or the reason why it is none."""
    try:
        value = _json.decode(raw.decode())
    except RecursionError:
        return "event-too-deep"
    except ValueError:
        return "event-not-json"
    if not isinstance(value, dict):
        return "event-not-an-object"
    if is_too_deep(raw, limits.event_depth):
        return "event-too-deep"
    if b"\\u" in raw or b"\0" in raw:
        value = _clean(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _clean(value: object) -> object:
    """The value without NUL and lone surrogates. Its depth is known to be harmless."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value.replace("\0", ""))
    if isinstance(value, dict):
        return {_clean(key): _clean(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_clean(child) for child in value]
    return value


def _value(raw: bytes) -> object:
    """A value of the envelope; None if it is not JSON, or too long to be one."""
    try:
        return _clean(_json.decode(raw.decode())) if len(raw) <= calls.LONGEST_VALUE else None
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _LONGEST_INTEGER else None


def _nothing(_: str) -> None:
    return None


_json = json.JSONDecoder(parse_float=_finite, parse_int=_whole, parse_constant=_nothing, strict=False)
