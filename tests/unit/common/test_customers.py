"""The doors that all services that answer by customer have."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest
from pydantic import BaseModel

from tern_common.access.store import Role
from tern_common.auth import Caller
from tern_common.http import Probes, create_app, customers_router
from tern_common.identifiers import Identifier, masked

ANN = UUID(int=1)
EMAIL = Identifier("email", "ann@example.com")


class Shown(BaseModel):
    customer_id: UUID
    email: str


class OnlyAnn:
    """Knows one customer."""

    async def by_id(self, customer_id: UUID) -> str | None:
        return EMAIL.value if customer_id == ANN else None

    async def by_identifier(self, identifier: Identifier) -> str | None:
        return EMAIL.value if identifier == EMAIL else None


class Tokens:
    """Every token names its own role."""

    async def find(self, text: str) -> Caller | None:
        roles: dict[str, Role] = {"tt_read": "read", "tt_pii": "pii:read"}
        return Caller("t", roles[text], "") if text in roles else None


def view(known: str, *, hide: bool) -> Shown:
    return Shown(customer_id=ANN, email=masked(known) if hide else known)


def client(token: str = "tt_read", customers: OnlyAnn | None = None) -> httpx.AsyncClient:
    router = customers_router("people", customers or OnlyAnn(), Shown, view)
    app = create_app(service="t", summary="t", probes=Probes({}), routers=[router], tokens=Tokens())  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers)


async def test_by_id_and_by_any_spelling_of_an_identifier() -> None:
    by_id = await client().get(f"/v1/people/{ANN}")
    by_url = await client().get("/v1/people/by/email/%20Ann@Example.com")
    by_body = await client().post("/v1/people/lookup", json={"namespace": "email", "value": "ANN@example.com"})
    assert by_id.json() == by_url.json() == by_body.json() == {"customer_id": str(ANN), "email": "a***@e***.com"}


@pytest.mark.parametrize(
    "namespace", ["wechat_unionid", "loyalty_card", "wechat_openid:wx0123456789abcdef", "device_id", "pos_member"]
)
async def test_by_every_namespace_that_ships_or_may_be_declared(namespace: str) -> None:
    heard: list[Identifier] = []

    class Listening(OnlyAnn):
        async def by_identifier(self, identifier: Identifier) -> str | None:
            heard.append(identifier)
            return EMAIL.value

    shown = "a***@e***.com" if namespace == "device_id" else EMAIL.value
    answer = await client("tt_pii", Listening()).get(f"/v1/people/by/{namespace}/%20Mm-7%20")
    assert (answer.json()["email"], heard) == (shown, [Identifier(namespace, "Mm-7")])


async def test_who_may_see_personal_data_sees_it() -> None:
    answer = await client("tt_pii").get(f"/v1/people/{ANN}")
    assert answer.json()["email"] == EMAIL.value


@pytest.mark.parametrize(
    "address",
    [
        str(UUID(int=7)),
        "by/email/bob@example.com",
        "by/email/junk",
        "by/pos_member/M-77",
        "by/wechat_openid/oGZUI0egBJY1",
        "by/Shoe-Size/4444",
    ],
)
async def test_who_was_never_heard_of_is_not_found(address: str) -> None:
    answer = await client().get(f"/v1/people/{address}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-customer")


async def test_what_cannot_be_asked_is_said_to_be_wrong() -> None:
    assert (await client().get("/v1/people/not-an-id")).status_code == 422
    assert (await client().get(f"/v1/people/by/email/{'a' * 1025}")).status_code == 422


async def test_without_a_token_nothing_is_told() -> None:
    for address in (str(ANN), f"by/email/{EMAIL.value}"):
        assert (await client("no").get(f"/v1/people/{address}")).status_code == 401


def test_the_answers_shape_is_documented() -> None:
    app = create_app(
        service="t",
        summary="t",
        probes=Probes({}),
        routers=[customers_router("people", OnlyAnn(), Shown, view)],
        tokens=Tokens(),  # type: ignore[arg-type]  # a stand-in with the one method that is asked
    )
    schema = app.openapi()
    for path in ("/v1/people/{customer_id}", "/v1/people/by/{namespace}/{value}"):
        answer = schema["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer == {"$ref": "#/components/schemas/Shown"}
