"""uvicorn's HTTP protocol with an answer's head and the beginning of its body in one write.

uvicorn writes the head by itself, which is a system call more for every answer here, and one more to read it there.
ASGI has the head wait for the first piece of the body anyway. Knows nothing of what is answered.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/1.1 "
_INTERIM = b"HTTP/1.1 1"  # asks a client to go on, which waits for it


class Joining:
    """A transport that holds an answer's head back until something follows it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Writes the head that is held back too; holds this back if it is one."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD) and not data.startswith(_INTERIM):
            self._head = data
            return
        self._transport.write(data)

    def finish(self) -> None:
        """The answer is complete: nothing follows the head of one without a body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Closes when everything is written."""
        self.finish()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """What uvicorn makes for each connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        self._joining = Joining(transport)
        super().connection_made(cast(asyncio.Transport, self._joining))

    def on_response_complete(self) -> None:
        self._joining.finish()
        super().on_response_complete()
