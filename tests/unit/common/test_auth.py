"""Tokens and roles, without a database: forms, guards, and what is answered when the database is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

import httpx
import pytest
from fastapi import APIRouter, Depends

from tern_common.access.store import Role
from tern_common.auth import KEEP_S, Caller, NewToken, Tokens, new_token, require
from tern_common.clock import ManualClock
from tern_common.db import Pool
from tern_common.http import Probes, create_app


class Shelf:
    """A pool whose database holds tokens; `away` makes it refuse connections. Counts how often it was asked."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked = 0
        self.away = False

    def add(self, role: Role, label: str = "a program") -> NewToken:
        token = new_token()
        self.rows[token.token_id] = {"digest": token.digest, "role": role, "label": label}
        return token

    async def acquire(self, timeout: float) -> Shelf:  # noqa: ASYNC109, ARG002  # asyncpg's signature
        if self.away:
            raise ConnectionRefusedError
        return self

    async def release(self, _: Shelf) -> None: ...

    def ended_in_order(self) -> None: ...

    async def fetchrow(self, _: str, token_id: str) -> dict[str, Any] | None:
        self.asked += 1
        return self.rows.get(token_id)

    def is_closed(self) -> bool:
        return False


@asynccontextmanager
async def platform(shelf: Shelf, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()

    @router.get("/read")
    async def read(caller: Annotated[Caller, Depends(require("read"))]) -> str:
        return caller.label

    @router.get("/pii", dependencies=[Depends(require("read")), Depends(require("pii:read"))])
    async def pii() -> None: ...

    @router.get("/admin", dependencies=[Depends(require("admin"))])
    async def admin() -> None: ...

    tokens = Tokens(cast(Pool, shelf), clock)
    app = create_app(service="t", summary="t", probes=Probes({}), routers=[router], tokens=tokens)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(
    ("role", "open_to_it"),
    [("read", {"/read"}), ("pii:read", {"/read", "/pii"}), ("admin", {"/read", "/pii", "/admin"})],
)
async def test_a_role_opens_its_own_doors_and_those_below(role: Role, open_to_it: set[str]) -> None:
    shelf = Shelf()
    token = shelf.add(role)
    async with platform(shelf, ManualClock()) as http:
        for path in ("/read", "/pii", "/admin"):
            answer = await http.get(path, headers=bearing(token.text))
            assert answer.status_code == (200 if path in open_to_it else 403)


async def test_the_caller_is_known_by_its_label() -> None:
    shelf = Shelf()
    token = shelf.add("read", "dashboard")
    async with platform(shelf, ManualClock()) as http:
        assert (await http.get("/read", headers=bearing(token.text))).json() == "dashboard"


async def test_without_a_valid_token_the_answer_is_401_and_says_how() -> None:
    shelf = Shelf()
    token = shelf.add("admin")
    wrong = f"tt_{token.token_id}_{'x' * 32}"
    sent: list[dict[str, str]] = [{}, bearing(wrong), bearing("tt_0_" + "x" * 32), bearing("junk"), bearing("tt_ä_x")]
    sent.append({"Authorization": "Basic " + token.text})
    async with platform(shelf, ManualClock()) as http:
        for headers in sent:
            answer = await http.get("/read", headers={k.encode(): v.encode() for k, v in headers.items()})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_when_the_database_is_away_a_token_is_not_called_wrong() -> None:
    shelf = Shelf()
    token = shelf.add("read")
    shelf.away = True
    async with platform(shelf, ManualClock()) as http:
        answer = await http.get("/read", headers=bearing(token.text))
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_a_token_is_looked_up_once_in_ten_seconds_and_then_a_revocation_is_seen() -> None:
    shelf, clock = Shelf(), ManualClock()
    token = shelf.add("read")
    async with platform(shelf, clock) as http:
        for _ in range(3):
            assert (await http.get("/read", headers=bearing(token.text))).status_code == 200
        assert shelf.asked == 1
        shelf.rows.clear()
        await clock.sleep(KEEP_S)
        assert (await http.get("/read", headers=bearing(token.text))).status_code == 401
        assert shelf.asked == 2


async def test_guesses_of_unknown_ids_do_not_fill_memory() -> None:
    shelf = Shelf()
    tokens = Tokens(cast(Pool, shelf), ManualClock())
    for number in range(10_050):
        assert await tokens.find(f"tt_{number}_{'x' * 32}") is None
    assert len(tokens._kept) <= 10_000


def test_a_new_token_holds_its_id_and_a_secret_that_is_not_stored() -> None:
    token = new_token()
    assert token.text.startswith(f"tt_{token.token_id}_")
    assert len(token.digest) == 32
    assert new_token() != token
