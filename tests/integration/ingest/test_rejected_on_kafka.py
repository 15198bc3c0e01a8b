"""Rejected events of ingest and of consumers, listed and sent again on a real broker."""

from __future__ import annotations

import json

from integration.ingest.conftest import Ingest
from support.names import unique
from tern_common.bus import Record
from tern_common.events import Event, encode
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS

EVENTS_SENT = 1_200


async def replayed(ingest: Ingest, source_id: str, mapping: list[str]) -> tuple[int, int]:
    """What was accepted, and of how many pages."""
    order: dict[str, object] = {"where": {"source": source_id}, "mapping": mapping, "dry_run": False}
    accepted, pages = 0, 0
    while pages == 0 or order["cursor"]:
        answer = await ingest.client.post("/v1/rejected/replay", json=order, headers=ingest.admin)
        assert answer.status_code == 200, answer.text
        accepted, pages = accepted + answer.json()["accepted"], pages + 1
        order["cursor"] = answer.json()["next"]
    return accepted, pages


async def test_what_ingest_rejected_is_sent_again_page_by_page_each_event_once(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    events = [
        {"kind": "track", "event": "Seen", "userId": f"u{n}", "messageId": unique("m")} for n in range(EVENTS_SENT)
    ]
    assert (await ingest.send({"batch": events}, key)).status_code == 200
    assert await ingest.records(EVENTS, source_id) == []

    listed = (await ingest.client.get("/v1/rejected", params={"source": source_id}, headers=ingest.admin)).json()
    assert [(group["reason"], group["count"]) for group in listed["groups"]] == [("type-missing", EVENTS_SENT)]
    accepted, pages = await replayed(ingest, source_id, ["rename kind type"])
    assert (accepted, pages > 1) == (EVENTS_SENT, True)
    found = [json.loads(record.value) for record in await ingest.records(EVENTS, source_id)]
    assert sorted(event["message_id"] for event in found) == sorted(event["messageId"] for event in events)


async def test_what_a_consumer_rejected_goes_back_to_its_topic_under_its_key(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    noon = ingest.keyring._clock.now()
    event = Event(message_id="m", type="page", event_time=noon, received_at=noon, source_id=source_id, user_id="ann")
    lost = Record(EVENTS, 0, 7, b"ann", encode(event), (("message-id", b"m"), ("mode", b"live")))
    await Rejecting(ingest.bus.producer, "identity").reject([lost], "broken")

    assert await replayed(ingest, source_id, []) == (1, 1)
    (back,) = await ingest.records(EVENTS, source_id)
    assert (back.key, back.header("mode"), back.header("message-id")) == (b"ann", "replay", "m")
