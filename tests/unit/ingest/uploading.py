"""Files that are brought in: their lines, bodies that are made while they are read, and a Kafka that forgets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from starlette.types import Message as Told

from tern_common.bus import SEND_TIMEOUT_S, Message
from tern_common.errors import Transient
from tern_common.topics import EVENTS, EVENTS_BACKFILL
from tern_ingest.importing import PATH, Importing
from unit.ingest.door import SERVER_KEY, FrontDoor

OLD = "2019-03-01T12:00:00Z"
LINE: dict[str, Any] = {"type": "track", "event": "Order Completed", "userId": "u1", "timestamp": OLD}


def ndjson(*lines: object) -> bytes:
    return b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)


async def bring(door: FrontDoor, body: bytes, query: str = "", key: str | None = SERVER_KEY) -> list[dict[str, Any]]:
    """The records of an import that was let in."""
    answer = await door.post(body, PATH + query, key)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def stored(door: FrontDoor) -> list[dict[str, Any]]:
    assert door.bus.sent(EVENTS) == []
    return [json.loads(record.value) for record in door.bus.sent(EVENTS_BACKFILL)]


class Producer:
    """Counts what it is given and forgets it; `failing`: so many sends fail first."""

    def __init__(self, failing: int = 0) -> None:
        self.count = 0
        self.failing = failing
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:  # noqa: ARG002 - never waits long
        await self.free.wait()
        if self.failing:
            self.failing -= 1
            raise Transient("away")
        self.count += len(messages)


def importing(door: FrontDoor, producer: Producer, **numbers: float) -> Importing:
    policy = door.policy.model_copy(update={"imports": door.policy.imports.model_copy(update=numbers)})
    return Importing(replace(door.door, producer=producer, policy=policy))


class Upload:
    """A body that is made while it is read, and what is answered."""

    def __init__(self, pieces: AsyncIterator[bytes], query: bytes = b"", key: str = SERVER_KEY) -> None:
        self._pieces = pieces
        self._scope = {
            "type": "http",
            "method": "POST",
            "headers": [(b"x-write-key", key.encode())],
            "query_string": query,
        }
        self.told: list[Told] = []
        self.read = 0
        self.hangs_up = False

    async def run(self, route: Importing) -> int:
        return await route.answer(self._scope, self._receive, self._send)

    async def _receive(self) -> Told:
        piece = await anext(self._pieces, None)
        if piece is None:
            return {"type": "http.disconnect"} if self.hangs_up else {"type": "http.request", "body": b""}
        self.read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": True}

    async def _send(self, message: Told) -> None:
        self.told.append(message)

    def records(self) -> list[dict[str, Any]]:
        body = b"".join(message.get("body", b"") for message in self.told)
        return [json.loads(line) for line in body.splitlines()]


async def pieces(piece: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece
