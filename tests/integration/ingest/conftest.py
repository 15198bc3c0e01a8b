"""Ingest on a real broker and a real database, without a socket of its own."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from support.names import unique
from support.waiting import eventually
from tern_common import auth, topics
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens
from tern_common.bus import Bus, Record
from tern_common.clock import SystemClock
from tern_common.db import Pool, open_pool
from tern_common.http import Probes
from tern_common.http.tailing import Tails
from tern_common.kafka import kafka_bus
from tern_common.policy import load_policy
from tern_common.sealing import Sealer
from tern_common.shipped import shipped
from tern_ingest.app import PATHS, build
from tern_ingest.bodies import Bodies
from tern_ingest.dead_letters import DeadLetters
from tern_ingest.domain.policy import Policy
from tern_ingest.domain.tallies import Tallies
from tern_ingest.domain.taxonomy import Taxonomy, Vocabulary
from tern_ingest.gate import Gate
from tern_ingest.keyring import Keyring
from tern_ingest.quality import Quality
from tern_ingest.quality_store import QualityStore
from tern_ingest.rejected import rejected_router
from tern_ingest.reporting import quality_router
from tern_ingest.store import Store
from tern_ingest.tailing import tail_router
from tern_ingest.tracking import Door

SEALING_KEYS = "k1:" + base64.b64encode(bytes(32)).decode()
SEALER = Sealer.parse(SEALING_KEYS)
NOBODY_LISTENS = "127.0.0.1:1"


async def token(pool: Pool, role: Role) -> str:
    """A bearer token of that role."""
    new = auth.new_token()
    await access.create(pool, new.token_id, StoredToken(new.digest, role, "a test"), None)
    return new.text


@dataclass
class Ingest:
    """An ingest process's inside, a client in front of it, and what it wrote."""

    client: httpx.AsyncClient
    keyring: Keyring
    bus: Bus
    admin: dict[str, str]
    quality: Quality

    async def new_source(self) -> str:
        """The id of a fresh source."""
        made = await self.client.post("/v1/sources", json={"name": unique("shop")}, headers=self.admin)
        assert made.status_code == 201, made.text
        return str(made.json()["source_id"])

    async def new_key(self, source_id: str, kind: str = "server") -> tuple[str, str]:
        """A fresh key's id, and the key."""
        path = f"/v1/sources/{source_id}/keys"
        made = await self.client.post(path, json={"kind": kind}, headers=self.admin)
        assert made.status_code == 201, made.text
        return made.json()["key_id"], made.json()["write_key"]

    async def new_user_key(self, source_id: str) -> tuple[str, str]:
        """A fresh signing key's id, and the key."""
        made = await self.client.post(f"/v1/sources/{source_id}/user-keys", headers=self.admin)
        assert made.status_code == 201, made.text
        return made.json()["key_id"], made.json()["user_key"]

    async def needs_token(self, source_id: str, needs: bool = True) -> None:
        """Says whether the source's browsers' logins must be signed."""
        change = {"login_needs_token": needs}
        answer = await self.client.patch(f"/v1/sources/{source_id}", json=change, headers=self.admin)
        assert (answer.status_code, answer.json()["login_needs_token"]) == (200, needs)

    async def send(self, body: object, key: str) -> httpx.Response:
        """Posts to /v1/batch."""
        return await self.client.post("/v1/batch", json=body, auth=(key, ""))

    async def records(self, topic: str, source_id: str) -> list[Record]:
        """What stands on the topic now, of one source."""
        missing = {place: end for place, end in (await self.bus.log.ends(topic)).items() if end}
        found: list[Record] = []
        if not missing:
            return found
        async for record in self.bus.tail(topic):
            if source_id.encode() in record.value or record.key == source_id.encode():
                found.append(record)
            if record.offset + 1 >= missing.get(record.partition, 0):
                missing.pop(record.partition, None)
            if not missing:
                break
        return found


@asynccontextmanager
async def ingest_on(database: str, kafka: str, sealer: Sealer = SEALER) -> AsyncIterator[Ingest]:
    """Ingest with these addresses."""
    clock = SystemClock()
    policy = load_policy(shipped("tern_ingest", "policy.yaml"), Policy)
    vocabulary = Vocabulary(load_policy(shipped("tern_ingest", "taxonomy.yaml"), Taxonomy))
    pool = await open_pool(database, service="ingest", size=4)
    async with kafka_bus(kafka, "tern-ingest-test") as bus:
        store = Store(pool, sealer)
        keyring = Keyring(store.write_keys, clock, policy)
        tallies, counted = Tallies(policy.counting), QualityStore(pool)
        quality = Quality(tallies, vocabulary, counted, clock, policy.counting)
        gate = Gate(keyring, clock, policy, tallies)
        door = Door(keyring, bus.producer, clock, Bodies(policy), policy, gate, tallies=tallies)
        rejected = rejected_router(DeadLetters(bus, clock), door, PATHS)
        tail = tail_router(Tails(bus, clock), store.sources)
        extra = [quality_router(counted, vocabulary, clock), rejected, tail]
        app = build(door, store, Tokens(pool, clock), Probes({}), extra)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest")
        async with client:
            bearer = {"Authorization": f"Bearer {await token(pool, 'admin')}"}
            yield Ingest(client, keyring, bus, bearer, quality)
    await pool.close()


@pytest.fixture
async def ingest(database: str, kafka_bootstrap: str) -> AsyncIterator[Ingest]:
    """Ingest with everything there."""
    async with ingest_on(database, kafka_bootstrap) as found:
        await found.bus.log.create(topics.TABLE)
        await eventually(found.bus.log.shapes, 10, "the broker answers")
        yield found


@pytest.fixture
async def ingest_without_kafka(database: str) -> AsyncIterator[Ingest]:
    """Ingest that cannot reach a broker."""
    async with ingest_on(database, NOBODY_LISTENS) as found:
        yield found
