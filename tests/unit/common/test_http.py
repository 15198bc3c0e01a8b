"""What every service's HTTP edge promises, asked through ASGI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tern_common.auth import Caller, require
from tern_common.clock import ManualClock
from tern_common.errors import Misconfigured, Poison, Refused, Transient
from tern_common.http import (
    CODE_AND_MESSAGE,
    PROBLEM,
    ErrorStyle,
    Probes,
    Standing,
    clock_router,
    create_app,
    policy_router,
)
from tern_common.http.limits import BodyLimit, CleanAddress, Measured
from tern_common.metrics import render
from tern_common.policy import Policy


class Shopper(BaseModel):
    email: str
    age: int


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.query_params.get("q", ""))


def raising(error: Exception) -> Route:
    async def fail(_: Request) -> PlainTextResponse:
        raise error

    return Route("/fail", fail)


def client(*routes: Route, errors: ErrorStyle = PROBLEM, probes: Probes | None = None) -> httpx.AsyncClient:
    app = create_app(
        service="test",
        summary="t",
        probes=probes or Probes({}),
        routes=[Route("/echo", echo, methods=["POST"]), Route("/hello/{name}", hello), *routes],
        errors=errors,
        body_limit=100,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test")


class AllPass:
    """Tokens that know one caller."""

    async def find(self, text: str) -> Caller | None:
        return Caller("t", "read", "") if text == "tt_good" else None


def guarded_client() -> httpx.AsyncClient:
    router = APIRouter(dependencies=[Depends(require("read"))])

    @router.post("/v1/shoppers")
    async def take(shopper: Shopper) -> dict[str, str]:
        return {"took": shopper.email}

    @router.get("/v1/number")
    async def number(n: Annotated[int, Query()]) -> dict[str, int]:
        return {"n": n}

    app = create_app(
        service="test",
        summary="t",
        probes=Probes({}),
        routers=[router],
        tokens=AllPass(),  # type: ignore[arg-type]  # a stand-in with the one method that is asked
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": "Bearer tt_good"},
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused(404, "customer-unknown", "No such customer."), 404, "customer-unknown"),
        (Transient("the database does not answer"), 503, "unavailable"),
        (Poison("not-an-event"), 422, "not-an-event"),
        (Misconfigured("set it up"), 503, "misconfigured"),
        (ZeroDivisionError("secret"), 500, "internal-error"),
    ],
)
async def test_every_error_is_a_problem_with_a_stable_code(error: Exception, status: int, code: str) -> None:
    answer = await client(raising(error)).get("/fail")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json().items() >= {"status": status, "code": code, "type": f"urn:tern:problem:{code}"}.items()
    assert answer.json().keys() == {"type", "title", "status", "detail", "code"}
    assert "secret" not in answer.text


async def test_what_passes_again_by_itself_is_told_when_to_come_back() -> None:
    assert (await client(raising(Transient("away"))).get("/fail")).headers["retry-after"].isdigit()
    saturated = Refused(429, "too-many", "Slow down.", retry_after_s=7)
    assert (await client(raising(saturated)).get("/fail")).headers["retry-after"] == "7"


async def test_an_edge_for_sdks_answers_code_and_message() -> None:
    answer = await client(raising(Refused(401, "unknown-key", "Who?")), errors=CODE_AND_MESSAGE).get("/fail")
    assert answer.json() == {"code": "unknown-key", "message": "Who?"}
    assert answer.headers["content-type"] == "application/json"


async def test_an_unknown_address_or_method_is_a_problem_too() -> None:
    assert (await client().get("/nowhere")).json()["code"] == "not-found"
    answer = await client().get("/echo")
    assert (answer.json()["code"], answer.headers["allow"]) == ("method-not-allowed", "POST")


async def test_a_wrong_request_is_told_where_and_why_but_not_what() -> None:
    answer = await guarded_client().post("/v1/shoppers", json={"email": 5, "age": "ann@example.com"})
    assert answer.status_code == 422
    assert {tuple(fault.values()) for fault in answer.json()["errors"]} == {
        ("body.email", "string_type"),
        ("body.age", "int_parsing"),
    }
    assert "ann" not in answer.text


async def test_a_key_that_may_be_personal_is_hidden_in_a_fault() -> None:
    router = APIRouter(dependencies=[Depends(require("read"))])

    @router.post("/v1/counts")
    async def take(counts: dict[str, int]) -> int:
        return len(counts)

    app = create_app(service="t", summary="t", probes=Probes({}), routers=[router], tokens=AllPass())  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.post(
            "/v1/counts", json={"ann@example.com": "x"}, headers={"Authorization": "Bearer tt_good"}
        )
    assert answer.json()["errors"] == [{"where": "body.*", "why": "int_parsing"}]


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b"[" * 100_000, b'{"email":' + b"9" * 5000 + b"}", b'{"email": "\\ud800", "age": 1}']
)
async def test_a_broken_body_is_the_callers_fault(body: bytes) -> None:
    answer = await guarded_client().post("/v1/shoppers", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "address",
    [
        "/hello/%00",
        "/hello/x?q=%00",
        "/hello/x?q=%C3",
        "/hello/%ff",
        "/hello/x?q=%ff",
        "/hello/%ed%a0%80",
        "/hello/x?q=%ed%a0%80",
    ],
)
async def test_an_address_that_no_store_can_hold_is_refused(address: str) -> None:
    answer = await client().get(address)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-address")


@pytest.mark.parametrize("address", ["/hello/%C3%A9?q=%E2%82%AC", "/hello/x?q=a%20b", "/hello/x?q=a+b"])
async def test_any_other_address_passes(address: str) -> None:
    assert (await client().get(address)).status_code == 200


@pytest.mark.parametrize("number", ["9" * 5000, "1e400", "", "NaN"])
async def test_a_number_that_is_none_is_refused(number: str) -> None:
    assert (await guarded_client().get("/v1/number", params={"n": number})).status_code == 422


async def test_a_body_over_the_limit_is_413_also_in_chunks() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 10

    assert (await client().post("/echo", content=b"x" * 100)).text == "100"
    for content in (b"x" * 101, chunks()):
        answer = await client().post("/echo", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
        assert answer.headers["connection"] == "close"


async def test_a_body_over_the_limit_is_413_where_the_framework_reads_it() -> None:
    answer = await guarded_client().post("/v1/shoppers", json={"email": "x" * 2_000_000, "age": 1})
    assert answer.status_code == 413


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
    assert "ann" not in shown
    assert "BREW" not in shown


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
