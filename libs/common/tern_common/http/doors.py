"""Doors that several services have, so that they look the same everywhere. Knows no service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from tern_common.auth import require
from tern_common.lanes import LANES, NOTHING_YET
from tern_common.progress import Claims


class Standing(BaseModel):
    """Where a service's domain time stands: its earliest timer, and the moment up to which it knows everything."""

    next: datetime | None
    safe_time: datetime | None


def clock_router(ask: Callable[[], Awaitable[Standing]]) -> APIRouter:
    """`GET /v1/clock/next`. Only for processes on the virtual clock: it exists to move that clock in lock step."""
    router = APIRouter(tags=["clock"], dependencies=[Depends(require("read"))])

    @router.get("/v1/clock/next")
    async def standing() -> Standing:
        """The earliest moment at which something may have to be decided, and safe time."""
        return await ask()

    return router


def claimed_clock_router(claims: Claims, service: str) -> APIRouter:
    """The same for a service without timers: its safe time is what was claimed in its name, in the lane that is further
    behind; before all lanes are claimed nothing is known. `claims` are followed."""

    async def standing() -> Standing:
        proved = [claims.proved([service], lane) for lane in LANES]
        return Standing(next=None, safe_time=min(at or NOTHING_YET for at in proved))

    return clock_router(standing)


def policy_router(policy: BaseModel | Callable[[], Awaitable[BaseModel]]) -> APIRouter:
    """`GET /v1/policy`: the numbers that the running process works by; asked for each time where they can change."""
    router = APIRouter(tags=["policy"], dependencies=[Depends(require("read"))])

    @router.get("/v1/policy")
    async def show() -> dict[str, Any]:
        """The service's policy that is in force."""
        current = policy if isinstance(policy, BaseModel) else await policy()
        return current.model_dump(mode="json")

    return router
