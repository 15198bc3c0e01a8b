"""How much there is of a request, found from its bytes alone: no object is made of what is beyond the limits.

A few kilobytes of gzip hold millions of empty arrays; every object made of them costs a hundred times their byte.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

import msgspec
from msgspec import Raw

from tern_common.errors import Unusable

TOO_MANY = "too-many-events"
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'

_ABSENT = Raw(b"")
_STRING = re.compile(STRING, re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_MAY_BE_FAR = re.compile(rb"[0-9](?:[eE]\+?[0-9]{3,}+[\s,\]}]|(?<![0-9][0-9])[0-9]{299})")
_MAY_BE_FAR_NUMBER = re.compile(
    rb"(?<![0-9.])-?(?:[0-9]++(?:\.[0-9]++)?[eE][+-]?[0-9]{3,}+|[0-9]{300,}+(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
)

_events = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder()


def check_count(events: int, limit: int) -> None:
    """Raises `Unusable` when a request has more events than one may have."""
    if events > limit:
        raise Unusable(TOO_MANY, f"send at most {limit} events in one request")


def events_of(batch: bytes, limit: int) -> list[Raw]:
    """The elements of a JSON array, as bytes. Raises `Unusable` when they are too many, without having made them all.

    Raises msgspec's errors when it is no well-formed array.
    """
    if batch.count(b",") < limit:
        return _events.decode(batch)
    found = cast("tuple[Raw, ...]", msgspec.structs.astuple(_first(limit + 1).decode(batch)))
    check_count(limit + 1 if len(found[limit]) else limit, limit)
    return [event for event in found if len(event)]


@lru_cache(maxsize=1)
def _first(count: int) -> msgspec.json.Decoder[msgspec.Struct]:
    """Decodes the first `count` elements of an array. The others are passed over by the parser, as unknown fields."""
    fields = [(f"element{place}", Raw, _ABSENT) for place in range(count)]
    return msgspec.json.Decoder(msgspec.defstruct("First", fields, array_like=True))


def is_too_deep(text: bytes, limit: int) -> bool:
    """Whether objects and arrays stand within each other more than `limit` deep. `text` is JSON.

    What is left of it without strings and everything else but brackets loses its innermost level at each step.
    """
    if _containers(text) <= limit:
        return False
    brackets = _STRING.sub(b"", text).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(limit):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def check_numbers(text: bytes) -> None:
    """Raises a `DecodeError` for JSON with a number beyond the range that msgspec reads: it passes over them unread.

    Decodes only numbers that may be so: those of 300 digits or with an exponent of three.
    """
    if _MAY_BE_FAR.search(text):
        for number in _MAY_BE_FAR_NUMBER.findall(_STRING.sub(b"", text)):
            _anything.decode(number)


def check_depth(text: bytes, limit: int) -> bool:
    """`check_numbers`, then `is_too_deep`: by decoding, the quickest way, while that makes few objects."""
    if _containers(text) <= limit:
        _anything.decode(text)
        return False
    check_numbers(text)
    return is_too_deep(text, limit)


def _containers(text: bytes) -> int:
    """At least as many as there are: brackets in strings count too."""
    return text.count(b"{") + text.count(b"[")
