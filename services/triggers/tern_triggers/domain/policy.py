"""The product numbers of the service, as `policy.yaml` states them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.durations import Duration


class OutboxPolicy(BaseModel):
    """How publication behaves. These are real seconds, also under a virtual clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch: Annotated[int, Field(ge=1, le=5000)] = 500
    lease: Duration = timedelta(seconds=30)
    recheck_after: Duration = timedelta(seconds=10)


class Policy(BaseModel):
    """`grace`: waited beyond due for events still on their way. `slot`: decisions of one slot are taken together.

    `settle`: cart events up to then after an order are its echo. `tolerance`: a decision later than this is taken in
    the present round. `overdue`: an agenda row later than this is waited for instead of skipped while it is locked.
    `fire_batch`, `fire_facts`: at most so many customers and, unless one has more alone, facts in a fire transaction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1)]
    grace: Duration = timedelta(minutes=5)
    slot: Duration = timedelta(seconds=60)
    settle: Duration = timedelta(minutes=2)
    tolerance: Duration = timedelta(minutes=10)
    overdue: Duration = timedelta(seconds=30)
    fire_batch: Annotated[int, Field(ge=1, le=1000)] = 200
    fire_facts: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    outbox: OutboxPolicy = OutboxPolicy()

    @model_validator(mode="after")
    def _slot_takes_time(self) -> Self:
        if self.slot <= timedelta():
            raise ValueError("`slot` must be longer than 0")
        return self
