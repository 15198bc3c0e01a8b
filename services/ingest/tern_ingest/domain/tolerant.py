"""The slow, forgiving way to read a tracking request: splits a batch without recursion, and mends what JSON forbids.

NaN, infinities and numbers beyond any range become null, lone surrogates U+FFFD, NUL goes. One event that cannot be
mended costs the others nothing. Knows nothing of what a call means.
"""

from __future__ import annotations

import json
import math
import re

from tern_common.errors import Unusable
from tern_ingest.domain import calls
from tern_ingest.domain.calls import MALFORMED, Call, Parsed, Part
from tern_ingest.domain.policy import Limits

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(_STRING + rb'|["\[\]{},]', re.DOTALL)
_MEMBER = re.compile(rb"\s*(" + _STRING + rb")\s*:\s*(.*?)\s*", re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"
_OPENS, _CLOSES = (b"{", b"["), (b"}", b"]")
_LONGEST_INTEGER = 4_000
_BOMB_DEPTH = 10_000


def parse(body: bytes, limits: Limits) -> Parsed:
    """The events of a body that the fast parser did not take.

    Raises `Unusable` when the body as a whole is no tracking request: not UTF-8, not JSON, not an object, a bomb.
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Unusable("not-utf-8", "the body must be JSON in UTF-8") from None
    body = body.removeprefix(_BOM)
    members = _members(body)
    if "batch" not in members:
        return _single(body, limits)
    batch = pieces(members.pop("batch"), b"[]")
    if batch is None:
        raise Unusable("batch-not-a-list", "`batch` must be a list of events")
    calls.check_count(len(batch), limits)
    parts = [Part(raw, _read(raw, limits)) for raw in batch]
    return Parsed(parts, _value(members.get("sentAt")), _value(members.get("writeKey")))


def pieces(text: bytes, brackets: bytes) -> list[bytes] | None:
    """What stands between the commas of a bracketed text's first level; None if it is not bracketed so."""
    text = text.strip()
    if text[:1] != brackets[:1] or text[-1:] != brackets[1:]:
        return None
    cuts = _cuts(text)
    if not cuts or cuts[-1] != len(text) - 1:
        return None
    starts = [1, *(cut + 1 for cut in cuts)]
    found = [text[start:cut].strip() for start, cut in zip(starts, cuts, strict=False)]
    return [] if found == [b""] else found


def _cuts(text: bytes) -> list[int]:
    """Where the first level's commas stand, and where it closes. Nothing when it never does."""
    depth = 0
    cuts: list[int] = []
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in _OPENS:
            depth += 1
            if depth > _BOMB_DEPTH:
                raise Unusable("too-deep", "the body nests objects and arrays too deeply")
        elif mark in _CLOSES:
            depth -= 1
            if depth == 0:
                return [*cuts, token.start()]
        elif mark == b"," and depth == 1:
            cuts.append(token.start())
    return []


def _members(text: bytes) -> dict[str, bytes]:
    """The members of an object, values as bytes. Raises `Unusable` when it is none."""
    parts = pieces(text, b"{}")
    members = None if parts is None else [_MEMBER.fullmatch(part) for part in parts]
    if members is None or None in members:
        raise Unusable("not-json", 'the body must be a JSON object: one event or {"batch": [...]}')
    return {str(_value(member[1])): member[2] for member in members if member}


def _single(body: bytes, limits: Limits) -> Parsed:
    call = _read(body, limits)
    if call == "event-not-json":
        raise Unusable("not-json", "the body must be valid JSON")
    if isinstance(call, str):
        return Parsed([Part(body, call)])
    return Parsed([Part(body, call)], call.sent_at, call.write_key)


def _read(raw: bytes, limits: Limits) -> Call | str:
    """An event's call, mended if need be, or the reason why it is none."""
    if len(raw) > limits.event_bytes:
        return "event-too-large"
    try:
        call = calls.one(raw)
    except MALFORMED:
        call = None
    return _mended(raw, limits) if call is None else (calls.unfit(raw, limits) or call)


def _mended(raw: bytes, limits: Limits) -> Call | str:
    try:
        value = _json.decode(raw.decode())
    except RecursionError:
        return "event-too-deep"
    except ValueError:
        return "event-not-json"
    if not isinstance(value, dict):
        return "event-not-an-object"
    if calls.deeper(value, limits.event_depth):
        return "event-too-deep"
    clean = json.dumps(_clean(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return calls.decode(clean.encode())


def _clean(value: object) -> object:
    """The value without NUL and lone surrogates. Its depth is known to be harmless."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value.replace("\0", ""))
    if isinstance(value, dict):
        return {_clean(key): _clean(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_clean(child) for child in value]
    return value


def _value(raw: bytes | None) -> object:
    """A small JSON value of the envelope; None if it is not JSON."""
    try:
        return _clean(_json.decode(raw.decode())) if raw else None
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
