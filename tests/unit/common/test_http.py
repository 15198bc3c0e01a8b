"""What every service's HTTP edge promises about requests and errors, asked through ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Depends

from tern_common.auth import require
from tern_common.errors import Misconfigured, Poison, Refused, Transient
from tern_common.http import (
    CODE_AND_MESSAGE,
    Probes,
    create_app,
)
from unit.common.edges import AllPass, client, guarded_client, raising


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
