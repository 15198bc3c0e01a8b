"""Doors to the decision log: why something was decided, or not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from tern_common.db import Pool, connection
from tern_triggers.app.words import RuleAsked, When
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.rules import Act
from tern_triggers.domain.story import Gone
from tern_triggers.store import log, memberships


class DecisionShown(BaseModel):
    """One decision. `reason` says why it did not fire, or what ended it; `facts` are what led there. `about`: which of
    several reasons of one key. `released_at`: since when it counts for no cap."""

    trigger_id: str
    rule: str
    rule_version: int
    key: str
    step: int
    customer_id: str
    cycle_ref: str
    outcome: Outcome
    reason: Why | Gone | None
    started_at: datetime
    anchor_at: datetime
    due_at: datetime
    round_at: datetime
    expires_at: datetime
    decided_at: datetime
    fired_at: datetime | None
    retracted_at: datetime | None
    cancelled_at: datetime | None
    facts: dict[str, str | int | float | bool]
    about: str
    act: Act
    mode: Literal["live", "shadow"]
    channels: list[str]
    released_at: datetime | None


class Decisions(BaseModel):
    """`customer_id`: the id under which the customer that was asked for is known now."""

    customer_id: str | None
    decisions: list[DecisionShown]


class Tally(BaseModel):
    """How often a rule came to an outcome for a reason."""

    rule: str
    outcome: Outcome
    reason: Why | Gone | None
    decisions: int


class Summary(BaseModel):
    """Counts over all customers."""

    counts: list[Tally]


def decisions_router(pool: Pool) -> APIRouter:
    """Its own access is the assembly's matter."""
    router = APIRouter()

    @router.get("/v1/decisions")
    async def decisions(
        customer_id: UUID | None = None,
        rule: RuleAsked = None,
        since: When | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Decisions:
        """The decision log, newest first. A customer may be asked for by any id it ever had."""
        async with connection(pool) as conn:
            canonical = await memberships.canonical(conn, str(customer_id)) if customer_id else None
            found = await log.newest(conn, canonical, rule, since, limit)
        return Decisions(customer_id=canonical, decisions=[shown(decision) for decision in found])

    @router.get("/v1/decisions/summary")
    async def summary(since: When | None = None) -> Summary:
        """How often each rule came to which outcome, and why."""
        async with connection(pool) as conn:
            found = await log.summary(conn, since)
        return Summary(counts=[Tally.model_validate(count._asdict()) for count in found])

    return router


def shown(decision: Decision) -> DecisionShown:
    """A decision as it is told."""
    fired = decision.outcome in (Outcome.FIRED, Outcome.WITHDRAWN)
    return DecisionShown(
        trigger_id=decision.trigger_id,
        rule=decision.rule,
        rule_version=decision.rule_version,
        key=decision.key,
        step=decision.step,
        customer_id=decision.customer_id,
        cycle_ref=decision.cycle_ref,
        outcome=decision.outcome,
        reason=decision.reason,
        started_at=decision.started,
        anchor_at=decision.anchor,
        due_at=decision.due,
        round_at=decision.round,
        expires_at=decision.expires,
        decided_at=decision.decided_at,
        fired_at=decision.decided_at if fired else None,
        retracted_at=decision.retracted_at,
        cancelled_at=decision.cancelled_at,
        facts=decision.facts,
        about=decision.about,
        act=decision.act,
        mode=decision.mode,
        channels=list(decision.channels),
        released_at=decision.released_at,
    )
