"""The service on a real broker and a real database: from resolved records to profiles, rejects and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from integration.profile.service import published, token
from integration.profile.world import HASHER, Wire, Worker, World, customer
from support.names import unique
from support.running import running
from tern_common.auth import Tokens
from tern_common.bus import Bus, Message
from tern_common.clock import SystemClock
from tern_common.consume import consume
from tern_common.db import Pool
from tern_common.fetching import Pacing
from tern_common.http import Probes, create_app
from tern_common.rejecting import Rejecting
from tern_common.topics import REJECTED, Topic
from tern_profile.app import SUMMARY, Profiles, profile_router
from tern_profile.consumer import ProfileHandler
from unit.profile.saying import ANN, DECLARING, POLICY, event, identify, track


async def test_records_become_profiles_and_junk_is_rejected(bus: Bus, pool: Pool, shop: World) -> None:
    """A name of its own for the input, since the broker is shared; the customers are this test's alone."""
    source = unique("resolved")
    await bus.log.create([Topic(source, 3)])
    owner = unique("ann")
    shop.place("elsewhere", owner)
    shop.file("elsewhere", identify(1, plan="b"))
    good = [Message(source, said.key, said.value) for said in shop.said]
    junk = Message(source, b"k", f"junk {owner}".encode())
    await bus.producer.send([*good[:3], junk, *good[3:]])

    clock = SystemClock()
    handler = ProfileHandler(pool, bus.producer, HASHER, POLICY)
    consumer = await bus.subscribe(unique("profile"), [source])
    loop = consume(consumer, handler, Rejecting(bus.producer, "profile"), clock, pace=Pacing(500))
    async with running(loop):
        found = await published(bus, customer(owner))
        assert found.profile_version == 1
        assert bytes(found.traits["plan"]) == b'"b"'
        assert await _rejected(bus, junk.value) == "not-a-resolved-record"


async def _rejected(bus: Bus, value: bytes) -> str | None:
    async for record in bus.tail(REJECTED):
        if record.value == value:
            return record.header("reason")
    raise AssertionError("the topic ended")


@pytest.fixture
async def api(pool: Pool, shop: World) -> AsyncIterator[httpx.AsyncClient]:
    """The API over what the shop said; `token` is one that may read, but not personal data."""
    await Worker(pool, Wire()).deliver(shop.said)
    router = profile_router(Profiles(pool, HASHER, DECLARING))
    tokens = Tokens(pool, SystemClock())
    app = create_app(service="profile", summary=SUMMARY, probes=Probes({}), routers=[router], tokens=tokens)
    transport = httpx.ASGITransport(app)
    headers = await token(pool, "read")
    async with httpx.AsyncClient(transport=transport, base_url="http://profile", headers=headers) as client:
        yield client


class TestApi:
    @pytest.mark.parametrize("name", ["ann", "visitor"])
    async def test_any_id_ever_published_is_answered_with_the_canonical_one(
        self, api: httpx.AsyncClient, name: str
    ) -> None:
        found = (await api.get(f"/v1/profiles/{customer(name)}")).json()
        assert found["customer_id"] == customer("ann")
        assert found["homes"] == 2

    async def test_the_whole_profile(self, api: httpx.AsyncClient, pool: Pool) -> None:
        headers = await token(pool, "pii:read")
        answer = await api.get(f"/v1/profiles/{customer('ann')}", headers=headers)
        assert answer.json() == {
            "customer_id": customer("ann"),
            "profile_version": 1,
            "shared": False,
            "homes": 2,
            "traits": {"name": "Ann", "plan": "a"},
            "contacts": {"email": {"value": ANN, "trusted": True, "doubtful": False}},
            "consent": {"marketing": {"email": True}},
            "zone": None,
            "zone_from": None,
            "active_hours": [],
            "preferred_channels": [],
            "computed": {
                "carts": {"value": 1, "since": "2026-03-01T13:00:00Z"},
                "first_added": {"value": "pen", "since": "2026-03-01T13:00:00Z"},
                "last_added": {"value": "pen", "since": "2026-03-01T13:00:00Z"},
                "lately": {"value": 1, "since": "2026-03-01T13:00:00Z"},
                "product": {"value": "pen", "since": "2026-03-01T13:00:00Z"},
            },
            "classes": {"buyer": "2026-03-01T16:00:00Z"},
            "first_seen_at": "2026-03-01T13:00:00Z",
            "last_seen_at": "2026-03-01T17:00:00Z",
            "counts": {"Consent Granted": 1, "Order Completed": 1, "Product Added": 1, "identify": 1},
            "orders": {
                "count": 1,
                "value": {"EUR": 5.0},
                "last_at": "2026-03-01T16:00:00Z",
                "newest": [
                    {
                        "order_id": "o",
                        "at": "2026-03-01T16:00:00Z",
                        "total": 5.0,
                        "net": 5.0,
                        "currency": "EUR",
                        "kept": True,
                    }
                ],
            },
            "cart": {
                "cart_id": "c",
                "items": [{"product_id": "pen", "quantity": 1, "price": 2.5, "name": None}],
                "updated_at": "2026-03-01T13:00:00Z",
                "ordered": True,
            },
        }

    async def test_personal_data_is_masked_unless_the_token_may_see_it(self, api: httpx.AsyncClient) -> None:
        answer = await api.get(f"/v1/profiles/{customer('ann')}")
        assert ANN not in answer.text
        assert answer.json()["traits"] == {"name": "***", "plan": "a"}
        assert answer.json()["contacts"] == {"email": {"value": "a***@e***.com", "trusted": True, "doubtful": False}}

    async def test_by_identifier_however_it_is_written(self, api: httpx.AsyncClient) -> None:
        by_url = await api.get("/v1/profiles/by/email/%20Ann@Example.com")
        by_body = await api.post("/v1/profiles/lookup", json={"namespace": "email", "value": ANN.upper()})
        assert by_url.json() == by_body.json()
        assert by_url.json()["customer_id"] == customer("ann")

    @pytest.mark.parametrize(
        "address",
        [
            f"/v1/profiles/{customer('nobody')}",
            "/v1/profiles/by/email/bob@example.com",
            "/v1/profiles/by/email/junk",
            "/v1/profiles/by/shoe_size/44",
        ],
    )
    async def test_who_was_never_heard_of_is_not_found(self, api: httpx.AsyncClient, address: str) -> None:
        answer = await api.get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-customer")

    async def test_without_a_token_nothing_is_told(self, api: httpx.AsyncClient) -> None:
        answer = await api.get(f"/v1/profiles/{customer('ann')}", headers={"Authorization": "Bearer no"})
        assert answer.status_code == 401

    async def test_a_cart_changed_after_the_order_is_open(
        self, api: httpx.AsyncClient, pool: Pool, shop: World
    ) -> None:
        again = shop.file("member", track("Product Added", 9, product_id="ink", cart_id="c"))
        await Worker(pool).deliver([again, shop.file("member", event("p", 10, type="page"))])
        found = (await api.get(f"/v1/profiles/{customer('ann')}")).json()
        assert found["cart"]["ordered"] is False
        assert [item["product_id"] for item in found["cart"]["items"]] == ["pen", "ink"]
