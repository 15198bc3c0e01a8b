"""From a request to records: what is written, and that nothing else is. A memory bus stands behind the door."""

from __future__ import annotations

import json

import pytest

from tern_common.topics import EVENTS, REJECTED, TABLE
from tern_ingest.app import PATHS
from tern_ingest.callers import Callers
from tern_ingest.domain.addresses import networks
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


TYPED = {"track": "t", "identify": "i", "page": "p", "screen": "s", "group": "g", "alias": "a"}


@pytest.mark.parametrize("prefix", ["/v1/", "/api/s/", "/api/s/s2s/"])
@pytest.mark.parametrize("name", [*TYPED, *TYPED.values()])
async def test_every_type_has_a_path_with_its_name_and_with_its_letter(door: FrontDoor, prefix: str, name: str) -> None:
    await door.post({"userId": "u", "event": "Seen"}, prefix + name)
    assert door.event()["type"] == next(kind for kind in TYPED if name in (kind, TYPED[kind]))


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_a_type_in_the_event_wins_over_the_paths(door: FrontDoor, path: str) -> None:
    await door.post({"batch": [{"type": "screen", "userId": "u"}]}, path)
    assert door.event()["type"] == "screen"


@pytest.mark.parametrize("path", ["/v1/track/", "//v1/track", "/v1//track//", "//api/s/track", "/api/s/s2s/batch/"])
async def test_a_path_with_too_many_slashes_is_what_was_meant_and_never_redirects(door: FrontDoor, path: str) -> None:
    answer = await door.client.post(f"http://ingest{path}", json=GOOD, auth=(SERVER_KEY, ""), follow_redirects=False)
    assert answer.status_code == 200
    assert len(door.events()) == 1


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/tracks", "/v1/e", "/api/s", "/api/s/dance", "/v1/projects", "/beacon"]
)
async def test_any_other_path_is_404_and_never_a_redirect(door: FrontDoor, path: str) -> None:
    assert (await door.post(GOOD, path)).status_code == 404


async def test_the_callers_address_goes_on_the_event_as_far_as_the_page_wants(door: FrontDoor) -> None:
    for policy in ("keep", "stripLastOctet", "remove"):
        await door.post(GOOD, headers={"X-IP-Policy": policy})
    assert [event.get("context") for event in door.events()] == [{"ip": "127.0.0.1"}, {"ip": "127.0.0.0"}, None]


async def test_the_address_is_the_contexts_else_the_peers_or_a_trusted_proxys_word(door: FrontDoor) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7"}
    await door.post(GOOD | {"context": {"ip": "192.0.2.1"}}, headers=forwarded)
    await door.post(GOOD, headers=forwarded)
    door.serve(callers=Callers(networks("127.0.0.0/8")))
    await door.post(GOOD, headers=forwarded)
    assert [event["context"]["ip"] for event in door.events()] == ["192.0.2.1", "127.0.0.1", "203.0.113.7"]


async def test_consent_is_kept_and_passed_on(door: FrontDoor) -> None:
    consent = {"categoryPreferences": {"marketing": False, "analytics": True}}
    await door.post(GOOD | {"context": {"consent": consent}})
    assert door.event()["context"]["consent"] == consent


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
async def test_other_methods_are_405(door: FrontDoor, method: str) -> None:
    answer = await door.client.request(method, "/v1/track")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
