"""A service never starts on topics that would lose or misplace what it writes: it ends and says what to do."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from support.backing import quiet
from tern_common.kafka import kafka_bus
from tern_common.topics import (
    EVENTS,
    EVENTS_BACKFILL,
    PROFILES,
    REJECTED,
    RESOLVED,
    RESOLVED_BACKFILL,
    TABLE,
    Topic,
)
from tern_local.folder import Folder
from tern_local.stack import open_stack

NEEDED = {
    "ingest": {EVENTS, REJECTED},
    "identity": {EVENTS, EVENTS_BACKFILL, RESOLVED, RESOLVED_BACKFILL},
    "profile": {RESOLVED, RESOLVED_BACKFILL, PROFILES},
    "triggers": {RESOLVED, RESOLVED_BACKFILL, PROFILES, "tern.triggers.cart.v1"},
}
WRONG = {
    EVENTS: replace(TABLE[0], partitions=2),
    PROFILES: replace(next(topic for topic in TABLE if topic.name == PROFILES), config={"cleanup.policy": "delete"}),
}


@pytest.fixture(scope="module")
async def empty_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    """Settings of services on a broker of their own, which has no topics at all."""
    async with Folder(tmp_path_factory.mktemp("empty")) as folder, open_stack(folder, quiet, fast=True) as stack:
        yield {
            "TERN_DATABASE_URL": stack.postgres.address,
            "TERN_KAFKA_BOOTSTRAP": stack.kafka.address,
            "TERN_HTTP_PORT": "0",
            "TERN_HASH_KEY": "0" * 32,
            "TERN_SEALING_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
        }


async def last_words(service: str, settings: dict[str, str]) -> tuple[int | None, dict[str, Any]]:
    """How `python -m tern_<service>` ends: its status and its last log line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tern_{service}",
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = [json.loads(line) for line in printed.splitlines() if line.startswith(b"{")]
    return process.returncode, dict(said[-1])


async def test_no_service_starts_without_its_topics_and_each_says_how_they_are_made(
    empty_stack: dict[str, str],
) -> None:
    endings = await asyncio.gather(*(last_words(service, empty_stack) for service in NEEDED))
    for (status, line), topics in zip(endings, NEEDED.values(), strict=True):
        assert status == 1
        assert line["message"] == "cannot start"
        assert all(f"topic {topic} is missing: run `tern topics create`" in line["why"] for topic in topics)


async def test_a_topic_of_another_shape_is_named_with_what_is_wrong(empty_stack: dict[str, str]) -> None:
    topics: list[Topic] = [WRONG.get(topic.name, topic) for topic in TABLE]
    async with kafka_bus(empty_stack["TERN_KAFKA_BOOTSTRAP"], "test") as bus:
        await bus.log.create(topics)
    ingest, profile = await asyncio.gather(last_words("ingest", empty_stack), last_words("profile", empty_stack))
    assert ingest[0] == profile[0] == 1
    assert ingest[1]["why"] == f"topic {EVENTS} has 2 partitions, needs 8: run `tern topics grow`"
    assert profile[1]["why"] == f"topic {PROFILES} has cleanup.policy=delete, needs compact: alter it"
