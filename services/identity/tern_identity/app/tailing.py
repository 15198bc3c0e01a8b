"""`POST /v1/tail`: whom each event is filed under, as soon as that is known, for as long as one watches.

The other half of ingest's door of the same name: the message id tells which event is meant.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from tern_common.bus import Record
from tern_common.http.tailing import DESCRIBED, Show, Tails
from tern_common.identifiers.showing import shown_id
from tern_common.topics import RESOLVED
from tern_identity.app.words import Reader


class Watching(BaseModel):
    """Whose events: a source's, by its id, or everybody's."""

    model_config = ConfigDict(extra="forbid")

    source_id: Annotated[str | None, Field(max_length=64)] = None


class _Head(msgspec.Struct, frozen=True):
    message_id: str
    source_id: str


class _Filed(msgspec.Struct, frozen=True, tag_field="kind", tag="event"):
    customer_id: str
    event: _Head
    shared: bool = False


_DECODER = msgspec.json.Decoder(_Filed)


def tail_router(tails: Tails) -> APIRouter:
    """`/v1/tail`."""
    router = APIRouter(prefix="/v1", tags=["watching"])

    @router.post("/tail", response_class=Response, responses=DESCRIBED)
    async def tail(watching: Watching, caller: Reader) -> Response:
        """Watch events be filed. An event that comes again is filed once, and not told of again."""
        return await tails.begin({RESOLVED: _filed(watching.source_id, hide=caller.role == "read")})

    return router


def _filed(source_id: str | None, *, hide: bool) -> Show:
    def show(record: Record) -> dict[str, object] | None:
        try:
            filed = _DECODER.decode(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # a change of membership, or none of ours
            return None
        event = filed.event
        if source_id not in (None, event.source_id):
            return None
        return {
            "kind": "filed",
            "source_id": event.source_id,
            "message_id": shown_id(event.message_id, hide=hide),
            "customer_id": filed.customer_id,
            "shared": filed.shared,
        }

    return show
