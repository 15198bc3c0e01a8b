"""The application factory: a service's routes in, an application with the platform's manners out.

Default deny: a route without a guard does not start, unless it is handed in as one of the open `routes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic_core import PydanticSerializationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from tern_common.auth import Guard, Tokens
from tern_common.clock import Clock, SystemClock
from tern_common.errors import Misconfigured, Refused, TernError, Transient
from tern_common.http.limits import BodyLimit, CleanAddress, Labelled, Measured, route_template
from tern_common.http.probes import Probes, probe_router
from tern_common.http.problems import INTERNAL, PROBLEM, ErrorStyle, faults_of, refusal
from tern_common.logs import logger

BODY_LIMIT_BYTES = 1024 * 1024


def create_app(  # noqa: PLR0913 - options, given by name
    *,
    service: str,
    summary: str,
    probes: Probes,
    routers: Sequence[APIRouter] = (),
    routes: Sequence[Route] = (),
    tokens: Tokens | None = None,
    errors: ErrorStyle = PROBLEM,
    body_limit: int = BODY_LIMIT_BYTES,
    clock: Clock | None = None,
) -> FastAPI:
    """An application with `/live`, `/ready`, `/metrics`, `/docs` and `/openapi.json`.

    `routers` need a guard on every route; `routes` are plain Starlette routes that see to their callers themselves.
    `body_limit` is in bytes. Raises `Misconfigured` for a route that nobody guards.
    """
    _deny_by_default(routers, tokens)
    for route in routes:
        route.app = Labelled(route)
    app = FastAPI(
        title=f"Tern {service}",
        summary=summary,
        version=version("tern-common"),
        routes=list(routes),
        redoc_url=None,
        redirect_slashes=False,
        responses={"4XX": _described(errors, "Refused"), "5XX": _described(errors, "Cannot answer now")},
        middleware=[
            Middleware(Measured, clock=clock or SystemClock()),
            Middleware(CleanAddress, errors=errors),
            Middleware(BodyLimit, limit=body_limit),
        ],
        exception_handlers=_handlers(errors),
    )
    app.state.tokens = tokens
    for router in (probe_router(probes), *routers):
        app.include_router(router)
    return app


def _described(errors: ErrorStyle, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{errors.schema.__name__}"}
    return {"description": description, "model": errors.schema, "content": {errors.media_type: {"schema": schema}}}


def _deny_by_default(routers: Sequence[APIRouter], tokens: Tokens | None) -> None:
    for context in iter_route_contexts([route for router in routers for route in router.routes]):
        route = context.original_route
        guard = _guard(context.dependant) if isinstance(route, APIRoute) else None
        if guard is None or not isinstance(route, APIRoute):
            raise Misconfigured(f"route {context.path} has no guard: give it Depends(require(role))")
        if tokens is None:
            raise Misconfigured(f"route {context.path} is guarded, but the application was given no tokens")
        route.openapi_extra = {**(route.openapi_extra or {}), "x-role": guard.role}


def _guard(dependant: Dependant) -> Guard | None:
    """The strongest guard that stands before a route."""
    inner = [found for part in dependant.dependencies if (found := _guard(part))]
    own = [dependant.call] if isinstance(dependant.call, Guard) else []
    return max([*own, *inner], key=lambda guard: guard.rank, default=None)


def _handlers(errors: ErrorStyle) -> dict[int | type[Exception], Any]:
    """One function answers everything. What is not foreseen is raised again after its answer; the server logs it."""

    async def answer(request: Request, error: Exception) -> Response:
        refused = refusal(error)
        if refused is INTERNAL:
            raise error
        if isinstance(error, TernError) and not isinstance(error, Refused):
            level = logger.warning if isinstance(error, Transient) else logger.error
            level("request refused", route=route_template(request.scope), code=refused.code, why=str(error))
        return errors.response(refused, faults_of(error), getattr(error, "headers", None))

    async def disconnected(_: Request, __: Exception) -> Response:
        return errors.response(Refused(400, "incomplete-request", "The connection closed before the request's end."))

    async def internal(_: Request, __: Exception) -> Response:
        return errors.response(INTERNAL)

    foreseen: tuple[type[Exception], ...] = (
        TernError,
        RequestValidationError,
        HTTPException,
        UnicodeEncodeError,
        PydanticSerializationError,
    )
    return {**dict.fromkeys(foreseen, answer), ClientDisconnect: disconnected, Exception: internal}
