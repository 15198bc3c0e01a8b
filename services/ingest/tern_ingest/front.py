"""What the server calls: tracking requests go straight to their route, everything else to the whole application.

The middleware in front of the application costs twice what a tracking request does itself, and none of it is needed
there: a tracking route limits its body, words its errors and takes any address. What is left of it is the counting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from tern_common.clock import Clock
from tern_common.metrics import HTTP_IN_FLIGHT, HTTP_REQUESTS, HTTP_SECONDS

_BUG = 500
_NOT_ALLOWED = 405


class Answering(Protocol):
    """A route that words all its answers itself."""

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answers any request to its path. Returns the status."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Front:
    """`tracking`: path → its application."""

    def __init__(self, app: ASGIApp, tracking: Mapping[str, Answering], clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._routes = {path: _Measured(path, route) for path, route in tracking.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        route = self._routes.get(scope["path"]) or self._routes.get(tidied(scope["path"]))
        if route is None:
            return await self._app(scope, receive, send)
        begun = self._clock.monotonic()
        status = _BUG
        HTTP_IN_FLIGHT.inc()
        try:
            status = await route.tracking.answer(scope, receive, send)
        finally:
            HTTP_IN_FLIGHT.dec()
            route.count(scope["method"], status, self._clock.monotonic() - begun)
        return None


def tidied(path: str) -> str:
    """The path as it was meant: a host that is set up with a slash at its end doubles one. A redirect loses events."""
    return re.sub("//+", "/", path).rstrip("/")


class _Measured:
    """A route with its counters, looked up once: labels cost more than counting."""

    def __init__(self, path: str, tracking: Answering) -> None:
        self.tracking = tracking
        self._path = path
        self._seconds = HTTP_SECONDS.labels(path)
        self._requests: dict[tuple[str, int], Counter] = {}

    def count(self, method: str, status: int, seconds: float) -> None:
        known = "other" if status == _NOT_ALLOWED else method
        counter = self._requests.get((known, status))
        if counter is None:
            counter = self._requests[known, status] = HTTP_REQUESTS.labels(self._path, known, str(status))
        counter.inc()
        self._seconds.observe(seconds)
