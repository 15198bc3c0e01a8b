"""The two lanes that events travel in: what happens now, and history brought in beside it (triggers.md §2.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tern_common.durations import Duration
from tern_common.events import FIRST_YEAR

Lane = Literal["live", "backfill"]

LIVE: Lane = "live"
BACKFILL: Lane = "backfill"
LANES: tuple[Lane, ...] = (LIVE, BACKFILL)

NOTHING_YET = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
"""Safe time of a lane that was never claimed: no event is older, so nothing is decided by it."""

UPSTREAM = ("identity", "profile")
"""Who claims progress. What is safe in a lane is what all of them have proved."""


class BackfillPolicy(BaseModel):
    """How the backfill lane gives way. The same numbers in every service that reads it.

    `batch`: most records of a transaction, so that the live lane never waits long for a lock. `slow_after`: while what
    is safe in the live lane is older than this, in domain time, one batch a second is read, so that an import goes on
    where the live lane is always that far behind. `give_way_after`: while it is older than this, none is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch: Annotated[int, Field(ge=1, le=500)] = 500
    slow_after: Duration = timedelta(seconds=1)
    give_way_after: Duration = timedelta(seconds=5)
