"""The operators' door to rejected events: what there is, by reason; and sending it again, mended.

Both answer in pages: whoever asks goes on with the page's `next` until there is none. Nothing is kept between pages.
Knows neither what mends an event nor what judges it (domain).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from tern_common.auth import Caller, require
from tern_common.events import EventType
from tern_ingest.dead_letters import LETTERS_READ, DeadLetters
from tern_ingest.domain.letters import Letter
from tern_ingest.domain.masking import masked
from tern_ingest.resending import MOST_SAMPLES, Cursor, Filter, Order, Replayed, Replaying, beginning
from tern_ingest.tracking import Door

GROUPS = 500
"""The most that a page of the list answers."""
_MAY_SEE = frozenset({"pii:read", "admin"})


class Asked(Filter):
    """A page of the list. `samples`: at most so many of each group."""

    samples: Annotated[int, Field(ge=0, le=MOST_SAMPLES)] = 3
    cursor: Cursor = None


class Sample(BaseModel):
    """A rejected event. `at`: where it stands on the topic; `place`: where it was rejected. `text`: its beginning,
    masked unless the token may see personal data; `bytes`: its length."""

    at: str
    place: str
    bytes: int
    text: str


class Group(BaseModel):
    """Rejected events that have reason, source, service and place in common; times are of the first and the last."""

    reason: str
    source: str | None
    service: str
    place: str
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    samples: list[Sample] = []


class Page(BaseModel):
    """What was found on a part of the topic. A group may come again on another page. `next`: null at the end."""

    groups: list[Group]
    read: int
    masked: bool
    next: str | None


Reader = Annotated[Caller, Depends(require("read"))]
Admin = Annotated[Caller, Depends(require("admin"))]


def rejected_router(letters: DeadLetters, door: Door, types: Mapping[str, EventType | None]) -> APIRouter:
    """`types`: of the tracking paths, of the events that do not say their own."""
    router = APIRouter(prefix="/v1/rejected", tags=["rejected events"])
    replaying = Replaying(letters, door, types)

    @router.get("")
    async def list_rejected(asked: Annotated[Asked, Query()], caller: Reader) -> Page:
        """What was rejected, by any service, of the last 30 days. Samples are masked without `pii:read`."""
        listing = _Listing(asked, shown=caller.role in _MAY_SEE)
        cursor = await letters.read(asked.cursor, listing.take)
        return Page(groups=list(listing.groups.values()), read=listing.read, masked=not listing.shown, next=cursor)

    @router.post("/replay")
    async def replay_rejected(order: Order, caller: Admin) -> Replayed:
        """Send rejected events again, mended. May be said again: every event counts once. 400 for a bad mapping."""
        return await replaying.carry_out(order, caller)

    return router


class _Listing:
    """Gathers the letters of a page into groups."""

    def __init__(self, asked: Asked, shown: bool) -> None:
        self._wanted = asked.wanted
        self._samples = asked.samples
        self.shown = shown
        self.groups: dict[tuple[str, str | None, str, str], Group] = {}
        self.read = 0

    def take(self, one: Letter) -> bool:
        """Whether the page has room for more."""
        self.read += 1
        if self._wanted.takes(one):
            self._add(one)
        return self.read < LETTERS_READ and len(self.groups) < GROUPS

    def _add(self, one: Letter) -> None:
        name = (one.reason, one.source, one.service, one.origin)
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(
                reason=one.reason, source=one.source, service=one.service, place=one.origin
            )
        group.count += 1
        if one.rejected_at is not None:
            group.first_at = min(group.first_at or one.rejected_at, one.rejected_at)
            group.last_at = max(group.last_at or one.rejected_at, one.rejected_at)
        if len(group.samples) < self._samples:
            text = beginning(one.value)
            said = text if self.shown else masked(text)
            group.samples.append(Sample(at=one.at, place=one.place, bytes=len(one.value), text=said))
