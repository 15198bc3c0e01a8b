"""What tracking callers are answered, as SDKs expect it, and what browsers must be told with it (CORS).

JSON with `success`, or with `code` and `message`. Each function returns the status it sent. Knows nothing of why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.types import Message, Send

from tern_common.errors import Refused

Headers = list[tuple[bytes, bytes]]

SUCCESS = b'{"success": true}'
SENDING, READING = b"POST, OPTIONS", b"GET, OPTIONS"
"""The methods of a route that takes events, and of one that tells SDKs where to send them."""

_JSON = (b"content-type", b"application/json")
_SUCCESS_HEADERS: Headers = [_JSON, (b"content-length", b"%d" % len(SUCCESS))]
_SUCCESS_START: Message = {"type": "http.response.start", "status": 200, "headers": _SUCCESS_HEADERS}
_SUCCESS_BODY: Message = {"type": "http.response.body", "body": SUCCESS}
_NOTHING_MORE: Mapping[str, object] = {}
OTHER_ORIGIN = "origin-not-allowed"

_MAX_AGE_S = b"7200"
_ALLOWED_HEADERS = (
    "authorization",
    "content-type",
    "content-encoding",
    "x-write-key",
    "x-retry-count",
    "anonymousid",
    "sentat",
    "x-ip-policy",
    "x-enable-debug",
)
_ALLOWED_PREFIX = "rsa-"


async def succeed(send: Send, origin: bytes | None) -> int:
    """200, exactly: some SDKs take 202 and 204 for a failure."""
    if origin is None:
        await send(_SUCCESS_START)
    else:
        await send({**_SUCCESS_START, "headers": _SUCCESS_HEADERS + cors(origin)})
    await send(_SUCCESS_BODY)
    return 200


async def say(send: Send, origin: bytes | None, body: bytes) -> int:
    """200 with that JSON. It may hold a write key, so that no shared cache keeps it."""
    headers = [_JSON, (b"content-length", b"%d" % len(body)), (b"cache-control", b"private, max-age=60"), *cors(origin)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return 200


async def refuse(
    send: Send,
    origin: bytes | None,
    refused: Refused,
    methods: bytes = SENDING,
    more: Mapping[str, object] = _NOTHING_MORE,
) -> int:
    """The error with its code and message. No `WWW-Authenticate`: browsers would ask the visitor for a password.

    A page that its source does not list cannot read why. `more`: what else the caller is told.
    """
    body = json.dumps({"code": refused.code, "message": refused.message, **more}).encode()
    headers = [_JSON, (b"content-length", b"%d" % len(body)), *cors(None if refused.code == OTHER_ORIGIN else origin)]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % refused.retry_after_s))
    if refused.status == 405:
        headers.append((b"allow", methods))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return refused.status


async def preflight(send: Send, head: Mapping[bytes, bytes], origin: bytes | None, methods: bytes = SENDING) -> int:
    """What a browser asks before it sends. `origin`: its page, if that may.

    Names are lower-case and echoed, since `Rsa-*` is no valid wildcard.
    """
    asked = head.get(b"access-control-request-headers", b"").decode("latin-1").lower().split(",")
    prefixed = sorted(name.strip() for name in asked if _is_prefixed(name.strip()))
    headers = [
        *cors(origin),
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", ", ".join([*_ALLOWED_HEADERS, *prefixed]).encode()),
        (b"access-control-max-age", _MAX_AGE_S),
        (b"allow", methods),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
    return 200


def cors(origin: bytes | None) -> Headers:
    """What every answer to another origin carries, errors too: otherwise the SDK cannot read when to try again."""
    if origin is None:
        return [(b"vary", b"Origin")]
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"Retry-After"),
        (b"vary", b"Origin"),
    ]


def _is_prefixed(name: str) -> bool:
    return name.startswith(_ALLOWED_PREFIX) and name.replace("-", "").isalnum() and name.isascii()
