"""Where SDKs write the write key, in the order in which it is believed. Knows no key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qs

from tern_common.errors import Refused
from tern_ingest.domain.calls import Call, Parsed

_BASIC = b"basic "


def outside_the_body(head: Mapping[bytes, bytes], query: bytes) -> str | None:
    """The write key by Basic auth, as a header, or in the address, in this order."""
    authorization = head.get(b"authorization", b"")
    if authorization[: len(_BASIC)].lower() == _BASIC:
        try:
            user, _, _ = base64.b64decode(authorization[len(_BASIC) :]).partition(b":")
        except binascii.Error:
            user = authorization
        if user:
            return user.decode("utf-8", "replace")
    if header := head.get(b"x-write-key"):
        return header.decode("latin-1")
    return in_the_address(query)


def in_the_address(query: bytes) -> str | None:
    """The write key of `?writeKey=`."""
    if b"writeKey" not in query:
        return None
    return next(iter(parse_qs(query.decode("latin-1")).get("writeKey", [])), None)


def in_the_body(parsed: Parsed) -> str:
    """The envelope's key, else the first that an event brings. Raises `Refused` when there is none."""
    in_events = (part.call.write_key for part in parsed.parts if isinstance(part.call, Call))
    for said in (parsed.write_key, *in_events):
        if isinstance(said, str) and said:
            return said
    raise Refused(401, "write-key-missing", "send the write key as the user name of Basic auth")
