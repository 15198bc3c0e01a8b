"""From a request to records: what is written, and that nothing else is. A memory bus stands behind the door."""

from __future__ import annotations

import json

import pytest

from tern_common.topics import EVENTS, REJECTED, TABLE
from tern_ingest.app import PATHS
from unit.ingest.door import GOOD, NOW, SERVER_KEY, FrontDoor


@pytest.mark.parametrize("path", PATHS)
async def test_success_is_200_and_says_so(door: FrontDoor, path: str) -> None:
    answer = await door.post(GOOD, path)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert answer.headers["content-type"] == "application/json"
    assert len(door.events()) == 1


async def test_an_accepted_event_is_a_stamped_record(door: FrontDoor) -> None:
    await door.post({"batch": [GOOD | {"anonymousId": "a1"}], "sentAt": NOW.isoformat()})
    (record,) = door.bus.sent(EVENTS)
    assert record.key == b"u1"
    assert [record.header(name) for name in ("message-id", "schema", "mode")] == ["m1", "event", "live"]
    event = json.loads(record.value)
    assert (event["source_id"], event["trusted"], event["received_at"]) == ("shop", True, "2026-03-01T12:00:00Z")
    assert all(not door.bus.sent(topic.name) for topic in TABLE if topic.name != EVENTS)


async def test_records_of_one_person_have_one_key(door: FrontDoor) -> None:
    anonymous = {"type": "page", "anonymousId": "a1"}
    await door.post({"batch": [GOOD, anonymous, {"type": "page", "messageId": "m3"}]})
    assert sorted(record.key for record in door.bus.sent(EVENTS)) == [b"a1", b"m3", b"u1"]


async def test_a_missing_message_id_is_made(door: FrontDoor) -> None:
    await door.post({"batch": [{"type": "page"}, {"type": "page"}]})
    ids = {event["message_id"] for event in door.events()}
    assert len(ids) == 2
    assert all(len(made) == 36 for made in ids)


async def test_the_type_comes_from_the_path_when_the_event_has_none(door: FrontDoor) -> None:
    await door.post({"userId": "u", "messageId": "m"}, "/v1/identify")
    assert door.event()["type"] == "identify"


async def test_one_bad_event_costs_the_good_ones_nothing(door: FrontDoor) -> None:
    answer = await door.post({"batch": [GOOD, {"type": "dance", "userId": "u2"}, GOOD | {"messageId": "m2"}]})
    assert answer.status_code == 200
    assert sorted(event["message_id"] for event in door.events()) == ["m1", "m2"]


async def test_a_rejected_event_keeps_its_bytes_its_reason_and_its_place(door: FrontDoor) -> None:
    await door.post(b'{"batch":[ {"type":  "dance"} ]}')
    (record,) = door.rejected()
    assert (record.key, record.value) == (b"shop", b'{"type":  "dance"}')
    headers = [record.header(name) for name in ("reason", "service", "place", "source")]
    assert headers == ["type-unknown", "ingest", "/v1/batch", "shop"]
    assert door.events() == []


async def test_no_secret_is_passed_on(door: FrontDoor) -> None:
    secret = {"writeKey": SERVER_KEY, "context": {"user_token": "eyJ", "ip": "10.0.0.1"}}
    await door.post({"batch": [GOOD | secret, {"type": "dance"} | secret], "writeKey": SERVER_KEY})
    sent = door.bus.sent(EVENTS) + door.bus.sent(REJECTED)
    assert len(sent) == 2
    assert not [record for record in sent if b"secret-one" in record.value or b"eyJ" in record.value]
    assert door.event()["context"] == {"ip": "10.0.0.1"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
async def test_other_methods_are_405(door: FrontDoor, method: str) -> None:
    answer = await door.client.request(method, "/v1/track")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
