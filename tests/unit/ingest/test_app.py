"""The application as a whole: what it shows of itself, and what it never leaves open."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from tern_common.auth import Tokens
from tern_common.db import Pool
from tern_common.http import Probes
from tern_ingest.app import PATHS, SETTINGS, build, tracking
from tern_ingest.store import Store
from unit.ingest.door import SEALER, FrontDoor


@pytest.fixture
def app(door: FrontDoor) -> FastAPI:
    pool = cast(Pool, object())
    return build(door.door, Store(pool, SEALER), Tokens(pool, door.clock), Probes({}))


DOCUMENTS = {"/docs", "/openapi.json", "/docs/oauth2-redirect"}


def test_every_route_is_in_openapi(app: FastAPI, door: FrontDoor) -> None:
    served = {context.path for context in iter_route_contexts(app.routes)}
    assert set(PATHS) | set(SETTINGS) | set(tracking(door.door)) < served
    assert set(app.openapi()["paths"]) == served - DOCUMENTS


def test_every_method_of_a_route_is_in_openapi(app: FastAPI) -> None:
    described = app.openapi()["paths"]
    for context in iter_route_contexts(app.routes):
        for method in (context.methods or set()) - {"HEAD"} if context.path not in DOCUMENTS else ():
            assert method.lower() in described[context.path]


def test_every_operation_has_a_name_of_its_own(app: FastAPI) -> None:
    names = [
        operation["operationId"]
        for methods in app.openapi()["paths"].values()
        for method, operation in methods.items()
        if method != "parameters"
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", SETTINGS)
def test_a_settings_route_says_what_it_answers(app: FastAPI, path: str) -> None:
    route: dict[str, Any] = app.openapi()["paths"][path]
    assert set(route) == {"parameters", "get", "options"}
    assert set(route["get"]["responses"]) == {"200", "400", "401", "403", "405", "429", "503"}
    assert [parameter["name"] for parameter in route["parameters"]] == ["write_key"] * ("{write_key}" in path)


@pytest.mark.parametrize("path", PATHS)
def test_a_tracking_route_says_what_it_takes_and_answers(app: FastAPI, path: str) -> None:
    route: dict[str, Any] = app.openapi()["paths"][path]
    assert set(route) == {"post", "options"}
    assert "application/json" in route["post"]["requestBody"]["content"]
    assert set(route["post"]["responses"]) == {*("200", "400", "401", "403", "405", "408", "413", "415", "429", "503")}


def test_every_reference_in_openapi_leads_somewhere(app: FastAPI) -> None:
    schema = app.openapi()

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for child in node.values() for found in references(child)]
        return [found for child in node for found in references(child)] if isinstance(node, list) else []

    assert {name.removeprefix("#/components/schemas/") for name in references(schema)} <= set(
        schema["components"]["schemas"]
    )


def test_operators_routes_need_an_admin_token(app: FastAPI) -> None:
    roles = {
        (method, path): operation.get("x-role")
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if path.startswith(("/v1/sources", "/v1/keys"))
    }
    assert len(roles) == 9
    assert set(roles.values()) == {"admin"}
