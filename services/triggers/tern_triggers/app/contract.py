"""Doors to the contract itself. Open, as `/openapi.json` is: shapes tell nothing of anybody."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tern_common.errors import Refused
from tern_triggers.domain.contract.asyncapi import document
from tern_triggers.domain.contract.schemas import MESSAGES, schema_of

_SCHEMA = "application/schema+json"


def contract_routes() -> list[Route]:
    """`/asyncapi.json`, and `/v1/schemas/{name}` for each message in it."""
    asyncapi = document()
    schemas = {message.name: schema_of(message) for message in MESSAGES}

    async def whole(_: Request) -> Response:
        return JSONResponse(asyncapi)

    async def one(request: Request) -> Response:
        schema = schemas.get(request.path_params["name"])
        if schema is None:
            raise Refused(404, "unknown-schema", "There is no such message: /asyncapi.json names all.")
        return JSONResponse(schema, media_type=_SCHEMA)

    return [Route("/asyncapi.json", whole), Route("/v1/schemas/{name}", one)]
