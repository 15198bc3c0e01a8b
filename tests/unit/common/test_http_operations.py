"""What every service's HTTP edge promises those who run it: probes, metrics, guards, documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tern_common.auth import require
from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured, Transient
from tern_common.events import Claim
from tern_common.http import (
    PROBLEM,
    Probes,
    Standing,
    claimed_clock_router,
    clock_router,
    create_app,
    policy_router,
)
from tern_common.http.limits import BodyLimit, CleanAddress, Measured
from tern_common.memory import MemoryBus
from tern_common.metrics import render
from tern_common.policy import Policy
from tern_common.progress import Claims
from unit.common.edges import AllPass, client, guarded_client, hello, raising


async def test_a_process_that_lacks_something_is_alive_but_not_ready() -> None:
    async def good() -> None: ...

    async def away() -> None:
        raise Transient("the database does not answer")

    ready = await client(probes=Probes({"database": good})).get("/ready")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "missing": {}})
    lacking = client(probes=Probes({"database": away, "broker": good}))
    assert (await lacking.get("/live")).json() == {"live": True}
    answer = await lacking.get("/ready")
    assert (answer.status_code, answer.json()["missing"]) == (503, {"database": "the database does not answer"})


async def test_a_check_that_hangs_is_missing_in_time(never: Callable[[], object]) -> None:
    answer = await client(probes=Probes({"broker": never}, timeout_s=0.01)).get("/ready")  # type: ignore[dict-item]
    assert (answer.status_code, answer.json()["missing"]) == (503, {"broker": "does not answer in time"})


async def test_metrics_carry_route_templates_and_never_addresses() -> None:
    http = client()
    await http.get("/hello/ann-at-example")
    await http.get("/nowhere-ann")
    await http.request("BREW", "/hello/x")
    shown = (await http.get("/metrics")).text
    assert 'tern_http_requests_total{method="GET",route="/hello/{name}",status="200"}' in shown
    assert 'route="unmatched"' in shown
    assert 'method="other"' in shown
    assert not any(said in shown for said in ("ann-at-example", "nowhere-ann", "BREW"))


async def test_a_bug_is_counted_as_500() -> None:
    await client(raising(ZeroDivisionError())).get("/fail")
    assert b'tern_http_requests_total{method="GET",route="/fail",status="500"}' in render()


async def test_an_answer_that_cannot_be_written_is_a_bug_and_not_the_callers_fault() -> None:
    router = APIRouter(dependencies=[Depends(require("read"))])
    router.add_api_route("/v1/odd", object, response_model=Any)
    app = create_app(service="t", summary="t", probes=Probes({}), routers=[router], tokens=AllPass())  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/v1/odd", headers={"Authorization": "Bearer tt_good"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")


async def test_a_route_without_a_guard_does_not_start() -> None:
    router = APIRouter()
    router.add_api_route("/v1/open", hello)
    with pytest.raises(Misconfigured, match="/v1/open has no guard"):
        create_app(service="t", summary="t", probes=Probes({}), routers=[router])


async def test_guarded_routes_need_tokens_to_look_in() -> None:
    async def ask() -> Standing:
        return Standing(next=None, safe_time=None)

    with pytest.raises(Misconfigured, match="no tokens"):
        create_app(service="t", summary="t", probes=Probes({}), routers=[clock_router(ask)])


async def test_the_clock_and_the_policy_have_the_same_doors_everywhere() -> None:
    async def ask() -> Standing:
        return Standing(next=datetime(2026, 1, 1, tzinfo=UTC), safe_time=None)

    routers = [clock_router(ask), policy_router(Policy(version=3))]
    app = create_app(service="t", summary="t", probes=Probes({}), routers=routers, tokens=AllPass())  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/v1/clock/next")).status_code == 401
        http.headers["Authorization"] = "Bearer tt_good"
        assert (await http.get("/v1/clock/next")).json() == {"next": "2026-01-01T00:00:00Z", "safe_time": None}
        assert (await http.get("/v1/policy")).json() == {"version": 3}


async def test_without_timers_the_clock_says_what_was_claimed_in_the_services_name_in_both_lanes() -> None:
    claims, at = Claims(MemoryBus()), datetime(2026, 1, 1, tzinfo=UTC)
    routers = [claimed_clock_router(claims, "profile")]
    app = create_app(service="t", summary="t", probes=Probes({}), routers=routers, tokens=AllPass())  # type: ignore[arg-type]
    headers = {"Authorization": "Bearer tt_good"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as http:
        claims.believe(Claim(service="identity", lane="live", at=at, ends={}))
        claims.believe(Claim(service="profile", lane="live", at=at, ends={}))
        assert (await http.get("/v1/clock/next")).json() == {"next": None, "safe_time": "1970-01-01T00:00:00Z"}
        claims.believe(Claim(service="profile", lane="backfill", at=at - timedelta(hours=1), ends={}))
        assert (await http.get("/v1/clock/next")).json() == {"next": None, "safe_time": "2025-12-31T23:00:00Z"}


async def test_a_caller_that_hangs_up_is_no_fault_of_ours() -> None:
    async def hang_up(_: Request) -> PlainTextResponse:
        raise ClientDisconnect

    answer = await client(Route("/gone", hang_up)).get("/gone")
    assert (answer.status_code, answer.json()["code"]) == (400, "incomplete-request")


async def test_an_odd_status_is_a_problem_too() -> None:
    answer = await client(raising(HTTPException(418))).get("/fail")
    assert (answer.status_code, answer.json()["code"]) == (418, "http-418")
    odd = await client(raising(HTTPException(499, "made up"))).get("/fail")
    assert (odd.status_code, odd.json()["title"]) == (499, "Error")


async def test_openapi_names_the_role_the_scheme_and_the_shape_of_errors() -> None:
    schema = (await guarded_client().get("/openapi.json")).json()
    operation = schema["paths"]["/v1/shoppers"]["post"]
    assert (operation["x-role"], operation["security"]) == ("read", [{"bearer": []}])
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert "Problem" in json.dumps(operation["responses"]["4XX"])
    assert operation["responses"].keys() == {"200", "4XX", "5XX"}
    assert "x-role" not in schema["paths"]["/live"]["get"]


async def test_docs_are_there() -> None:
    assert (await client().get("/docs")).status_code == 200


async def test_what_is_not_http_passes_through() -> None:
    seen: list[str] = []

    async def app(scope: object, receive: object, send: object) -> None:
        seen.append("called")

    for wrapped in (BodyLimit(app, 1), CleanAddress(app, PROBLEM), Measured(app, ManualClock())):
        await wrapped({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["called"] * 3
