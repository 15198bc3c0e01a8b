"""The shop's clients: they send until they are answered 200, sometimes once more, and remember when that was."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import httpx

from chaos.households import Household
from support.shop import Json
from tern_common.clock import SystemClock

BEGIN_EVERY_S = 0.35
AGAIN_S = 0.3
COPIES = 0.1
TIMEOUT_S = 5.0


@dataclass
class Told:
    """What the shop was told of each call, by message id. `sent`: the first attempt, `acked`: the first 200."""

    sent: dict[str, datetime] = field(default_factory=dict)
    acked: dict[str, datetime] = field(default_factory=dict)
    refused: int = 0
    unanswered: int = 0


class Clients:
    """Each household sends one call after the other. `post` takes a batch and answers with a status."""

    def __init__(self, ingest: str, key: str, seed: int) -> None:
        self._http = httpx.AsyncClient(base_url=ingest, auth=(key, ""), timeout=TIMEOUT_S, trust_env=False)
        self._clock = SystemClock()
        self._seed = seed
        self._random = Random(f"{seed}/copies")
        self.told = Told()
        self.households = 0

    async def play(self, seconds: float) -> None:
        """Households begin for so long; returns when all that they have to say is acknowledged."""
        over = self._clock.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            while self._clock.monotonic() < over:
                tasks.create_task(self._live(Household(self.households, self._seed)))
                self.households += 1
                await self._clock.sleep(BEGIN_EVERY_S)
        await self._http.aclose()

    async def _live(self, household: Household) -> None:
        begun, began_at = self._clock.monotonic(), self._clock.now()
        for act in household.acts():
            await self._clock.sleep(max(0.0, begun + act.sent - self._clock.monotonic()))
            call = {**act.call, "timestamp": (began_at + timedelta(seconds=act.happened)).isoformat()}
            await self._send(call)
            if self._random.random() < COPIES:
                await self._send(call)

    async def _send(self, call: Json) -> None:
        message_id = call["messageId"]
        self.told.sent.setdefault(message_id, self._clock.now())
        while not await self._accepted(call):
            await self._clock.sleep(AGAIN_S)
        self.told.acked.setdefault(message_id, self._clock.now())

    async def _accepted(self, call: Json) -> bool:
        try:
            answer = await self._http.post("/v1/batch", json={"batch": [call]})
        except httpx.TransportError:
            self.told.unanswered += 1
            return False
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.told.refused += 1
            return False
        assert answer.status_code == httpx.codes.OK, answer.text
        return True
