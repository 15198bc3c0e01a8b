"""Requests that never arrive: connections that are opened and say nothing, or a byte at a time, or a head without end.

Each costs memory and a file descriptor for as long as its caller likes. A head that is not whole in time, a body that
is silent for as long, and a head that is too long end their connection. Whole requests cost two comparisons.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tern_common.clock import Clock
from tern_common.one_write import OneWriteProtocol

PATIENCE_S = 30.0
LONGEST_HEAD_BYTES = 64 * 1024
_LOOK_EVERY_S = 1.0


class Arriving(OneWriteProtocol):
    """uvicorn's protocol, which notes when it heard last, and ends a connection whose head is too long."""

    heard_at = 0.0
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        super().data_received(data)
        if self.open_head() is None:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > LONGEST_HEAD_BYTES:
            self.transport.abort()

    def open_head(self) -> Scope | object | None:
        """What stands for the head that is not whole yet, the first or a further one; None while there is none."""
        scope = cast(Scope | None, self.scope)
        if scope is None:
            return self
        return None if "path" in scope else scope

    def waits_for_body(self) -> bool:
        """Whether a request is being answered whose body is not all here, though nobody keeps it from coming."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is not None and cycle.more_body and not cycle.response_complete and not self.flow.read_paused


class Impatience:
    """Ends connections whose request does not arrive. `connections` is what the server has; times are the loop's."""

    def __init__(self, connections: Iterable[object]) -> None:
        self._connections = connections
        self._heads: dict[Arriving, tuple[object, float]] = {}

    async def follow(self, clock: Clock) -> None:
        """Looks at all connections every second, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await clock.sleep(_LOOK_EVERY_S)
            self.look(loop.time())

    def look(self, now: float) -> None:
        """Ends those that it has waited for long enough."""
        before, self._heads = self._heads, {}
        for connection in [found for found in self._connections if isinstance(found, Arriving)]:
            head = connection.open_head()
            if head is None:
                since = connection.heard_at if connection.waits_for_body() else now
            else:
                known, since = before.get(connection, (None, now))
                since = since if known is head else now
                self._heads[connection] = head, since
            if now - since > PATIENCE_S:
                connection.transport.abort()
