"""A request's body: read and unpacked within limits, its bytes counted as long as the request is worked on."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import NamedTuple, Self

from starlette.types import Receive

from tern_common.errors import Refused
from tern_ingest.domain.policy import Policy

_PACKED = (b"\x1f\x8b", b"\x78")
_GZIP_OR_ZLIB, _NO_HEADER = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
_BARE, _JSON = b"deflate", b"{"
"""Some send a deflated body without zlib's header, which only its label tells."""
_ENCODINGS = frozenset({b"", b"identity", b"gzip", b"x-gzip", b"deflate"})
LONG = 64 * 1024
"""Bytes of a body, unpacked: what comes of a longer one takes too long for the loop."""
_MOST_MEMBERS = 32
"""Of one gzipped body. Each costs a copy of the rest, and a body of empty ones has hundreds of thousands."""


def encoding_of(head: Mapping[bytes, bytes]) -> bytes:
    """How the body is said to be packed. Raises `Refused` 415 when nobody here can open that."""
    encoding = head.get(b"content-encoding", b"").strip().lower()
    if encoding not in _ENCODINGS:
        raise Refused(415, "unsupported-encoding", "send the body plain or gzipped")
    return encoding


def says_long(head: Mapping[bytes, bytes]) -> bool:
    """Whether the head says that the body is long. What is packed may be so all the same."""
    return _said_length(head) > LONG


def _said_length(head: Mapping[bytes, bytes]) -> int:
    """0 where the head does not say it."""
    length = head.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


class Came(NamedTuple):
    """A body as it came. `form`: how it is packed, as zlib counts; None when it is plain."""

    data: bytes
    form: int | None


class Gone(Exception):
    """Raised while a body is read, to end the request."""


class Hold:
    """A request's share of the bytes in flight."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bodies.in_flight -= self.size

    def take(self, size: int) -> None:
        """Adds to the share. Raises `Refused` when the process holds too much already."""
        if self._bodies.in_flight + size > self._bodies.limit:
            raise Refused(503, "overloaded", "too much is in flight; try again", self._bodies.retry_after_s)
        self._bodies.in_flight += size
        self.size += size


class Bodies:
    """Reads bodies. All that one process holds of them at once stays below `in_flight_bytes`.

    `large` is held while a large one is worked on, so that what is made of them stays bounded too.
    """

    def __init__(self, policy: Policy) -> None:
        self.in_flight = 0
        self.large = asyncio.Lock()
        self.limit = policy.limits.in_flight_bytes
        self.retry_after_s = policy.waits.retry_after_s
        self._longest = policy.limits.body_bytes
        self._wait_s = policy.waits.body_s

    def hold(self) -> Hold:
        """To be entered for as long as the request is worked on."""
        return Hold(self)

    async def read(self, receive: Receive, head: Mapping[bytes, bytes], hold: Hold) -> Came:
        """The body, as it came. Goes by what its bytes are: the header is lost or added on the way, and JSON cannot
        begin so. Raises `Refused` (408, 413, 415, 503) and `Gone`.
        """
        encoding = encoding_of(head)
        if _said_length(head) > self._longest:
            raise self._too_large()
        body = await self._received(receive, hold)
        if body.startswith(_PACKED):
            return Came(body, _GZIP_OR_ZLIB)
        bare = encoding == _BARE and not body.lstrip().startswith(_JSON)
        return Came(body, _NO_HEADER if bare else None)

    def at_once(self, came: Came) -> bytes | None:
        """The body, unpacked; None when it is long, packed or unpacked. Raises `Refused` 400."""
        if len(came.data) > LONG:
            return None
        return came.data if came.form is None else _unpacked(came.data, came.form, LONG)

    def in_full(self, came: Came) -> bytes:
        """The same, of any length. A few kilobytes may unpack for 10 ms. Raises `Refused` (400, 413)."""
        if came.form is None:
            return came.data
        found = _unpacked(came.data, came.form, self._longest)
        if found is None:
            raise self._too_large()
        return found

    async def _received(self, receive: Receive, hold: Hold) -> bytes:
        """Most bodies are one piece, which costs no timer."""
        piece, more = await self._piece(receive, hold)
        if not more:
            return piece
        pieces = [piece]
        try:
            async with asyncio.timeout(self._wait_s):
                while more:
                    piece, more = await self._piece(receive, hold)
                    pieces.append(piece)
        except TimeoutError:
            raise Refused(408, "body-too-slow", "the body did not arrive in time") from None
        return b"".join(pieces)

    async def _piece(self, receive: Receive, hold: Hold) -> tuple[bytes, bool]:
        """The next piece, and whether there are more."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        piece: bytes = message.get("body", b"")
        hold.take(len(piece))
        if hold.size > self._longest:
            raise self._too_large()
        return piece, bool(message.get("more_body"))

    def _too_large(self) -> Refused:
        return Refused(413, "body-too-large", f"send at most {self._longest} bytes in one request, unpacked")


def _unpacked(packed: bytes, form: int, longest: int) -> bytes | None:
    """None when it is longer. Raises `Refused` 400."""
    found = b""
    for _ in range(_MOST_MEMBERS):
        if not packed:
            break
        member = zlib.decompressobj(form)
        try:
            found += member.decompress(packed, longest + 1 - len(found))
        except zlib.error:
            raise Refused(400, "not-gzip", "the body is neither JSON nor gzip") from None
        if len(found) > longest:
            return None
        if not member.eof:
            raise Refused(400, "not-gzip", "the gzipped body is cut off")
        packed = member.unused_data
    if packed:
        raise Refused(400, "not-gzip", f"a gzipped body has at most {_MOST_MEMBERS} members")
    return found
