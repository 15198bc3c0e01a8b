"""Broker or database away, hung, or out of space, on a stack of this module's own: what is answered, and what is kept.

A file that may grow no further is to the broker what a full disk is: the write fails, and it gives up its folder.
"""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from integration.ingest.conftest import Ingest, ingest_on
from integration.ingest.test_process import running as serving
from support import databases
from support.backing import quiet
from support.processes import frozen
from support.running import running
from support.steady import Answer, Steady, steady
from support.waiting import eventually
from tern_common import topics
from tern_local.folder import Folder
from tern_local.stack import Stack, open_stack

EVERY_S = 0.02
GROWS_BYTES = 64 * 1024


@dataclass
class Place:
    """A stack, and ingest on it: its inside, and where a process of it listens."""

    stack: Stack
    ingest: Ingest
    url: str
    key: str

    @asynccontextmanager
    async def sending(self, padding: int = 0) -> AsyncIterator[Steady]:
        """A shop sends while the block runs; then all that was acknowledged must be on Kafka."""
        async with steady(self.url, self.key, EVERY_S, padding) as shop:
            yield shop
        assert await shop.lost(self.ingest.bus) == set()

    async def ask(self, key: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            return await http.post("/v1/page", json={"anonymousId": "a"}, auth=(key, ""))


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """Its broker and its database may be taken away."""
    async with (
        Folder(tmp_path_factory.mktemp("away")) as folder,
        open_stack(folder, quiet, fast=True) as stack,
        databases.database(stack.postgres.address) as url,
    ):
        await databases.migrated(url)
        async with ingest_on(url, stack.kafka.address) as ingest, serving(url, stack.kafka.address) as process:
            await ingest.bus.log.create(topics.TABLE)
            _, key = await ingest.new_key(await ingest.new_source())
            port = await eventually(process.port, 20, "it listens")
            yield Place(stack, ingest, f"http://127.0.0.1:{port}", key)


def are_to_be_sent_again(answers: list[Answer]) -> bool:
    return all(answer.code == "kafka-unavailable" and int(answer.retry_after) > 0 for answer in answers)


async def test_while_the_broker_hangs_the_answer_is_503_and_nothing_acknowledged_is_lost(place: Place) -> None:
    async with place.sending() as shop:
        with frozen(place.stack.supervisor.pids()["kafka"]):
            refused = [answer for answer in await shop.hears(503) if answer.status != 200]
        await shop.hears(200)
    assert are_to_be_sent_again(refused)


async def test_a_broker_without_space_gives_up_and_nothing_acknowledged_is_lost_when_it_has_space_again(
    place: Place,
) -> None:
    supervisor, pid = place.stack.supervisor, place.stack.supervisor.pids()["kafka"]
    sizes = (log.stat().st_size for log in (place.stack.folder / "kafka").rglob("*.log"))
    full = max(sizes) + GROWS_BYTES
    async with place.sending(padding=8_000) as shop, running(supervisor.keep(place.stack.kafka)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, full))
        refused = [answer for answer in await shop.hears(503) if answer.status != 200]
        await eventually(lambda: supervisor.pids()["kafka"] != pid, 30, "the broker gives up and is started again")
        await shop.hears(200)
    assert are_to_be_sent_again(refused)
    assert "log dirs" in (place.stack.folder / "logs" / "kafka.log").read_text()


async def test_without_the_database_known_keys_are_good_and_others_are_503_never_401(place: Place) -> None:
    async with place.sending() as shop:
        await place.stack.supervisor.rest("postgres")
        answers = [*await shop.hears(200, times=50)]
        unknown, wrong = await place.ask("wk_nobody_x"), await place.ask(f"{place.key}x")
        await place.stack.supervisor.wake(place.stack.postgres)
        assert {answer.status for answer in answers} == {200}
        assert (unknown.status_code, unknown.json()["code"]) == (503, "write-keys-unavailable")
        assert int(unknown.headers["retry-after"]) > 0
        assert wrong.status_code == 401

        async def is_known_to_be_none() -> bool:
            return (await place.ask("wk_nobody_x")).status_code == 401

        await eventually(is_known_to_be_none, 20, "the database is asked again")
