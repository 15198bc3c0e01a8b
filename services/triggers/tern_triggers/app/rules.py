"""Doors to the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from tern_triggers.domain.rules import Rule


class RulesShown(BaseModel):
    """The rules that the process works by. `waits_for`: rule → whose safe time decides it."""

    rules: list[dict[str, Any]]
    waits_for: dict[str, str]


def rules_router(rules: Sequence[Rule]) -> APIRouter:
    """Its own access is the assembly's matter."""
    router = APIRouter()
    shown = RulesShown(
        rules=[rule.model_dump(mode="json", exclude_none=True) for rule in rules],
        waits_for={rule.rule: rule.lane for rule in rules},
    )

    @router.get("/v1/rules")
    async def running() -> RulesShown:
        """The rules as they were validated at start."""
        return shown

    return router
