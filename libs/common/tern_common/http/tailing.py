"""Answers that go on for as long as somebody watches: lines of JSON about what comes onto topics from now on.

No group and no position: whoever watches disturbs nobody, and what he missed he has missed. Memory is bounded: records
for which a slow reader has no room are counted and passed over. Knows no topic's meaning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing

import msgspec
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tern_common.bus import Bus, Record
from tern_common.clock import Clock
from tern_common.errors import Refused

MEDIA_TYPE = "application/x-ndjson"
AT_ONCE = 8
LINES_HELD = 1_000
_QUIET_S = 5.0
"""After this without news an empty line shows that the platform is still there."""
_SLOW_S = 20.0
"""A reader who takes nothing for so long is cut off."""
_LONGEST_S = 3_600.0
_RETRY_AFTER_S = 10
_BETWEEN_BREATHS = 100
_END: Message = {"type": "http.response.body", "body": b""}

Show = Callable[[Record], Mapping[str, object] | None]
"""What a record is shown as, or None for one that is not asked for. Raises nothing."""
DESCRIBED: dict[int | str, dict[str, object]] = {
    200: {
        "description": "Lines of JSON, without an end: `kind` says of what. Empty ones say that nothing came. After "
        "an hour it ends, and may be asked for again.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
"""For the OpenAPI document."""


class Tails:
    """All of a process's: few at once, since each reads whole topics.

    `stopping`: to be given to `lifecycle.run`. Once it is set they end, so that nobody who watches holds up the stop.
    """

    def __init__(self, bus: Bus, clock: Clock, at_once: int = AT_ONCE) -> None:
        self.bus = bus
        self.clock = clock
        self.stopping = asyncio.Event()
        self.running = 0
        self._at_once = at_once

    async def begin(self, shows: Mapping[str, Show]) -> Response:
        """An answer about these topics, from now on. Raises `Refused` 503 when there are too many, and `Transient`."""
        starts = {topic: await self.bus.log.ends(topic) for topic in shows}
        if self.running >= self._at_once:
            raise Refused(503, "too-many-tails", "others are watching; end one of them, or try again", _RETRY_AFTER_S)
        return _Tail(self, shows, starts)


class Window:
    """Lines between topics and a reader."""

    def __init__(self, most: int = LINES_HELD) -> None:
        self._most = most
        self._lines: list[bytes] = []
        self._passed_over = 0
        self._news = asyncio.Event()

    def offer(self, record: Record, show: Show) -> None:
        """Shows the record, if there is room. For one without room it is not even asked what it is."""
        if len(self._lines) >= self._most:
            self._passed_over += 1
            return
        line = show(record)
        if line is not None:
            self._lines.append(msgspec.json.encode(line))
            self._news.set()

    async def take(self, wait_s: float = _QUIET_S) -> bytes:
        """All lines that wait, and how many records were passed over; an empty line when nothing comes in time."""
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return b"\n"
        self._news.clear()
        lines, self._lines = self._lines, []
        if self._passed_over:
            lines.append(msgspec.json.encode({"kind": "passed-over", "records": self._passed_over}))
            self._passed_over = 0
        return b"\n".join((*lines, b""))


class _Tail(Response):
    """The answer. It ends when the caller hangs up or takes nothing, or the process stops; and with it all it reads."""

    media_type = MEDIA_TYPE

    def __init__(self, tails: Tails, shows: Mapping[str, Show], starts: Mapping[str, Mapping[int, int]]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._tails = tails
        self._shows = shows
        self._starts = starts
        self._window = Window()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI calls it
        self._tails.running += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(self._read(topic)) for topic in self._shows]
                parts += [group.create_task(_hung_up(receive)), group.create_task(self._write(send))]
                parts.append(group.create_task(self._stopping()))
                await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                for part in parts:
                    part.cancel()
            if self._tails.stopping.is_set():
                await send(_END)
        finally:
            self._tails.running -= 1

    async def _read(self, topic: str) -> None:
        show = self._shows[topic]
        async with aclosing(self._tails.bus.tail(topic, starts=self._starts[topic])) as records:
            nth = 0
            async for record in records:
                self._window.offer(record, show)
                nth += 1
                if nth % _BETWEEN_BREATHS == 0:  # a fetch has thousands, and requests wait meanwhile
                    await self._tails.clock.sleep(0)

    async def _write(self, send: Send) -> None:
        clock = self._tails.clock
        until = clock.monotonic() + _LONGEST_S
        body = b'{"kind":"watching"}\n'
        while clock.monotonic() < until:
            try:
                async with asyncio.timeout(_SLOW_S):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            except TimeoutError:
                return
            body = await self._window.take()
        await send(_END)

    async def _stopping(self) -> None:
        await self._tails.stopping.wait()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
