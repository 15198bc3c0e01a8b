"""An import of any length: bounded memory, no more read than acknowledged, and what is told when it breaks."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from support.waiting import eventually
from tern_ingest.importing import PATH
from unit.ingest.door import FrontDoor
from unit.ingest.uploading import LINE, Producer, Upload, importing, ndjson, pieces


async def test_memory_stays_bounded_whatever_the_size_of_the_body(door: FrontDoor) -> None:
    piece = ndjson(LINE | {"properties": {"note": "x" * 2_000}}) * 30
    producer = Producer()
    upload = Upload(pieces(piece, 1_000))
    tracemalloc.start()
    try:
        assert await upload.run(importing(door, producer)) == 200
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (upload.read, producer.count) == (len(piece) * 1_000, 30_000)
    assert upload.read > 60_000_000
    assert peak < 8_000_000
    assert door.bodies.in_flight == 0


async def test_no_more_is_read_than_what_is_acknowledged_and_one_batch(door: FrontDoor) -> None:
    piece = ndjson(LINE) * 100
    producer = Producer()
    producer.free.clear()
    upload = Upload(pieces(piece, 100))
    async with asyncio.TaskGroup() as group:
        group.create_task(upload.run(importing(door, producer)))
        await eventually(lambda: upload.read == 5 * len(piece), 5, "a batch waits for its acknowledgement")
        assert producer.count == 0
        producer.free.set()
    assert (producer.count, upload.read) == (10_000, 100 * len(piece))


@pytest.mark.parametrize("filling", [b"\n", b"\0", b"{}\n"])
async def test_a_bomb_is_harmless(door: FrontDoor, filling: bytes) -> None:
    bomb = gzip.compress(filling * (30_000_000 // len(filling)))
    tracemalloc.start()
    try:
        answer = await door.post(bomb, PATH)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000
    assert answer.status_code in (200, 422)
    assert len(door.rejected()) <= 1_000


async def test_another_file_is_ended_before_it_fills_the_rejected_topic(door: FrontDoor) -> None:
    answer = await door.post(b"a;b;c\n" * 5_000, PATH)
    assert (answer.status_code, answer.json()["code"]) == (422, "mostly-rejected")
    assert (answer.json()["rejected"], len(door.rejected())) == (1_000, 1_000)
    assert answer.json()["reasons"] == {"not-json": 1_000}


async def test_kafka_may_be_away_for_a_while(door: FrontDoor) -> None:
    producer = Producer(failing=5)
    assert await Upload(pieces(ndjson(LINE), 1)).run(importing(door, producer)) == 200
    assert producer.count == 1


async def test_when_kafka_stays_away_the_answer_says_where_to_go_on(door: FrontDoor) -> None:
    producer = Producer()

    async def two_batches() -> AsyncIterator[bytes]:
        yield ndjson(LINE) * 500
        producer.failing = 1_000
        yield ndjson(LINE) * 500

    upload = Upload(two_batches())
    assert await upload.run(importing(door, producer)) == 503
    (record,) = upload.records()
    assert (record["code"], record["line"], record["accepted"], record["done"]) == (
        "kafka-unavailable",
        500,
        500,
        False,
    )
    assert (b"retry-after", b"5") in upload.told[0]["headers"]


async def test_progress_is_told_while_it_goes_on_and_an_error_afterwards_is_the_last_record(door: FrontDoor) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            door.clock.advance(timedelta(seconds=2))
            yield ndjson(LINE) * 500
        door.store.keys = []
        await door.keyring.refresh()
        yield ndjson(LINE) * 500

    upload = Upload(slow())
    assert await upload.run(importing(door, Producer())) == 200
    assert [(record["line"], record.get("code")) for record in upload.records()] == [
        (500, None),
        (1_000, None),
        (1_500, None),
        (1_500, "unknown-write-key"),
    ]
    assert (upload.records()[-1]["done"], upload.told[-1]["more_body"]) == (False, False)


async def test_the_records_of_a_day_fit_where_nobody_reads_them(door: FrontDoor) -> None:
    async def day() -> AsyncIterator[bytes]:
        for _ in range(17_280):
            door.clock.advance(timedelta(seconds=5))
            yield ndjson(LINE)

    upload = Upload(day())
    await upload.run(importing(door, Producer(), batch_lines=1))
    assert 100 < len(upload.records()) < 500
    assert sum(len(message.get("body", b"")) for message in upload.told) < 64 * 1024


async def test_a_caller_who_hangs_up_leaves_what_was_acknowledged(door: FrontDoor) -> None:
    upload, producer = Upload(pieces(ndjson(LINE) * 600, 1)), Producer()
    upload.hangs_up = True
    assert await upload.run(importing(door, producer)) == 499
    assert (producer.count, upload.told, door.bodies.in_flight) == (500, [], 0)


async def test_a_caller_who_sends_nothing_is_waited_for_no_longer_than_a_piece_may_take(door: FrontDoor) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield ndjson(LINE)
        await asyncio.Event().wait()

    upload = Upload(silent())
    assert await upload.run(importing(door, Producer(), piece_s=0.01)) == 408


async def test_few_imports_run_at_once_so_that_live_requests_keep_their_memory(door: FrontDoor) -> None:
    producer = Producer()
    producer.free.clear()
    route = importing(door, producer, at_once=1)
    first = Upload(pieces(ndjson(LINE), 1))
    async with asyncio.TaskGroup() as group:
        group.create_task(first.run(route))
        await eventually(lambda: first.read, 5, "the first is under way")
        second = Upload(pieces(ndjson(LINE), 1))
        assert await second.run(route) == 503
        assert second.records()[0]["code"] == "too-many-imports"
        answer = await door.post({"batch": [{"type": "track", "event": "Seen", "userId": "u1"}]})
        assert answer.status_code == 200
        producer.free.set()
