"""The HTTP edge, put together: tracking routes for everybody with a write key, the operators' API, the usual doors."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from starlette.routing import Route

from tern_common.auth import Tokens
from tern_common.events import EventType
from tern_common.http import CODE_AND_MESSAGE, Probes, create_app, policy_router
from tern_ingest import importing, openapi
from tern_ingest.admin import admin_router
from tern_ingest.domain.decisions import TYPES
from tern_ingest.front import Answering
from tern_ingest.importing import Importing
from tern_ingest.sdk_settings import SdkSettings, rudder, segment
from tern_ingest.store import Store
from tern_ingest.tracking import Door, Tracking

_SHORT: dict[str, EventType] = {kind[0]: kind for kind in TYPES}
_TYPED = {kind: kind for kind in TYPES} | _SHORT
_JITSU: dict[str, EventType | None] = {**_TYPED, "event": None, "e": None, "batch": None}
PATHS: dict[str, EventType | None] = {
    "/v1/batch": None,
    "/v1/b": None,
    **{f"/v1/{name}": kind for name, kind in _TYPED.items()},
    "/beacon/v1/batch": None,
    **{f"/api/s/{name}": kind for name, kind in _JITSU.items()},
    **{f"/api/s/s2s/{name}": kind for name, kind in _JITSU.items()},
}
"""Where events come in, each with the type of those that do not say their own: as the SDKs of Segment, RudderStack and
Jitsu post them."""
SETTINGS = {
    "/v1/projects/{write_key}/settings": segment,
    "/v1/projects/{write_key}/settings/": segment,
    "/sourceConfig": rudder,
    "/sourceConfig/": rudder,
}
"""Where SDKs ask before they send."""
_LARGEST_PIECE = 1024 * 1024


def build(door: Door, store: Store, tokens: Tokens, probes: Probes, extra: Sequence[APIRouter] = ()) -> FastAPI:
    """The application. Tracking routes come first, and limit their bodies themselves, so that browsers can read why."""
    app = create_app(
        service="ingest",
        summary="Tracking events over HTTP, durable on Kafka.",
        probes=probes,
        routers=[admin_router(store, door.keyring, door.clock), policy_router(door.policy), *extra],
        routes=[*tracking_routes(door), *settings_routes(door)],
        tokens=tokens,
        errors=CODE_AND_MESSAGE,
        body_limit=door.policy.limits.body_bytes + _LARGEST_PIECE,
        clock=door.clock,
    )
    openapi.describe(app.openapi(), PATHS, SETTINGS)
    openapi.describe_import(app.openapi(), importing.PATH)
    return app


def tracking(door: Door) -> dict[str, Answering]:
    """The application behind each path that takes events; it answers every method itself."""
    return {importing.PATH: Importing(door), **{path: Tracking(door, path, kind) for path, kind in PATHS.items()}}


def tracking_routes(door: Door) -> list[Route]:
    """The same as plain routes."""
    return [Route(path, found) for path, found in tracking(door).items()]


def settings_routes(door: Door) -> list[Route]:
    """What tells SDKs where to send."""
    return [Route(path, SdkSettings(door.gate, door.callers, said)) for path, said in SETTINGS.items()]
