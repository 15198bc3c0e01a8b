"""A shop that goes on sending whatever happens: what it was answered each time, and what must therefore be on Kafka."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx

from support.names import unique
from support.running import running
from support.waiting import eventually
from tern_common.bus import Bus
from tern_common.clock import SystemClock
from tern_common.topics import EVENTS

NO_ANSWER = 0
PATIENCE_S = 60.0


class Answer(NamedTuple):
    """To one event. `status` is 0 when there was none; times are of the monotonic clock."""

    message_id: str
    status: int
    code: str
    retry_after: str
    asked_at: float
    seconds: float


class Steady:
    """One event after the other, each a request of its own, none waiting for the one before. `padding`: bytes of noise
    in each, which no compression makes less."""

    def __init__(self, http: httpx.AsyncClient, key: str, every_s: float, padding: int = 0) -> None:
        self._http = http
        self._key = key
        self._every_s = every_s
        self._padding = padding
        self._name = unique("steady")
        self._clock = SystemClock()
        self.answers: list[Answer] = []

    async def goes_on(self) -> None:
        """Sends until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._send(f"{self._name}-{len(self.answers)}-{secrets.token_hex(4)}"))
                await self._clock.sleep(self._every_s)

    async def _send(self, message_id: str) -> None:
        noise = {"noise": secrets.token_hex(self._padding // 2)}
        event = {"type": "track", "event": "Seen", "userId": self._name, "messageId": message_id, "properties": noise}
        begun = self._clock.monotonic()
        status, code, retry_after = NO_ANSWER, "", ""
        try:
            answer = await self._http.post("/v1/track", json=event, auth=(self._key, ""))
        except httpx.TransportError:
            pass
        else:
            status, retry_after = answer.status_code, answer.headers.get("retry-after", "")
            code = answer.json().get("code", "")
        self.answers.append(Answer(message_id, status, code, retry_after, begun, self._clock.monotonic() - begun))

    def since(self, begun: float) -> Sequence[Answer]:
        """The answers to what was asked from then on."""
        return [answer for answer in self.answers if answer.asked_at >= begun]

    async def hears(self, status: int, times: int = 3) -> Sequence[Answer]:
        """What was asked from now on, once that status was among the answers so often."""
        begun = self._clock.monotonic()

        def heard() -> Sequence[Answer]:
            found = self.since(begun)
            return found if sum(answer.status == status for answer in found) >= times else ()

        return await eventually(heard, PATIENCE_S, f"{status} is answered")

    async def lost(self, bus: Bus) -> set[str]:
        """Message ids that were acknowledged and are not on Kafka."""
        missing = {answer.message_id for answer in self.answers if answer.status == 200}
        ends = {place: end for place, end in (await bus.log.ends(EVENTS)).items() if end}
        async for record in bus.tail(EVENTS):
            missing.discard(record.header("message-id") or "")
            if record.offset + 1 >= ends.get(record.partition, 0):
                ends.pop(record.partition, None)
            if not ends:
                break
        return missing


@asynccontextmanager
async def steady(url: str, key: str, every_s: float, padding: int = 0) -> AsyncIterator[Steady]:
    """A shop that sends while the block runs, and is well when it begins."""
    limits = httpx.Limits(max_connections=500)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False) as http:
        found = Steady(http, key, every_s, padding)
        async with running(found.goes_on()):
            await found.hears(200)
            yield found
