"""The HTTP edge: which doors the service has, and who may pass them."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from tern_common.auth import require
from tern_common.clock import Clock
from tern_common.db import Pool
from tern_triggers.app.decisions import decisions_router
from tern_triggers.app.rules import rules_router

SUMMARY = "What should happen, when, and why not"


def triggers_router(pool: Pool, clock: Clock) -> APIRouter:
    """The service's doors; all of them need a token that may read."""
    router = APIRouter(tags=["triggers"], dependencies=[Depends(require("read"))])
    router.include_router(decisions_router(pool))
    router.include_router(rules_router(pool, clock))
    return router
