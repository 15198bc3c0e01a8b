"""The service on a real broker and a real database: from resolved records to profiles, rejects and answers."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from integration.profile.world import HASHER, Wire, Worker, World, customer
from support.names import unique
from support.running import running
from tern_common import topics
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.bus import Bus, Message
from tern_common.clock import SystemClock
from tern_common.consume import consume
from tern_common.db import Pool
from tern_common.events import Claim, PublicProfile, decode_profile, encode
from tern_common.http import Probes, create_app
from tern_common.kafka import kafka_bus
from tern_common.lanes import LANES
from tern_common.rejecting import Rejecting
from tern_common.shipped import shipped
from tern_common.topics import PROFILES, REJECTED, Topic
from tern_profile.__main__ import serve
from tern_profile.app import SUMMARY, Profiles, profile_router
from tern_profile.consumer import ProfileHandler
from tern_profile.settings import ProfileSettings
from unit.profile.saying import ANN, DECLARING, POLICY, at, event, identify, track


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[Bus]:
    async with kafka_bus(kafka_bootstrap, unique("profile")) as opened:
        await opened.log.create(topics.TABLE)
        yield opened


@pytest.fixture
def shop() -> World:
    """Ann came as a visitor, then was known."""
    world = World()
    world.place("visit", "visitor")
    world.place("member", "ann")
    world.file("visit", track("Product Added", 1, product_id="pen", cart_id="c", price=2.5))
    world.file("member", identify(3, trusted=True, email=ANN, name="Ann", plan="a"))
    world.file("member", track("Order Completed", 4, order_id="o", total=5, currency="EUR"))
    world.file("member", track("Consent Granted", 5, trusted=True, channel="email", email=ANN))
    world.move("ann", "visit")
    world.door("email", ANN, "ann")
    return world


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
    loop = consume(consumer, handler, Rejecting(bus.producer, "profile"), clock, limit=500)
    async with running(loop):
        found = await _published(bus, customer(owner))
        assert found.profile_version == 1
        assert bytes(found.traits["plan"]) == b'"b"'
        assert await _rejected(bus, junk.value) == "not-a-resolved-record"


async def _published(bus: Bus, customer_id: str, version: int = 1) -> PublicProfile:
    """The first record of him that is of this version or newer."""
    async for record in bus.tail(PROFILES):
        if record.key.decode() == customer_id and (found := decode_profile(record.value)).profile_version >= version:
            return found
    raise AssertionError("the topic ended")


async def _rejected(bus: Bus, value: bytes) -> str | None:
    async for record in bus.tail(REJECTED):
        if record.value == value:
            return record.header("reason")
    raise AssertionError("the topic ended")


async def _token(pool: Pool, role: Role) -> dict[str, str]:
    token = new_token()
    await access.create(pool, token.token_id, StoredToken(token.digest, role, "a test"), None)
    return {"Authorization": f"Bearer {token.text}"}


@pytest.fixture
async def api(pool: Pool, shop: World) -> AsyncIterator[httpx.AsyncClient]:
    """The API over what the shop said; `token` is one that may read, but not personal data."""
    await Worker(pool, Wire()).deliver(shop.said)
    router = profile_router(Profiles(pool, HASHER, DECLARING))
    tokens = Tokens(pool, SystemClock())
    app = create_app(service="profile", summary=SUMMARY, probes=Probes({}), routers=[router], tokens=tokens)
    transport = httpx.ASGITransport(app)
    headers = await _token(pool, "read")
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
        headers = await _token(pool, "pii:read")
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


async def test_the_process_consumes_and_answers_by_the_policy_it_is_given(
    bus: Bus, pool: Pool, database: str, kafka_bootstrap: str, shop: World, tmp_path: Path
) -> None:
    owner = unique("ann")
    shop.place("elsewhere", owner)
    said = shop.file("elsewhere", identify(1, plan="b", a_longer_one="x" * 100))
    settings = _settings(database, kafka_bootstrap, tmp_path, _shipped_policy().replace("4096", "50"))
    address = f"http://127.0.0.1:{settings.http_port}"
    await bus.producer.send([Message(topics.RESOLVED, said.key, said.value)])
    async with running(serve(settings)), httpx.AsyncClient(base_url=address) as client:
        assert (await _published(bus, customer(owner))).profile_version == 1
        assert (await client.get("/ready")).json() == {"ready": True, "missing": {}}
        headers = await _token(pool, "read")
        assert (await client.get(f"/v1/profiles/{customer(owner)}", headers=headers)).json()["traits"] == {"plan": "b"}
        assert (await client.get("/v1/policy", headers=headers)).json()["trait_bytes"] == 50
        standing = (await client.get("/v1/clock/next", headers=headers)).json()
        assert standing.keys() == {"next", "safe_time"}
        assert standing["next"] is None


async def test_what_turns_by_absence_is_published_when_both_lanes_have_passed_it(
    bus: Bus, pool: Pool, database: str, kafka_bootstrap: str, shop: World, tmp_path: Path
) -> None:
    owner = unique("ann")
    shop.place("elsewhere", owner)
    said = shop.file("elsewhere", track("Order Completed", 1, f"o-{owner}", order_id=owner, total=5))
    lapsed = "classes:\n  lapsed: {path: last_order_at, older_than: 90d}\n"
    settings = _settings(database, kafka_bootstrap, tmp_path, _shipped_policy() + lapsed)
    address = f"http://127.0.0.1:{settings.http_port}"
    await bus.producer.send([Message(topics.RESOLVED, said.key, said.value)])
    async with running(serve(settings)), httpx.AsyncClient(base_url=address) as client:
        assert (await _published(bus, customer(owner))).classes == {}
        headers = await _token(pool, "read")
        due = at(1) + timedelta(days=90)
        standing = (await client.get("/v1/clock/next", headers=headers)).json()
        assert datetime.fromisoformat(standing["next"]) == due + POLICY.grace
        for lane in LANES:
            await _claim(bus, lane, due + timedelta(days=1))
        assert (await _published(bus, customer(owner), version=2)).classes == {"lapsed": due}
        again = (await client.get(f"/v1/profiles/{customer(owner)}", headers=headers)).json()
        assert datetime.fromisoformat(again["classes"]["lapsed"]) == due


async def _claim(bus: Bus, lane: str, moment: datetime) -> None:
    """As identity would, of all that is on the topics now."""
    ends = {
        topic: {str(partition): end for partition, end in (await bus.log.ends(topic)).items()}
        for topic in (topics.RESOLVED, topics.RESOLVED_BACKFILL)
    }
    claim = Claim(service="identity", lane=lane, at=moment, ends=ends)
    await bus.producer.send([Message(topics.PROGRESS, f"identity/{lane}".encode(), encode(claim))])


def _shipped_policy() -> str:
    return shipped("tern_profile", "policy.yaml").read_text()


def _settings(database: str, kafka_bootstrap: str, folder: Path, policy: str) -> ProfileSettings:
    policy_file = folder / "policy.yaml"
    policy_file.write_text(policy)
    return ProfileSettings.model_validate(
        {
            "database_url": database,
            "kafka_bootstrap": kafka_bootstrap,
            "http_port": _free_port(),
            "deployment": "development",
            "clock_file": folder / "clock",
            "hash_key": "a key for tests only",
            "policy_file": policy_file,
        }
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
