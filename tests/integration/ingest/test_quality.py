"""What is counted of a source's events, on a real database and through the operators' door."""

from __future__ import annotations

import asyncio
import signal
from datetime import date
from typing import Any

import httpx
import pytest

from integration.ingest.conftest import Ingest
from integration.ingest.test_process import running
from support.waiting import eventually
from tern_common.db import open_pool
from tern_ingest.domain.tallies import OTHER, Counts, Key
from tern_ingest.quality_store import QualityStore

DAY = date(2026, 1, 1)


async def quality(ingest: Ingest, source_id: str) -> dict[str, Any]:
    answer = await ingest.client.get(f"/v1/sources/{source_id}/quality?days=2", headers=ingest.admin)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_source_is_told_what_is_wrong_with_what_it_sends_and_nothing_was_rejected_for_it(
    ingest: Ingest,
) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    order = {"type": "track", "event": "Order Completed", "userId": "u-1"}
    batch = [
        {**order, "properties": {"order_id": "o-1", "total": 5}},
        {**order, "properties": {"order_id": "o-2"}, "context": {"userAgent": "Googlebot/2.1"}},
        {"type": "track", "event": "Größe gewählt", "anonymousId": "a-1"},
        {"type": "track", "event": "ann@example.com Came", "anonymousId": "a-1"},
        {"type": "unheard-of"},
    ]
    assert (await ingest.send({"batch": batch}, key)).status_code == 200
    await ingest.quality.flush()
    found = await quality(ingest, source_id)
    assert (found["total"]["accepted"], found["total"]["rejected"]) == (4, 1)
    assert (found["total"]["bot_share"], found["total"]["anonymous_share"]) == (0.25, 0.5)
    assert found["rejected"] == [{"reason": "type-unknown", "count": 1}]
    assert found["known"] == [{"event": "Order Completed", "count": 2}]
    assert {(one["event"], one["count"]) for one in found["unknown"]} == {("Größe gewählt", 1), (OTHER, 1)}
    (fault,) = found["faults"]
    assert (fault["property"], fault["fault"], fault["count"], fault["checked"]) == (
        "total|revenue|value",
        "missing",
        1,
        2,
    )
    assert len(await ingest.records("tern.events.v1", source_id)) == 4


async def test_a_sources_testers_are_declared_and_their_orders_are_tests(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    path = f"/v1/sources/{source_id}"
    told = await ingest.client.patch(path, json={"testers": ["QA@example.org", "@t.example.org"]}, headers=ingest.admin)
    assert told.json()["testers"] == ["qa@example.org", "@t.example.org"]
    assert (await ingest.client.patch(path, json={"testers": ["nobody"]}, headers=ingest.admin)).status_code == 422
    order = {"type": "track", "event": "Order Completed", "properties": {"email": "x@t.example.org", "order_id": "1"}}
    await ingest.send({"batch": [order, {**order, "properties": {"order_id": "2"}}]}, key)
    await ingest.quality.flush()
    assert (await quality(ingest, source_id))["total"]["test_share"] == 0.5


async def test_the_numbers_of_several_processes_add_up_and_few_names_are_told_apart(
    ingest: Ingest, database: str
) -> None:
    source_id = await ingest.new_source()
    pool = await open_pool(database, service="ingest", size=4)
    store = QualityStore(pool)

    def counts(process: str) -> Counts:
        names = [Key(source_id, DAY, "unknown", f"{process} {letter}") for letter in "abc"]
        return {Key(source_id, DAY, "accepted"): 3, **dict.fromkeys(names, 1), Key("gone", DAY, "accepted"): 1}

    await asyncio.gather(*(store.add(counts(process), 4) for process in ("one", "two", "three")))
    found = await store.counts(source_id, DAY, DAY)
    assert found[Key(source_id, DAY, "accepted")] == 9
    unknown = {key.name: count for key, count in found.items() if key.what == "unknown"}
    assert (len(set(unknown) - {OTHER}), sum(unknown.values())) == (4, 9)
    await store.forget(date(2026, 1, 2))
    assert await store.counts(source_id, DAY, DAY) == {}
    await pool.close()


async def test_a_process_that_is_told_to_stop_has_stored_what_it_counted(
    ingest: Ingest, database: str, kafka_bootstrap: str
) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    sent = 0
    async with running(database, kafka_bootstrap) as process:
        port = await eventually(process.port, 20, "it listens")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", auth=(key, "")) as client:
            for _ in range(3):
                answer = await client.post("/v1/batch", json={"batch": [{"type": "page", "anonymousId": "a"}] * 7})
                sent += 7 * (answer.status_code == 200)
        process.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.child.wait() == 0
    assert sent > 0
    assert (await quality(ingest, source_id))["total"]["accepted"] == sent


@pytest.mark.parametrize(("path", "status"), [(f"{'0' * 32}/quality", 404), (f"{'0' * 32}/quality?days=0", 422)])
async def test_what_cannot_be_told_is_refused(ingest: Ingest, path: str, status: int) -> None:
    answer = await ingest.client.get(f"/v1/sources/{path}", headers=ingest.admin)
    assert answer.status_code == status
    assert (await ingest.client.get(f"/v1/sources/{path}")).status_code == 401
