"""Doors for what comes back: the HTTP twins of `tern.outcomes.v1` and `tern.stock.v1`.

They publish what they are told, so that one path exists for reports of either kind.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.auth import require
from tern_common.bus import Message, Producer
from tern_common.clock import Clock
from tern_common.db import Pool, connection
from tern_common.errors import Refused
from tern_common.events import encode
from tern_common.headers import headers_of
from tern_common.topics import OUTCOMES, STOCK
from tern_triggers.app.words import When
from tern_triggers.domain.reports import Answer, HoldAnswered, OutcomeReported, Status
from tern_triggers.store import log

_UNKNOWN_TRIGGER = Refused(404, "unknown-trigger", "No trigger was ever published under this id.")
_UNKNOWN_HOLD = Refused(404, "unknown-hold", "No stock was ever asked for under this id.")


class OutcomeIn(BaseModel):
    """What became of a trigger; see `tern.outcome.v1` in /asyncapi.json. `at`: when; now, if it is not said."""

    model_config = ConfigDict(extra="forbid")

    trigger_id: UUID
    status: Status
    channel: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,32}$")] = ""
    at: When | None = None


class HoldIn(BaseModel):
    """Whether the stock is held. `until`: how long; as long as was asked for, if it is not said."""

    model_config = ConfigDict(extra="forbid")

    status: Answer
    until: When | None = None

    @model_validator(mode="after")
    def _fits(self) -> HoldIn:
        if self.status == "rejected" and self.until is not None:
            raise ValueError("what is rejected is not held until anything")
        return self


class Accepted(BaseModel):
    """The report is on its topic, acknowledged by the broker, and takes effect within moments."""

    topic: str


def reports_router(pool: Pool, producer: Producer, clock: Clock) -> APIRouter:
    """For whoever acts on triggers: a token that may see contact data may say what was done with it."""
    router = APIRouter(tags=["reports"], dependencies=[Depends(require("pii:read"))])
    described: dict[str, Any] = {"status_code": HTTPStatus.ACCEPTED}

    @router.post("/v1/outcomes", **described)
    async def outcome(said: OutcomeIn) -> Accepted:
        """Say what became of a trigger. May be said again."""
        trigger_id = str(said.trigger_id)
        async with connection(pool) as conn:
            customer_id = await log.addressee(conn, trigger_id)
        if customer_id is None:
            raise _UNKNOWN_TRIGGER
        reported = OutcomeReported(
            trigger_id=trigger_id, status=said.status, at=said.at or clock.now(), channel=said.channel
        )
        await _publish(producer, OUTCOMES, customer_id, "tern.outcome.v1", encode(reported))
        return Accepted(topic=OUTCOMES)

    @router.post("/v1/holds/{hold_id}", **described)
    async def hold(hold_id: UUID, said: HoldIn) -> Accepted:
        """Answer a request to hold stock. The last answer counts."""
        async with connection(pool) as conn:
            key = await log.key_of_hold(conn, str(hold_id))
        if key is None:
            raise _UNKNOWN_HOLD
        answered = HoldAnswered(hold_id=str(hold_id), status=said.status, until=said.until)
        await _publish(producer, STOCK, key, "tern.stock.hold.answered.v1", encode(answered))
        return Accepted(topic=STOCK)

    return router


async def _publish(producer: Producer, topic: str, key: str, schema: str, value: bytes) -> None:
    """Raises `Transient`: then it may have been written, and may be said again."""
    await producer.send([Message(topic, key.encode(), value, headers_of(schema, value))])
