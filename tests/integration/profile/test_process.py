"""The profile process: by the policy it is given, and by what was claimed to it."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from integration.profile.service import published, token
from integration.profile.world import World, customer
from support.names import unique
from support.running import running
from support.waiting import eventually
from tern_common import topics
from tern_common.bus import Bus, Message
from tern_common.db import Pool
from tern_common.events import Claim, encode
from tern_common.lanes import LANES
from tern_common.shipped import shipped
from tern_profile.__main__ import serve
from tern_profile.settings import ProfileSettings
from unit.profile.saying import POLICY, at, identify, track


@pytest.fixture
async def nothing_claimed(bus: Bus, kafka_bootstrap: str) -> None:
    """The topic of claims, made anew: the broker is shared, and what was claimed before a test is as true during it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topics.PROGRESS])
    finally:
        await admin.close()

    async def gone() -> bool:
        return topics.PROGRESS not in await bus.log.shapes()

    await eventually(gone, 10, "the topic of claims is gone")
    await bus.log.create(topics.TABLE)


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
        assert (await published(bus, customer(owner))).profile_version == 1
        assert (await client.get("/ready")).json() == {"ready": True, "missing": {}}
        headers = await token(pool, "read")
        assert (await client.get(f"/v1/profiles/{customer(owner)}", headers=headers)).json()["traits"] == {"plan": "b"}
        assert (await client.get("/v1/policy", headers=headers)).json()["trait_bytes"] == 50
        standing = (await client.get("/v1/clock/next", headers=headers)).json()
        assert standing.keys() == {"next", "safe_time"}
        assert standing["next"] is None


@pytest.mark.usefixtures("nothing_claimed")
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
        assert (await published(bus, customer(owner))).classes == {}
        headers = await token(pool, "read")
        due = at(1) + timedelta(days=90)
        standing = (await client.get("/v1/clock/next", headers=headers)).json()
        assert datetime.fromisoformat(standing["next"]) == due + POLICY.grace
        for lane in LANES:
            await _claim(bus, lane, due + timedelta(days=1))
        assert (await published(bus, customer(owner), version=2)).classes == {"lapsed": due}
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
