"""`POST /v1/tail`: each event as it is acknowledged, and each rejected one with its reason, for as long as one watches.

It is a POST so that nobody's id stands in an address. What an event is shown as is the domain's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tern_common.auth import Caller, require
from tern_common.bus import Record
from tern_common.errors import Refused
from tern_common.http.tailing import DESCRIBED, Show, Tails
from tern_common.topics import EVENTS, REJECTED
from tern_ingest.domain.letters import letter
from tern_ingest.domain.watching import Shown, Watched

Named = Annotated[str | None, Field(max_length=1_024)]


class Watching(BaseModel):
    """Which events: those of which all that is named is true. `source`: its name or id. `event`: a track event's or
    page's name, or a type. `user`: a user id or an anonymous one. `rejected`: only those that were not taken."""

    model_config = ConfigDict(extra="forbid")

    source: Named = None
    event: Named = None
    user: Named = None
    rejected: bool = False


class Source(Protocol):
    """A source, as far as it matters here."""

    @property
    def source_id(self) -> str: ...
    @property
    def name(self) -> str: ...


def tail_router(tails: Tails, sources: Callable[[], Awaitable[Iterable[Source]]]) -> APIRouter:
    """`sources`: all of them."""
    router = APIRouter(prefix="/v1", tags=["watching"])

    @router.post("/tail", response_class=Response, responses=DESCRIBED)
    async def tail(watching: Watching, caller: Annotated[Caller, Depends(require("read"))]) -> Response:
        """Watch events come in. Masked without `pii:read`. 404 for a source that is not there; history is not shown."""
        names = {source.source_id: source.name for source in await sources()}
        watched = Watched(
            _source_id(watching.source, names), watching.event, watching.user, caller.role == "read", names
        )
        return await tails.begin(_shows(watched, rejected_alone=watching.rejected))

    return router


def _source_id(asked: str | None, names: dict[str, str]) -> str | None:
    if asked is None or asked in names:
        return asked
    for source_id, name in names.items():
        if name == asked:
            return source_id
    raise Refused(404, "unknown-source", "there is no source of this name or id; see GET /v1/sources")


def _shows(watched: Watched, *, rejected_alone: bool) -> dict[str, Show]:
    def rejected(record: Record) -> Shown | None:
        return watched.rejected(letter(record))

    def accepted(record: Record) -> Shown | None:
        return watched.accepted(record.value)

    return {REJECTED: rejected} if rejected_alone else {EVENTS: accepted, REJECTED: rejected}
