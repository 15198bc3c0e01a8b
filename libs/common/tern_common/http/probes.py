"""`/live`, `/ready` and `/metrics`: is the process alive, can it work, what has it done. Open to all, and tell nothing
about anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from tern_common.errors import TernError
from tern_common.metrics import CONTENT_TYPE, render

Check = Callable[[], Awaitable[None]]


class Alive(BaseModel):
    """The process answers."""

    live: bool


class Readiness(BaseModel):
    """`missing`: the name of each check that failed → why."""

    ready: bool
    missing: dict[str, str]


class Probes:
    """Named readiness checks. A check returns when all is well and raises one of Tern's errors when not."""

    def __init__(self, checks: Mapping[str, Check], timeout_s: float = 1.0) -> None:
        self._checks = dict(checks)
        self._timeout_s = timeout_s

    async def missing(self) -> dict[str, str]:
        """What is not there: check → why. Each check has the same bounded time."""
        asked = {name: await self._ask(check) for name, check in self._checks.items()}
        return {name: why for name, why in asked.items() if why}

    async def _ask(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._timeout_s):
                await check()
        except TimeoutError:
            return "does not answer in time"
        except TernError as wrong:
            return str(wrong)
        return ""


def probe_router(probes: Probes) -> APIRouter:
    """The three doors that need no token."""
    router = APIRouter(tags=["probes"])

    @router.get("/live")
    async def live() -> Alive:
        """Whether the process is alive; says nothing about what it depends on."""
        return Alive(live=True)

    @router.get("/ready", responses={503: {"model": Readiness}})
    async def ready() -> Response:
        """Whether the process can do its work now; 503 names what is missing."""
        missing = await probes.missing()
        body = Readiness(ready=not missing, missing=missing)
        return JSONResponse(body.model_dump(), 503 if missing else 200)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(render(), media_type=CONTENT_TYPE)

    return router
