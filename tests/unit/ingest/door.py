"""A front door on a memory bus, with one key of each kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.types import Message, Receive

from tern_common.bus import Producer, Record
from tern_common.clock import ManualClock
from tern_common.errors import Transient
from tern_common.memory import MemoryBus
from tern_common.policy import load_policy
from tern_common.sealing import Sealer
from tern_common.shipped import shipped
from tern_common.topics import EVENTS, REJECTED
from tern_ingest.app import settings_routes, tracking
from tern_ingest.bodies import Bodies
from tern_ingest.callers import Callers
from tern_ingest.domain import keys
from tern_ingest.domain.keys import WriteKey
from tern_ingest.domain.policy import Limits, Policy, Rates
from tern_ingest.domain.tallies import Tallies
from tern_ingest.domain.taxonomy import Taxonomy, Vocabulary
from tern_ingest.domain.vouching import SourceRule
from tern_ingest.front import Front
from tern_ingest.gate import Gate
from tern_ingest.keyring import Keyring
from tern_ingest.tracking import Door, Tracking

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SERVER_KEY = "wk_k1_secret-one"
BROWSER_KEY = "wk_k2_secret-two"
GOOD: dict[str, Any] = {"type": "track", "event": "Seen", "userId": "u1", "messageId": "m1"}

SEALER = Sealer({"k": bytes(32)}, "k")
POLICY = load_policy(shipped("tern_ingest", "policy.yaml"), Policy)
VOCABULARY = Vocabulary(load_policy(shipped("tern_ingest", "taxonomy.yaml"), Taxonomy))


@dataclass
class KeyStore:
    """The keys' table, and a switch that takes it away."""

    keys: list[WriteKey] = field(
        default_factory=lambda: [
            WriteKey("k1", "shop", True, keys.digest("secret-one")),
            WriteKey("k2", "shop", False, keys.digest("secret-two"), kind="browser"),
        ]
    )
    away: bool = False
    reads: int = 0

    async def load(self) -> list[WriteKey]:
        self.reads += 1
        if self.away:
            raise Transient("the database is away")
        return list(self.keys)


class Asked:
    """One request, below HTTP: what was answered stands in `answers`."""

    def __init__(self, tracking: Tracking, receive: Receive) -> None:
        self._tracking = tracking
        self._receive = receive
        self.answers: list[Message] = []

    async def run(self) -> None:
        """Until the request is done with."""
        headers = [(b"x-write-key", SERVER_KEY.encode())]
        await self._tracking({"method": "POST", "headers": headers, "query_string": b""}, self._receive, self._send)

    async def _send(self, message: Message) -> None:
        self.answers.append(message)


class FrontDoor:
    """Everything behind the tracking routes, and a client in front of them."""

    def __init__(self, rates: Mapping[str, float] | None = None, **limits: int) -> None:
        merged = Limits.model_validate({**POLICY.limits.model_dump(), **limits})
        limited = Rates.model_validate({**POLICY.rates.model_dump(), **(rates or {})})
        self.policy = POLICY.model_copy(update={"limits": merged, "rates": limited})
        self.clock = ManualClock(NOW)
        self.bus = MemoryBus()
        self.store = KeyStore()
        self.keyring = Keyring(self.store.load, self.clock, self.policy)
        self.bodies = Bodies(self.policy)
        self.tallies = Tallies(self.policy.counting)
        self.gate = Gate(self.keyring, self.clock, self.policy, self.tallies)
        producer, tallies = self.bus.producer, self.tallies
        self.door = Door(self.keyring, producer, self.clock, self.bodies, self.policy, self.gate, tallies=tallies)
        self.serve()

    def serve(self, callers: Callers | None = None) -> None:
        """Puts a fresh client in front of the door, whose callers are found as `callers` does."""
        self.door = replace(self.door, callers=callers or self.door.callers)
        app = Starlette(routes=settings_routes(self.door))
        app.router.redirect_slashes = False
        transport = httpx.ASGITransport(Front(app, tracking(self.door), self.clock))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://ingest")

    async def post(
        self,
        body: object,
        path: str = "/v1/batch",
        key: str | None = SERVER_KEY,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Posts bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        return await self.client.post(path, content=content, headers=sent)

    def sign(self, rule: SourceRule) -> None:
        """Gives the source a rule."""
        self.store.keys = [key._replace(rule=rule) for key in self.store.keys]

    def list_origins(self, *listed: str) -> None:
        """Names the pages that the source takes events from."""
        self.store.keys = [key._replace(origins=listed) for key in self.store.keys]

    def asked(self, receive: Receive, producer: Producer | None = None, bodies: Bodies | None = None) -> Asked:
        """A POST to /v1/track whose body `receive` brings; other parts stand in for the door's own."""
        door = replace(self.door, producer=producer or self.door.producer, bodies=bodies or self.bodies)
        return Asked(Tracking(door, "/v1/track", "track"), receive)

    def events(self) -> list[dict[str, Any]]:
        """The events on the topic."""
        return [json.loads(record.value) for record in self.bus.sent(EVENTS)]

    def event(self) -> dict[str, Any]:
        """The only one."""
        (event,) = self.events()
        return event

    def rejected(self) -> list[Record]:
        """The records of the rejected topic."""
        return self.bus.sent(REJECTED)
