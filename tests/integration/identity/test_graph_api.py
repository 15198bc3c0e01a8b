"""Work on the graph over HTTP: asked for by admins, done by the loop, looked at by readers, published at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.graph_jobs import desk
from integration.identity.shop_talk import Worker
from support.running import running
from support.waiting import eventually
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.clock import SystemClock
from tern_common.db import Pool, connection
from tern_common.events import MembershipChange, decode_resolved
from tern_common.http import Probes, create_app, policy_router
from tern_common.memory import MemoryBus
from tern_common.metrics import render
from tern_common.topics import RESOLVED
from tern_identity.app import SUMMARY
from tern_identity.app.graph import graph_router
from tern_identity.meters import PrometheusTally
from tern_identity.store import Numbers, Store
from tern_identity.store.jobs import Jobs
from tern_identity.store.walks.deferring import Deferred
from tern_identity.store.walks.steps import Chores
from tern_identity.working import GraphWork, tell_of_newer
from unit.identity.histories import SHIPPED, Said, hear

TIGHTER = SHIPPED.model_dump(mode="json") | {"version": 2, "partners_unique": 1}
SHARED = [Said(1, 0, user=1, phone=1), Said(2, 1, phone=1), Said(3, 2, user=2, email=2), Said(4, 30, user=2, phone=1)]


async def _token(pool: Pool, role: Role) -> dict[str, str]:
    token = new_token()
    await access.create(pool, token.token_id, StoredToken(token.digest, role, "ann"), None)
    return {"Authorization": f"Bearer {token.text}"}


@pytest.fixture
async def shop(graphs: Graphs) -> Worker:
    worker = Worker(graphs, rules=SHIPPED)
    await worker.hear(*SHARED)
    return worker


@pytest.fixture
async def api(shop: Worker, graphs: Graphs) -> AsyncIterator[httpx.AsyncClient]:
    store = await graphs.store(SHIPPED)
    app = create_app(
        service="identity",
        summary=SUMMARY,
        probes=Probes({}),
        routers=[graph_router(Jobs(graphs.pool), KEYS.clock), policy_router(store.refresh)],
        tokens=Tokens(graphs.pool, SystemClock()),
    )
    headers = await _token(graphs.pool, "admin")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://identity", headers=headers) as client:
        yield client


@pytest.fixture
async def bus(graphs: Graphs) -> AsyncIterator[MemoryBus]:
    """The loop runs; this is where it publishes."""
    found = MemoryBus()
    work = desk(graphs, SHIPPED)
    loop = GraphWork(Chores(work), Deferred(work), graphs.pool, found.producer, SystemClock())
    async with running(loop.run()):
        yield found


async def _ended(api: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    asked = await api.post(f"/v1/graph/{path}", json=body)
    assert asked.status_code == 202, asked.text
    number = asked.json()["job_id"]

    async def done() -> dict[str, Any] | None:
        job: dict[str, Any] = (await api.get(f"/v1/graph/jobs/{number}")).json()
        return job if job["ended_at"] else None

    found = await eventually(done, 30, f"{path} ends")
    assert found is not None
    assert found["progress"] == 1.0
    return dict(found)


async def test_rules_are_tried_then_applied_and_what_moves_is_published(
    api: httpx.AsyncClient, bus: MemoryBus, graphs: Graphs
) -> None:
    tried = await _ended(api, "simulate", rules=TIGHTER)
    assert tried["report"]["counted"]["enter_quarantine"] == 1
    assert (await api.get("/v1/policy")).json()["partners_unique"] == 5
    applied = await _ended(api, "apply", rules=TIGHTER, reason="phones are shared here")
    assert (applied["state"], applied["reason"]) == ("done", "phones are shared here")
    assert applied["by"].startswith("ann (")
    assert applied["changed"] > 0
    assert (await api.get("/v1/policy")).json()["partners_unique"] == 1
    checked = await _ended(api, "check")
    assert (checked["state"], checked["report"]["drift"]) == ("done", {})
    said = [decode_resolved(one.value) for one in bus.sent(RESOLVED)]
    assert {"kind": "rules", "version": 2} in [one.cause for one in said if isinstance(one, MembershipChange)]
    async with connection(graphs.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM parcel") == 0


async def test_a_sample_is_said_to_be_one(api: httpx.AsyncClient, bus: MemoryBus) -> None:
    report = (await _ended(api, "simulate", rules=TIGHTER, sample=0.5))["report"]
    assert report["sample"] == 0.5
    assert report["estimated"] == {name: count * 2 for name, count in report["counted"].items()}


async def test_rebuild_and_reseal_are_jobs_with_a_reason(api: httpx.AsyncClient, bus: MemoryBus) -> None:
    assert (await _ended(api, "rebuild", reason="to be sure"))["changed"] == 0
    assert (await _ended(api, "reseal", reason="a new key"))["changed"] == 0
    assert (await api.post("/v1/graph/rebuild", json={})).status_code == 422
    listed = (await api.get("/v1/graph/jobs")).json()["jobs"]
    assert [job["kind"] for job in listed if job["kind"] != "compact"] == ["reseal", "rebuild"]
    assert (await api.get("/v1/graph/jobs/9999")).json()["code"] == "unknown-job"


async def test_a_job_waits_until_somebody_does_it(api: httpx.AsyncClient) -> None:
    job = (await api.post("/v1/graph/check", json={})).json()
    assert (job["state"], job["progress"], job["report"]) == ("waiting", 0.0, {})


async def test_what_cannot_be_applied_is_refused(api: httpx.AsyncClient) -> None:
    old = await api.post("/v1/graph/apply", json={"rules": TIGHTER | {"version": 1}, "reason": "oops"})
    assert (old.status_code, old.json()["code"]) == (409, "version-not-new")
    wrong = await api.post("/v1/graph/simulate", json={"rules": TIGHTER | {"partners_unique": 0}})
    assert wrong.status_code == 422


async def test_only_admins_ask_and_readers_look(api: httpx.AsyncClient, pool: Pool) -> None:
    reader = await _token(pool, "read")
    for path in ("simulate", "apply", "check", "rebuild", "reseal"):
        assert (await api.post(f"/v1/graph/{path}", json={}, headers=reader)).status_code == 403
    assert (await api.get("/v1/graph/jobs", headers=reader)).status_code == 200


async def test_what_identity_does_is_counted(graphs: Graphs) -> None:
    store = Store(graphs.pool, KEYS, Numbers(SHIPPED, 0), PrometheusTally())
    await store.refresh()
    before = _counts()
    await store.file([hear(Said(1, 0, user=1, browser=1)), hear(Said(2, 0, user=1, browser=1))])
    await store.file([hear(Said(2, 0, user=1, browser=1))])
    found = {name: count - before[name] for name, count in _counts().items()}
    assert (found["tern_identity_events_total"], found["tern_identity_known_events_total"]) == (3.0, 2.0)
    assert found["tern_identity_moved_homes_total"] > 0
    assert found["tern_identity_refolds_total"] == 0
    assert "tern_identity_deferred_groups" in found


def _counts() -> dict[str, float]:
    lines = [line.split() for line in render().decode().splitlines() if line.startswith("tern_identity_")]
    return {name: float(count) for name, count in lines if not name.endswith("_created")}


async def test_a_newer_policy_is_told_of_and_not_applied(graphs: Graphs, shop: Worker) -> None:
    newer = SHIPPED.model_copy(update={"version": 2})
    with capture_logs() as said:
        await tell_of_newer(desk(graphs, SHIPPED))
        assert said == []
        await tell_of_newer(desk(graphs, newer))
    assert [(one["in_force"], one["policy"]) for one in said] == [(1, 2)]
    assert (await desk(graphs, newer).rules()).version == 1
