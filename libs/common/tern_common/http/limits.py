"""What every request meets first: a measure, a clean address, a bounded body. Plain ASGI, so that it costs little."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote_to_bytes

from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tern_common.clock import Clock
from tern_common.errors import Refused
from tern_common.http.problems import ErrorStyle
from tern_common.metrics import HTTP_IN_FLIGHT, HTTP_REQUESTS, HTTP_SECONDS

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BAD_ADDRESS = Refused(400, "bad-address", "The address holds a NUL byte or is not UTF-8.")


class Measured:
    """Counts and times requests under their route's template; an address of nobody's counts as `unmatched`."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begun = self._clock.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        HTTP_IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            HTTP_IN_FLIGHT.dec()
            count, seconds = _meters(route_template(scope), scope["method"], status)
            count.inc()
            seconds.observe(self._clock.monotonic() - begun)


@lru_cache(maxsize=4096)
def _meters(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """Looking a label up costs more than counting, so what was looked up is kept."""
    known = method if method in _METHODS else "other"
    return HTTP_REQUESTS.labels(route, known, str(status)), HTTP_SECONDS.labels(route)


def route_template(scope: Scope) -> str:
    """The template that matched, such as `/v1/profiles/{customer_id}`: the address itself may be personal."""
    template = getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) and template else "unmatched"


class Labelled:
    """Leaves a plain route in the scope, as the framework does for its own: it is measured under its template."""

    def __init__(self, route: Route) -> None:
        self._app = route.app
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self._route
        await self._app(scope, receive, send)


class CleanAddress:
    """Refuses addresses that no store can hold: NUL bytes and broken UTF-8, in path or query."""

    def __init__(self, app: ASGIApp, errors: ErrorStyle) -> None:
        self._app = app
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not (_clean(scope["query_string"]) and _clean(scope.get("raw_path") or b"")):
            await self._errors.response(_BAD_ADDRESS)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _clean(part: bytes) -> bool:
    if b"%" not in part and part.isascii():
        return b"\0" not in part
    decoded = unquote_to_bytes(part)
    return b"\0" not in decoded and decoded.decode("utf-8", "ignore").encode() == decoded


class BodyLimit:
    """Ends a request whose body passes `limit` bytes with 413, whether it says its length or comes in chunks.

    It speaks when the body is first read, so that one error handler words this answer like any other.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0
        declared = _declared_length(scope)

        async def counting() -> Message:
            nonlocal taken
            if declared > self._limit:
                raise _too_large()
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise _too_large()
            return message

        await self._app(scope, counting, send)


def _too_large() -> HTTPException:
    """The connection is closed, since the rest of the body will not be read."""
    return HTTPException(413, headers={"Connection": "close"})


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
