"""An HTTP edge to ask: a few routes, guarded and not, behind everything that create_app adds."""

from __future__ import annotations

from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tern_common.auth import Caller, require
from tern_common.http import (
    PROBLEM,
    ErrorStyle,
    Probes,
    create_app,
)


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
