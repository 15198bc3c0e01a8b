"""What waits for an operator's eye: values that join nobody, and groups that are too large."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tern_common.auth import Caller
from tern_identity.app.words import IdentifierView, Reader, seen_by
from tern_identity.domain.rules import Guard, Rules
from tern_identity.domain.sentences import day_text
from tern_identity.store.quarantine import Giant, Quarantine, Quarantined

MOST = 200


class ExampleView(BaseModel):
    """Somebody who was named with the value, and the event that did so first."""

    identifier: IdentifierView
    event_id: str
    source: str


class SharedView(BaseModel):
    """A value in quarantine. `persons` and `others`: partners in unique namespaces and in others."""

    identifier: IdentifierView
    customer_id: UUID = Field(description="The shared customer under which its events are filed.")
    guard: Guard
    persons: int
    others: int
    capped: bool = Field(description="There are more partners than were counted.")
    examples: list[ExampleView]
    suggested: Literal["block", "allow", "retire", "none"]
    day: str | None = Field(description="For `retire`: from this UTC day on the value is somebody else's.")
    why: str


class HubView(BaseModel):
    """A value that ties much of a giant group together."""

    identifier: IdentifierView
    partners: int


class GiantView(BaseModel):
    """A group whose fold is deferred."""

    size: int
    best_connected: list[HubView]


class QuarantineView(BaseModel):
    """A page of values. `next`: what to send as `after` for the next page, if there is one."""

    values: list[SharedView]
    giants: list[GiantView]
    next: int | None


def quarantine_router(quarantine: Quarantine, live: Callable[[], Awaitable[Rules]]) -> APIRouter:
    """`/v1/quarantine`."""
    router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])

    @router.get("")
    async def listed(
        caller: Reader,
        after: Annotated[int, Query(ge=0, lt=1 << 62)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> QuarantineView:
        """Values that join nobody, with counts, examples and a suggested action; and groups that are too large."""
        values = await quarantine.values(after, limit, await live())
        giants = await quarantine.giants(limit) if after == 0 else []
        return QuarantineView(
            values=[_shared(one, caller) for one in values],
            giants=[_giant(one, caller) for one in giants],
            next=values[-1].node_id if len(values) == limit else None,
        )

    return router


def _shared(one: Quarantined, caller: Caller) -> SharedView:
    action, why, day = one.suggestion
    return SharedView(
        identifier=seen_by(one.identifier, caller),
        customer_id=one.customer_id,
        guard=one.guard,
        persons=one.persons,
        others=one.others,
        capped=one.capped,
        examples=[
            ExampleView(identifier=seen_by(it.identifier, caller), event_id=it.event_id, source=it.source)
            for it in one.examples
        ],
        suggested=action,
        day=None if day is None else day_text(day),
        why=why,
    )


def _giant(one: Giant, caller: Caller) -> GiantView:
    hubs = [HubView(identifier=seen_by(hub.identifier, caller), partners=hub.partners) for hub in one.best_connected]
    return GiantView(size=one.size, best_connected=hubs)
