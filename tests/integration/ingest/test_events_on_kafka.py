"""200 means that Kafka has it: read back from a real broker."""

from __future__ import annotations

import json
from time import monotonic

from integration.ingest.conftest import Ingest
from tern_common.topics import EVENTS, REJECTED

EVENT = {"type": "track", "event": "Seen", "userId": "ann", "messageId": "m1"}


async def test_what_is_answered_200_is_on_the_topic(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    for n in range(20):
        answer = await ingest.send({"batch": [EVENT | {"messageId": f"m{n}"}]}, key)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    records = await ingest.records(EVENTS, source_id)
    assert sorted(record.header("message-id") or "" for record in records) == sorted(f"m{n}" for n in range(20))
    assert len({record.partition for record in records}) == 1
    assert all(json.loads(record.value)["trusted"] for record in records)


async def test_a_rejected_event_is_on_the_rejected_topic_with_its_bytes(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    large = {"type": "track", "event": "x", "properties": {"a": "x" * 7_000_000}}
    answer = await ingest.send({"batch": [EVENT, {"type": "dance", "n": 1.50}, large]}, key)
    assert answer.status_code == 200
    assert len(await ingest.records(EVENTS, source_id)) == 1
    rejected = {record.header("reason"): record for record in await ingest.records(REJECTED, source_id)}
    assert set(rejected) == {"type-unknown", "event-too-large"}
    assert json.loads(rejected["event-too-large"].value) == large
    assert json.loads(rejected["type-unknown"].value) == {"type": "dance", "n": 1.5}


async def test_without_kafka_the_answer_is_503_and_soon(ingest_without_kafka: Ingest) -> None:
    """How soon is `test_outages`' to hold: here the machine may be busy."""
    _, key = await ingest_without_kafka.new_key(await ingest_without_kafka.new_source())
    begun = monotonic()
    answer = await ingest_without_kafka.send({"batch": [EVENT]}, key)
    assert monotonic() - begun < 5
    assert (answer.status_code, answer.json()["code"]) == (503, "kafka-unavailable")
    assert int(answer.headers["retry-after"]) > 0
