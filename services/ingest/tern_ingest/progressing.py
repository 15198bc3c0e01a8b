"""What an importer is told, while it goes on and at its end: lines of JSON, each good to go on from.

Whoever reads nothing until he has sent all must not hold up the import, so the records of progress are few: the first
after a second, the later ones after a fiftieth of the time gone by, some 50 kB in a day. Who wants each rejected line
named asks for it, and reads meanwhile. Knows no line and no Kafka.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import Send

from tern_common.clock import Clock
from tern_common.errors import Refused
from tern_ingest import answers
from tern_ingest.domain.history import Tally
from tern_ingest.domain.policy import Imports

_SELDOM = 50
_HEADERS: answers.Headers = [(b"content-type", b"application/x-ndjson"), (b"x-accel-buffering", b"no")]


class Telling:
    """The answer to one import. An error after the first record of progress is the last record; before, a status."""

    def __init__(self, send: Send, origin: bytes | None, clock: Clock, numbers: Imports) -> None:
        self._send = send
        self._origin = origin
        self._clock = clock
        self._begun = clock.monotonic()
        self._gap_s = numbers.progress_s
        self._told_at = self._begun
        self._tally: Tally | None = None
        self._line = 0
        self._dry_run = False
        self._started = False

    def begin(self, tally: Tally, line: int, dry_run: bool) -> None:
        """Lines come now: `tally` counts them, and all up to `line` are done with."""
        self._tally, self._line, self._dry_run = tally, line, dry_run

    async def reached(self, line: int) -> None:
        """All lines up to this one are durable, accepted or rejected. Tells so if it is time to."""
        self._line = line
        now = self._clock.monotonic()
        if now - self._told_at >= max(self._gap_s, (now - self._begun) / _SELDOM):
            self._told_at = now
            await self._say(self._counts(), more=True)

    async def rejected(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Names lines that are durable as rejected ones, each with its reason."""
        body = b"".join(_record(line) for line in lines)
        if body:
            await self._write(body, more=True)

    async def finish(self) -> int:
        """The last record, of an import that went through. Returns the status."""
        await self._say({**self._whole(), "done": True}, more=False)
        return 200

    async def refuse(self, refused: Refused) -> int:
        """The error, and where to go on: nothing before that line needs to be sent again. Returns the status."""
        if self._tally is None:
            return await answers.refuse(self._send, self._origin, refused)
        said = {**self._whole(), "done": False, "code": refused.code, "message": refused.message}
        if self._started:
            await self._say(said, more=False)
            return 200
        return await answers.refuse(self._send, self._origin, refused, more=said)

    def _counts(self) -> dict[str, Any]:
        tally = self._tally
        counts = {"accepted": tally.accepted, "rejected": tally.rejected} if tally else {}
        return {"line": self._line, **counts, **({"dry_run": True} if self._dry_run else {})}

    def _whole(self) -> dict[str, Any]:
        return {**self._counts(), **(self._tally.told() if self._tally else {})}

    async def _say(self, record: dict[str, Any], more: bool) -> None:
        await self._write(_record(record), more)

    async def _write(self, body: bytes, more: bool) -> None:
        if not self._started:
            headers = _HEADERS + answers.cors(self._origin)
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            self._started = True
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _record(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode() + b"\n"
