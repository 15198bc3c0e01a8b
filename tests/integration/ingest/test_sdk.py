"""Segment's own Python package, unmodified, pointed at a running ingest: plain and gzipped."""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from segment.analytics.client import Client

from integration.ingest.conftest import Ingest
from integration.ingest.test_process import running
from support.waiting import eventually
from tern_common.topics import EVENTS

SENT = 250


@contextmanager
def client(write_key: str, port: object, *, packed: bool) -> Iterator[tuple[Client, list[Exception]]]:
    """The package's client, and what it complained of."""
    wrong: list[Exception] = []
    made = Client(
        write_key,
        host=f"http://127.0.0.1:{port}",
        gzip=packed,
        on_error=lambda error, _: wrong.append(error),
        timeout=10,
    )
    atexit.unregister(made.join)
    try:
        yield made, wrong
    finally:
        for consumer in made.consumers:
            consumer.pause()


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
async def test_segments_package_delivers(ingest: Ingest, database: str, kafka_bootstrap: str, packed: bool) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    async with running(database, kafka_bootstrap) as process:
        port = await eventually(process.port, 20, "it listens")
        with client(key, port, packed=packed) as (sdk, wrong):
            sdk.identify("ann-1", traits={"email": "ann@example.com"})
            for n in range(SENT):
                sdk.track("ann-1", "Product Viewed", {"product_id": f"p{n}", "name": "Tee ☕"}, anonymous_id="a1")
            await eventually(lambda: wrong or not sdk.queue.unfinished_tasks, 30, "everything is answered")
            assert wrong == []
    events = [json.loads(record.value) for record in await ingest.records(EVENTS, source_id)]
    assert sorted(event["type"] for event in events) == ["identify"] + ["track"] * SENT
    assert {event["properties"]["product_id"] for event in events if event["type"] == "track"} == {
        f"p{n}" for n in range(SENT)
    }
    assert all(event["user_id"] == "ann-1" for event in events)
