"""What the server calls: the short way for tracking requests, the whole application for the rest, all of it counted."""

from __future__ import annotations

from typing import cast

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from tern_common.auth import Tokens
from tern_common.db import Pool
from tern_common.http import Probes
from tern_ingest.app import build, tracking
from tern_ingest.front import Front
from tern_ingest.store import Store
from unit.ingest.door import GOOD, SEALER, SERVER_KEY, FrontDoor


@pytest.fixture
def client(door: FrontDoor) -> httpx.AsyncClient:
    pool = cast(Pool, object())
    app = build(door.door, Store(pool, SEALER), Tokens(pool, door.clock), Probes({}))
    front = Front(app, tracking(door.door), door.clock)
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://ingest")


def counted(route: str, method: str, status: int) -> float:
    labels = {"route": route, "method": method, "status": str(status)}
    return REGISTRY.get_sample_value("tern_http_requests_total", labels) or 0


async def test_tracking_requests_are_answered_and_counted(door: FrontDoor, client: httpx.AsyncClient) -> None:
    before = counted("/v1/track", "POST", 200)
    for _ in range(2):
        answer = await client.post("/v1/track", json=GOOD, auth=(SERVER_KEY, ""))
        assert answer.json() == {"success": True}
    assert len(door.events()) == 2
    assert counted("/v1/track", "POST", 200) == before + 2


async def test_refusals_are_counted_by_status(client: httpx.AsyncClient) -> None:
    before = [counted("/v1/batch", "POST", 401), counted("/v1/batch", "other", 405)]
    assert (await client.post("/v1/batch", json=GOOD)).status_code == 401
    assert (await client.request("BREW", "/v1/batch")).status_code == 405
    assert [counted("/v1/batch", "POST", 401), counted("/v1/batch", "other", 405)] == [n + 1 for n in before]


async def test_everything_else_goes_to_the_application(client: httpx.AsyncClient) -> None:
    assert (await client.get("/live")).json() == {"live": True}
    assert (await client.get("/nowhere")).status_code == 404
    assert (await client.get("/v1/sources")).status_code == 401
    assert "/v1/batch" in (await client.get("/openapi.json")).json()["paths"]


async def test_what_is_not_http_goes_to_the_application(door: FrontDoor) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> None:
        raise AssertionError

    await Front(app, tracking(door.door), door.clock)({"type": "lifespan"}, cast(Receive, nothing), nothing)
    assert seen == ["lifespan"]
