"""The HTTP twins of the outcomes and stock topics: what is said by either way is one record on one topic."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from integration.triggers.shop import DAY, NOON, READY, Shop, cart, customer, profile
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.clock import SystemClock
from tern_common.db import transaction
from tern_common.errors import Transient
from tern_common.http import Probes, create_app
from tern_common.topics import OUTCOMES, STOCK
from tern_triggers.app import SUMMARY
from tern_triggers.app.reports import reports_router
from tern_triggers.domain.reports import (
    HeldItem,
    HoldAnswered,
    HoldRequested,
    OutcomeReported,
    decode_outcome,
    decode_stock,
    hold_id_of,
)
from tern_triggers.store import holds

STRANGER = "018f0000-0000-8000-8000-0000000000ff"


@asynccontextmanager
async def door(shop: Shop, role: Role) -> AsyncIterator[httpx.AsyncClient]:
    token = new_token()
    await access.create(shop.pool, token.token_id, StoredToken(token.digest, role, "a test"), None)
    app = create_app(
        service="triggers",
        summary=SUMMARY,
        probes=Probes({}),
        routers=[reports_router(shop.pool, shop.bus.producer, shop.clock)],
        tokens=Tokens(shop.pool, SystemClock()),
    )
    headers = {"Authorization": f"Bearer {token.text}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://triggers", headers=headers
    ) as client:
        yield client


@pytest.fixture
async def api(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    """For a token that may see contact data: whoever acts on triggers has one."""
    async with door(shop, "pii:read") as client:
        yield client


@pytest.fixture
async def trigger_id(shop: Shop) -> str:
    """A trigger that was published about ann."""
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + READY)
    (fired,) = shop.published()
    return str(fired["id"])


async def asked_for(shop: Shop, trigger_id: str, cart_id: str | None) -> str:
    """A request to hold a cart's stock."""
    request = HoldRequested(
        hold_id=hold_id_of(trigger_id),
        trigger_id=trigger_id,
        customer_id=customer("ann"),
        items=(HeldItem(product_id="tea", quantity=1),),
        expires_at=NOON + DAY,
        cart_id=cart_id,
    )
    async with transaction(shop.pool) as conn:
        await holds.ask(conn, [(customer("ann").replace("-", ""), request)], NOON)
    return request.hold_id


async def test_an_outcome_is_on_its_topic_under_the_customers_key(
    shop: Shop, api: httpx.AsyncClient, trigger_id: str
) -> None:
    answer = await api.post("/v1/outcomes", json={"trigger_id": trigger_id, "status": "sent", "channel": "email"})
    assert (answer.status_code, answer.json()) == (202, {"topic": OUTCOMES})
    (record,) = shop.bus.sent(OUTCOMES)
    assert record.key == customer("ann").encode()
    assert decode_outcome(record.value) == OutcomeReported(
        trigger_id=trigger_id, status="sent", at=shop.clock.now(), channel="email"
    )
    assert (record.header("schema"), record.header("mode")) == ("tern.outcome.v1", "live")


async def test_an_outcome_that_is_said_again_is_the_same_record(
    shop: Shop, api: httpx.AsyncClient, trigger_id: str
) -> None:
    said = {"trigger_id": trigger_id.upper(), "status": "failed", "at": "2026-03-02T14:00:00+01:00"}
    assert [(await api.post("/v1/outcomes", json=said)).status_code for _ in range(2)] == [202, 202]
    first, second = shop.bus.sent(OUTCOMES)
    assert (first.value, first.header("message-id")) == (second.value, second.header("message-id"))


@pytest.mark.parametrize(
    ("cart_id", "key"), [("c1", "c1"), (None, None)], ids=["a named cart", "the customer's unnamed cart"]
)
async def test_an_answer_about_stock_is_on_its_topic_under_the_carts_key(
    shop: Shop, api: httpx.AsyncClient, trigger_id: str, cart_id: str | None, key: str | None
) -> None:
    hold_id = await asked_for(shop, trigger_id, cart_id)
    answer = await api.post(f"/v1/holds/{hold_id}", json={"status": "partial", "until": "2026-03-03T12:00:00Z"})
    assert (answer.status_code, answer.json()) == (202, {"topic": STOCK})
    record = shop.bus.sent(STOCK)[-1]
    assert record.key.decode() == (key or hold_id)
    assert decode_stock(record.value) == HoldAnswered(hold_id=hold_id, status="partial", until=NOON + DAY)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/outcomes", {"trigger_id": STRANGER, "status": "sent"}, 404, "unknown-trigger"),
        (f"/v1/holds/{STRANGER}", {"status": "rejected"}, 404, "unknown-hold"),
        ("/v1/outcomes", {"trigger_id": "ann@example.com", "status": "sent"}, 422, "invalid-request"),
        ("/v1/outcomes", {"trigger_id": STRANGER, "status": "loved"}, 422, "invalid-request"),
        ("/v1/outcomes", {"trigger_id": STRANGER, "status": "sent", "channel": "E-Mail!"}, 422, "invalid-request"),
        ("/v1/outcomes", {"trigger_id": STRANGER, "status": "sent", "at": "2026-03-02"}, 422, "invalid-request"),
        ("/v1/outcomes", {"trigger_id": STRANGER, "status": "sent", "note": "x"}, 422, "invalid-request"),
        (
            f"/v1/holds/{STRANGER}",
            {"status": "rejected", "until": "2026-03-03T12:00:00Z"},
            422,
            "invalid-request",
        ),
    ],
)
async def test_what_nobody_could_act_on_is_a_problem_and_reaches_no_topic(
    shop: Shop, api: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await api.post(path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["code"] == code
    assert "ann@example.com" not in answer.text
    assert not [*shop.bus.sent(OUTCOMES), *shop.bus.sent(STOCK)]


async def test_a_token_that_may_only_read_reports_nothing(shop: Shop, trigger_id: str) -> None:
    async with door(shop, "read") as client:
        answer = await client.post("/v1/outcomes", json={"trigger_id": trigger_id, "status": "sent"})
    assert answer.status_code == 403


async def test_while_the_broker_is_away_it_is_said_again_later(
    shop: Shop, api: httpx.AsyncClient, trigger_id: str
) -> None:
    shop.broker.fail_with(Transient("the broker is away"))
    answer = await api.post("/v1/outcomes", json={"trigger_id": trigger_id, "status": "sent"})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
