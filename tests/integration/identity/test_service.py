"""The service on a real broker and a real database: from events to resolved events, rejects and answers."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Worker
from support.names import unique
from support.running import running
from support.waiting import eventually
from tern_common import topics
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.bus import Bus, Message, Record
from tern_common.clock import SystemClock
from tern_common.consume import consume
from tern_common.db import Pool
from tern_common.events import ResolvedEvent, decode_claim, decode_resolved, encode
from tern_common.fetching import Pacing
from tern_common.http import Probes, create_app, policy_router
from tern_common.kafka import kafka_bus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, PROGRESS, REJECTED, RESOLVED, Topic
from tern_identity.__main__ import serve
from tern_identity.app import SUMMARY
from tern_identity.app.customers import customer_router
from tern_identity.consumer import EventHandler
from tern_identity.settings import IdentitySettings
from tern_identity.store.lookup import Directory
from unit.identity.histories import SHIPPED, TIGHT, Said, event

DAY = 24
HISTORY = (
    Said(1, 0, browser=1),
    Said(2, 1, user=1, phone=1, email=1, browser=1),
    Said(3, 2, browser=2),
    Said(4, 3 * DAY, user=1, browser=3),
    Said(5, 4 * DAY, user=2, browser=3),
    Said(6, 5 * DAY, browser=3),
)


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[Bus]:
    async with kafka_bus(kafka_bootstrap, unique("identity")) as opened:
        await opened.log.create(topics.TABLE)
        yield opened


async def _found(bus: Bus, topic: str, marker: bytes) -> Record:
    async for record in bus.tail(topic):
        if marker in record.value:
            return record
    raise AssertionError("the topic ended")


async def _token(pool: Pool, role: Role) -> dict[str, str]:
    token = new_token()
    await access.create(pool, token.token_id, StoredToken(token.digest, role, "a test"), None)
    return {"Authorization": f"Bearer {token.text}"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_events_are_resolved_and_junk_is_rejected(bus: Bus, graphs: Graphs) -> None:
    """A topic of its own for the input, since the broker is shared."""
    source, mark = unique("events"), unique("visit")
    await bus.log.create([Topic(source, 3)])
    visits = [event(Said(number, number, browser=1)) for number in range(1, 4)]
    good = [Message(source, visit.message_id.encode(), encode(visit)) for visit in visits]
    junk = Message(source, b"k", f"junk {mark}".encode())
    last = event(Said(9, 9, browser=1))
    marked = Message(source, b"k", encode(last).replace(b'"m-9"', f'"{mark}"'.encode()))
    await bus.producer.send([*good[:2], junk, *good[2:], marked])
    handler = EventHandler(await graphs.store(SHIPPED), graphs.pool, bus.producer)
    consumer = await bus.subscribe(unique("identity"), [source])
    loop = consume(consumer, handler, Rejecting(bus.producer, "identity"), SystemClock(), pace=Pacing(500))
    async with running(loop):
        record = await _found(bus, RESOLVED, mark.encode())
        said = decode_resolved(record.value)
        assert isinstance(said, ResolvedEvent)
        assert (record.key.decode(), record.header("message-id")) == (said.customer_id, mark)
        assert (await _found(bus, REJECTED, junk.value)).header("reason") == "not-an-event"


async def test_the_process_consumes_claims_and_answers(
    bus: Bus, graphs: Graphs, module_database: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    mark = unique("user")
    login = encode(event(Said(1, 0, user=1, browser=1))).replace(b"user-1", mark.encode())
    await bus.producer.send([Message(EVENTS, mark.encode(), login)])
    settings = IdentitySettings.model_validate(
        {
            "database_url": module_database,
            "kafka_bootstrap": kafka_bootstrap,
            "http_port": _free_port(),
            "hash_key": "a key for tests only",
            "sealing_keys": f"test:{base64.b64encode(bytes(32)).decode()}",
            "progress_interval_ms": 20,
            "deployment": "development",
            "clock_file": tmp_path / "clock",
        }
    )
    address = f"http://127.0.0.1:{settings.http_port}"
    async with running(serve(settings)), httpx.AsyncClient(base_url=address) as client:
        resolved = await _found(bus, RESOLVED, mark.encode())
        claim = decode_claim((await _found(bus, PROGRESS, b'"identity"')).value)
        assert claim.ends[RESOLVED].keys() == {str(number) for number in range(8)}
        assert (await client.get("/ready")).json() == {"ready": True, "missing": {}}
        headers = await _token(graphs.pool, "read")
        answer = await client.get(f"/v1/customers/by/user_id/{mark}", headers=headers)
        assert answer.json()["customer_id"] == resolved.key.decode()
        assert (await client.get("/v1/policy", headers=headers)).json()["browsers_per_account"] == 500

        async def safe_time() -> bool:
            standing = (await client.get("/v1/clock/next", headers=headers)).json()
            assert standing["next"] is None
            return bool(standing["safe_time"]) and datetime.fromisoformat(standing["safe_time"]) >= claim.at

        await eventually(safe_time, 10, "safe time is what identity claimed")


@pytest.fixture
async def worker(graphs: Graphs) -> Worker:
    found = Worker(graphs)
    await found.hear(*HISTORY[:1])
    await found.hear(*HISTORY[1:])
    return found


@pytest.fixture
async def api(worker: Worker, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The API over that history; its token may read, but not personal data."""
    directory = Directory(pool, KEYS.hasher, KEYS.sealer)
    app = create_app(
        service="identity",
        summary=SUMMARY,
        probes=Probes({}),
        routers=[customer_router(directory), policy_router(TIGHT)],
        tokens=Tokens(pool, SystemClock()),
    )
    headers = await _token(pool, "read")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://identity", headers=headers) as client:
        yield client


def _customer(worker: Worker, message: int) -> str:
    [said] = [one for one in worker.resolved() if f'"m-{message}"'.encode() in bytes(one.event)]
    return said.customer_id


def _home(worker: Worker, message: int) -> str:
    [said] = [one for one in worker.resolved() if f'"m-{message}"'.encode() in bytes(one.event)]
    return said.home_id


class TestApi:
    async def test_any_id_ever_published_is_answered_with_the_canonical_one(
        self, api: httpx.AsyncClient, worker: Worker
    ) -> None:
        visitor, member = _customer(worker, 1), _customer(worker, 2)
        assert visitor != member
        for customer_id in (visitor, member):
            found = (await api.get(f"/v1/customers/{customer_id}")).json()
            assert found["customer_id"] == member
            assert set(found["homes"]) == {_home(worker, 1), _home(worker, 2)}
            assert found["shared"] is False

    async def test_identifiers_are_masked_unless_the_token_may_see_personal_data(
        self, api: httpx.AsyncClient, worker: Worker, pool: Pool
    ) -> None:
        address = f"/v1/customers/{_customer(worker, 2)}"
        masked = (await api.get(address)).json()["identifiers"]
        plain = (await api.get(address, headers=await _token(pool, "pii:read"))).json()["identifiers"]
        assert sorted(one["value"] for one in masked) == ["+8***71", "a***@e***.com", "br***-1", "us***-1"]
        assert {(one["namespace"], one["value"]) for one in plain} == {
            ("user_id", "user-1"),
            ("phone", "+8613812345671"),
            ("email", "ann1@example.com"),
            ("anonymous_id", "browser-1"),
        }

    async def test_by_identifier_however_it_is_written(self, api: httpx.AsyncClient, worker: Worker) -> None:
        by_url = await api.get("/v1/customers/by/email/%20Ann1@Example.com")
        by_body = await api.post("/v1/customers/lookup", json={"namespace": "phone", "value": "138 1234 5671"})
        by_browser = await api.get("/v1/customers/by/anonymous_id/browser-1")
        assert by_url.json() == by_body.json() == by_browser.json()
        assert by_url.json()["customer_id"] == _customer(worker, 2)

    async def test_a_visitor_is_a_customer_too(self, api: httpx.AsyncClient, worker: Worker) -> None:
        found = (await api.get("/v1/customers/by/anonymous_id/browser-2")).json()
        assert found == {
            "customer_id": _customer(worker, 3),
            "identifiers": [{"namespace": "anonymous_id", "value": "br***-2"}],
            "homes": [_home(worker, 3)],
            "shared": False,
        }

    async def test_a_browser_that_two_use_is_nobodys(self, api: httpx.AsyncClient, worker: Worker) -> None:
        found = (await api.get("/v1/customers/by/anonymous_id/browser-3")).json()
        assert (found["customer_id"], found["shared"]) == (_customer(worker, 6), True)
        assert found["homes"] == [_home(worker, 6)]
        assert (await api.get(f"/v1/customers/{_customer(worker, 6)}")).json() == found

    @pytest.mark.parametrize(
        "address",
        [
            f"/v1/customers/{UUID(int=7)}",
            "/v1/customers/by/email/bob@example.com",
            "/v1/customers/by/email/junk",
            "/v1/customers/by/shoe_size/44",
        ],
    )
    async def test_who_was_never_heard_of_is_not_found(self, api: httpx.AsyncClient, address: str) -> None:
        answer = await api.get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-customer")

    async def test_what_is_no_id_is_refused(self, api: httpx.AsyncClient) -> None:
        assert (await api.get("/v1/customers/not-an-id")).status_code == 422

    async def test_without_a_token_nothing_is_told(self, api: httpx.AsyncClient, worker: Worker) -> None:
        answer = await api.get(f"/v1/customers/{_customer(worker, 2)}", headers={"Authorization": "Bearer no"})
        assert answer.status_code == 401
