"""Reading an answer that does not end: what has come of it so far, and hanging up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message

from support.waiting import eventually


class Watch:
    """A caller below HTTP. `gate`: while it is not set, he takes nothing. `whole`: the answer came to its end."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.whole = False
        self.ended = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._left = asyncio.Event()
        self._asked = False

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was told, without the empty lines."""
        return [json.loads(line) for line in self.body.splitlines() if line]

    async def told(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """At least so many lines of a kind."""

        def found() -> list[dict[str, Any]]:
            lines = [line for line in self.lines if line["kind"] == kind]
            return lines if len(lines) >= count else []

        return await eventually(found, 20, f"{count} lines of {kind}")

    def hang_up(self) -> None:
        """As a browser tab that is closed."""
        self._left.set()
        self.gate.set()

    async def run(self, app: ASGIApp, path: str, asked: Mapping[str, object], headers: Mapping[str, str]) -> None:
        """Until the answer ends."""
        head = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "scheme": "http",
            "http_version": "1.1",
            "server": ("tern", 80),
            "headers": [*head, (b"content-type", b"application/json")],
        }

        async def receive() -> Message:
            if not self._asked:
                self._asked = True
                return {"type": "http.request", "body": json.dumps(asked).encode(), "more_body": False}
            await self._left.wait()
            return {"type": "http.disconnect"}

        await app(scope, receive, self._send)
        self.ended = True

    async def _send(self, message: Message) -> None:
        await self.gate.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
            self.whole = not message.get("more_body")


@asynccontextmanager
async def watching(
    app: ASGIApp, path: str, asked: Mapping[str, object], headers: Mapping[str, str]
) -> AsyncIterator[Watch]:
    """Asks, and hangs up at the end; the answer must end then."""
    watch = Watch()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(watch.run(app, path, asked, headers))
        try:
            yield watch
        except BaseException:
            running.cancel()
            raise
        watch.hang_up()
