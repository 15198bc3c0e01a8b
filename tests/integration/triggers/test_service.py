"""The doors of the service, and the process as a whole on a real broker."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.triggers.operating import begin_where_the_group_stands
from integration.triggers.shop import DAY, MINUTE, NOON, READY, Shop, cart, customer, moved, order, profile
from support.names import unique
from support.running import running
from support.waiting import eventually
from tern_common import topics
from tern_common.access import store as access
from tern_common.access.store import StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.bus import Bus, Message
from tern_common.clock import SystemClock
from tern_common.db import Pool
from tern_common.events import Claim, encode
from tern_common.http import Probes, create_app
from tern_common.kafka import kafka_bus
from tern_triggers.__main__ import serve
from tern_triggers.app import SUMMARY, triggers_router
from tern_triggers.settings import TriggersSettings


async def _token(pool: Pool) -> dict[str, str]:
    token = new_token()
    await access.create(pool, token.token_id, StoredToken(token.digest, "read", "a test"), None)
    return {"Authorization": f"Bearer {token.text}"}


@pytest.fixture
async def api(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    """The API after three stories: ann was reminded, bob ordered, cat gave no consent."""
    await shop.meet(profile("ann"), profile("bob"))
    await shop.take(
        cart("visitor", NOON, "m1", "tea", cart_id="c1"),
        cart("bob", NOON, "m2", "tea", cart_id="c2"),
        cart("cat", NOON, "m3", "tea", cart_id="c3"),
        order("bob", NOON + MINUTE, "o1", "tea"),
        moved("ann", {"visitor": 2}, "visitor"),
    )
    await shop.at(NOON + READY)
    app = create_app(
        service="triggers",
        summary=SUMMARY,
        probes=Probes({}),
        routers=[triggers_router(shop.pool, shop.clock)],
        tokens=Tokens(shop.pool, SystemClock()),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://triggers", headers=await _token(shop.pool)
    ) as client:
        yield client


async def decisions(api: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get("/v1/decisions", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["decisions"])


async def test_the_log_says_why_somebody_got_nothing(api: httpx.AsyncClient) -> None:
    (bob,) = await decisions(api, customer_id=customer("bob"))
    assert (bob["outcome"], bob["reason"], bob["fired_at"], bob["facts"]["exit"]) == ("ended", "ordered", None, "o1")
    (cat,) = await decisions(api, customer_id=customer("cat"))
    assert (cat["outcome"], cat["reason"]) == ("suppressed", "no-consent")


@pytest.mark.parametrize("who", ["ann", "visitor"])
async def test_any_id_that_was_ever_published_is_answered(api: httpx.AsyncClient, who: str) -> None:
    answer = (await api.get("/v1/decisions", params={"customer_id": customer(who)})).json()
    assert answer["customer_id"] == customer("ann")
    (fired,) = answer["decisions"]
    assert (fired["outcome"], fired["key"], fired["due_at"]) == ("fired", "c1", "2026-03-02T13:00:00Z")
    assert fired["fired_at"] == fired["decided_at"]


async def test_the_log_can_be_narrowed(api: httpx.AsyncClient) -> None:
    assert len(await decisions(api)) == 3
    assert len(await decisions(api, limit=2)) == 2
    assert await decisions(api, rule="recall") == []
    assert await decisions(api, since=(NOON + DAY).isoformat()) == []
    assert await decisions(api, customer_id=customer("nobody")) == []


async def test_the_summary_counts_by_rule_outcome_and_reason(api: httpx.AsyncClient) -> None:
    counts = (await api.get("/v1/decisions/summary", params={"since": NOON.isoformat()})).json()["counts"]
    assert [(one["outcome"], one["reason"], one["decisions"]) for one in counts] == [
        ("ended", "ordered", 1),
        ("fired", None, 1),
        ("suppressed", "no-consent", 1),
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"customer_id": "ann"},
        {"rule": "No Rule"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "9999-12-31T23:59:59-14:00"},
        {"limit": 0},
        {"limit": 1001},
    ],
)
async def test_what_makes_no_sense_is_refused(api: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await api.get("/v1/decisions", params=query)).status_code == 422


async def test_without_a_token_nothing_is_told(api: httpx.AsyncClient) -> None:
    for address in ("/v1/decisions", "/v1/decisions/summary", "/v1/rules"):
        assert (await api.get(address, headers={"Authorization": "Bearer no"})).status_code == 401


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[Bus]:
    async with kafka_bus(kafka_bootstrap, unique("triggers")) as opened:
        await opened.log.create(topics.TABLE)
        yield opened


async def test_the_process_consumes_decides_publishes_and_answers(
    bus: Bus, pool: Pool, database: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    """A cart that was left two hours ago: the claims say that nothing else is on its way."""
    port = _free_port()
    settings = TriggersSettings.model_validate(
        {
            "database_url": database,
            "kafka_bootstrap": kafka_bootstrap,
            "http_port": port,
            "deployment": "development",
            "clock_file": tmp_path / "clock",
        }
    )
    who = unique("ann")
    now = datetime.now(UTC)  # noqa: TID251 - the process runs by the machine's clock
    left = cart(who, now - timedelta(hours=2), f"m-{who}", "tea", cart_id=who)
    await bus.producer.send(
        [Message(topics.PROFILES, who.encode(), profile(who)), Message(topics.RESOLVED, who.encode(), left)]
    )
    headers = await _token(pool)
    await begin_where_the_group_stands(bus, pool)
    async with running(serve(settings)), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await _claim(bus, now)
        event = await _published(bus, who)
        assert event["data"]["timing"]["due_at"] < now.isoformat()
        assert (await client.get("/ready")).json() == {"ready": True, "missing": {}}
        found = await client.get("/v1/decisions", params={"customer_id": customer(who)}, headers=headers)
        assert [one["outcome"] for one in found.json()["decisions"]] == ["fired"]
        standing = (await client.get("/v1/clock/next", headers=headers)).json()
        assert standing["safe_time"] is not None
        assert (await client.get("/v1/policy", headers=headers)).json()["grace"] == "5m"


async def _claim(bus: Bus, at: datetime) -> None:
    for service, topic in (("identity", topics.RESOLVED), ("profile", topics.PROFILES)):
        ends = {topic: {str(partition): end for partition, end in (await bus.log.ends(topic)).items()}}
        one = Claim(service=service, lane="live", at=at, ends=ends)
        await bus.producer.send([Message(topics.PROGRESS, f"{service}/live".encode(), encode(one))])


async def _published(bus: Bus, who: str) -> dict[str, Any]:
    async for record in bus.tail(topics.triggers_topic("cart")):
        if record.key.decode() == customer(who):
            return dict(httpx.Response(200, content=record.value).json())
    raise AssertionError("the topic ended")


async def test_the_process_waits_for_a_broker(pool: Pool, database: str, tmp_path: Path) -> None:
    port = _free_port()
    settings = TriggersSettings.model_validate(
        {"database_url": database, "kafka_bootstrap": f"127.0.0.1:{_free_port()}", "http_port": port}
    )

    async def refused() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                await client.get(f"http://127.0.0.1:{port}/live")
        except httpx.TransportError:
            return True
        return False

    async with running(serve(settings)):
        await eventually(refused, 5, "it does not answer yet")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
