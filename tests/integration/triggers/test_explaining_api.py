"""Why, why not (yet) and when next: asked of the service as an operator asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from integration.triggers.shop import DAY, MINUTE, NOON, READY, Shop, cart, customer, moved, order, profile
from tern_common.access import store as access
from tern_common.access.store import StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.clock import SystemClock
from tern_common.http import Probes, create_app
from tern_triggers.app import SUMMARY
from tern_triggers.app.contract import contract_routes
from tern_triggers.app.explaining import explaining_router
from tern_triggers.domain.contract.asyncapi import document


@pytest.fixture
async def api(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    """The doors, for a token that may read."""
    token = new_token()
    await access.create(shop.pool, token.token_id, StoredToken(token.digest, "read", "a test"), None)
    app = create_app(
        service="triggers",
        summary=SUMMARY,
        probes=Probes({}),
        routers=[explaining_router(shop.pool, shop.writing.rulebook, shop.policy, shop.clock)],
        routes=contract_routes(),
        tokens=Tokens(shop.pool, SystemClock()),
    )
    headers = {"Authorization": f"Bearer {token.text}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://triggers", headers=headers
    ) as client:
        yield client


async def explained(api: httpx.AsyncClient, who: str, rule: str | None = "cart_abandoned") -> dict[str, Any]:
    params = {"customer_id": customer(who)} | ({"rule": rule} if rule else {})
    answer = await api.get("/v1/decisions/explain", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def only(answer: dict[str, Any]) -> dict[str, Any]:
    (rule,) = answer["rules"]
    (thing,) = rule["things"]
    found: dict[str, Any] = thing
    return found


async def test_before_and_after_it_fires_it_says_what_it_waits_for_and_what_it_did(
    shop: Shop, api: httpx.AsyncClient
) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + MINUTE)
    answer = await explained(api, "ann")
    thing = only(answer)
    assert (answer["safe_time"]["live"], thing["state"], thing["key"]) == ("2026-03-02T12:01:00Z", "waiting", "c1")
    assert (thing["step"]["due_at"], thing["step"]["ready_at"]) == ("2026-03-02T13:00:00Z", "2026-03-02T13:05:00Z")
    assert (thing["outlook"]["outcome"], thing["outlook"]["channels"]) == ("fired", ["email"])
    assert all(check["passed"] for check in thing["outlook"]["checks"])
    assert thing["facts"]["products"] == 1

    await shop.at(NOON + READY)
    (decision, *_) = only(await explained(api, "ann"))["decisions"]
    assert (decision["outcome"], decision["fired_at"]) == ("fired", "2026-03-02T13:05:00Z")


async def test_what_is_due_by_the_clock_waits_for_safe_time_and_says_so(shop: Shop, api: httpx.AsyncClient) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.safe(NOON + MINUTE)
    shop.clock.advance(READY)
    thing = only(await explained(api, "ann"))
    assert thing["state"] == "waiting-for-safe-time"
    assert any("safe time" in sentence for sentence in thing["sentences"])


async def test_an_order_is_the_reason_for_silence(shop: Shop, api: httpx.AsyncClient) -> None:
    await shop.take(cart("bob", NOON, "m2", "tea"), order("bob", NOON + MINUTE, "o1", "tea"))
    await shop.at(NOON + READY)
    thing = only(await explained(api, "bob"))
    assert (thing["state"], thing["step"], thing["outlook"]) == ("over", None, None)
    assert ("o1", "ordered") in {(end["message_id"], end["why"]) for end in thing["exits"]}
    assert thing["sentences"][-1] == "Nothing is going on: an order was placed on 2026-03-02 12:01:00 UTC (event o1)."


async def test_who_refused_is_told_apart_from_who_was_never_asked_by_no_one(shop: Shop, api: httpx.AsyncClient) -> None:
    """Missing refuses: either way the check that fails is consent."""
    await shop.meet(profile("ann", email=False))
    await shop.take(cart("ann", NOON, "m1", "tea"), cart("cat", NOON, "m3", "tea", cart_id="c3"))
    for who in ("ann", "cat"):
        checks = only(await explained(api, who))["outlook"]["checks"]
        assert checks[-1] == {"check": "consent", "passed": False}


async def test_all_rules_answer_for_any_id_that_the_customer_ever_had(shop: Shop, api: httpx.AsyncClient) -> None:
    await shop.take(cart("visitor", NOON, "m1", "tea"), moved("ann", {"visitor": 2}, "visitor"))
    answer = await explained(api, "visitor", rule=None)
    assert answer["customer_id"] == customer("ann")
    assert [rule["rule"] for rule in answer["rules"]] == [rule.rule for rule in shop.writing.rulebook.latest.rules]
    assert answer["sentences"]


async def test_no_sentence_and_no_field_tells_a_contact_point(shop: Shop, api: httpx.AsyncClient) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + DAY)
    answer = await api.get("/v1/decisions/explain", params={"customer_id": customer("ann")})
    assert "example.com" not in answer.text


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"customer_id": customer("nobody")}, 404, "unknown-customer"),
        ({"customer_id": customer("ann"), "rule": "no_such_rule"}, 404, "unknown-rule"),
        ({"customer_id": "ann@example.com"}, 422, "invalid-request"),
        ({}, 422, "invalid-request"),
    ],
)
async def test_what_nobody_can_answer_is_a_problem(
    shop: Shop, api: httpx.AsyncClient, query: dict[str, str], status: int, code: str
) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"))
    answer = await api.get("/v1/decisions/explain", params=query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_contract_is_open_to_anybody(api: httpx.AsyncClient) -> None:
    whole = await api.get("/asyncapi.json", headers={"Authorization": ""})
    assert whole.json() == document()
    for name in document()["components"]["messages"]:
        schema = await api.get(f"/v1/schemas/{name}", headers={"Authorization": ""})
        assert (schema.status_code, schema.json()["title"]) == (200, name)
        assert schema.headers["content-type"] == "application/schema+json"
    unknown = await api.get("/v1/schemas/tern.secret.v1")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-schema")
