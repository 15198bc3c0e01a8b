"""Doors to the decision log: why something was decided, or not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel

from tern_common.db import Pool, connection
from tern_common.events import FIRST_YEAR, LAST_YEAR
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.story import Gone
from tern_triggers.store import log, memberships


class DecisionShown(BaseModel):
    """One decision. `reason` says why it did not fire, or what ended it; `facts` are what led there."""

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


def _plausible(at: datetime) -> datetime:
    if not FIRST_YEAR < at.year < LAST_YEAR:
        raise ValueError(f"must be between the years {FIRST_YEAR} and {LAST_YEAR}")
    return at.astimezone(UTC)


Since = Annotated[AwareDatetime, AfterValidator(_plausible)]


def decisions_router(pool: Pool) -> APIRouter:
    """Its own access is the assembly's matter."""
    router = APIRouter()

    @router.get("/v1/decisions")
    async def decisions(
        customer_id: UUID | None = None,
        rule: Annotated[str | None, Query(pattern="^[a-z][a-z0-9_]{2,63}$")] = None,
        since: Since | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Decisions:
        """The decision log, newest first. A customer may be asked for by any id it ever had."""
        async with connection(pool) as conn:
            canonical = await memberships.canonical(conn, str(customer_id)) if customer_id else None
            found = await log.newest(conn, canonical, rule, since, limit)
        return Decisions(customer_id=canonical, decisions=[_shown(decision) for decision in found])

    @router.get("/v1/decisions/summary")
    async def summary(since: Since | None = None) -> Summary:
        """How often each rule came to which outcome, and why."""
        async with connection(pool) as conn:
            found = await log.summary(conn, since)
        return Summary(counts=[Tally.model_validate(count._asdict()) for count in found])

    return router


def _shown(decision: Decision) -> DecisionShown:
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
    )
