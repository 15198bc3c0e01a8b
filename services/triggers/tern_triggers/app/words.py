"""What several routes speak of: moments and rules, as they may be named in a request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime

from tern_common.events import FIRST_YEAR, LAST_YEAR


def _plausible(at: datetime) -> datetime:
    """In UTC, and in a year that all calendar arithmetic survives."""
    if not FIRST_YEAR < at.year < LAST_YEAR:
        raise ValueError(f"must be between the years {FIRST_YEAR} and {LAST_YEAR}")
    return at.astimezone(UTC)


When = Annotated[AwareDatetime, AfterValidator(_plausible)]
RuleAsked = Annotated[str | None, Query(pattern="^[a-z][a-z0-9_]{2,63}$")]
