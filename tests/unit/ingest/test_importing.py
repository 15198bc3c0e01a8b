"""`POST /v1/import`: history in, line by line, and what its bringer is told."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tern_common.events import decode_event
from tern_common.topics import EVENTS_BACKFILL
from tern_ingest.importing import PATH
from unit.ingest.door import BROWSER_KEY, NOW, SERVER_KEY, FrontDoor
from unit.ingest.uploading import LINE, OLD, bring, ndjson, stored


async def test_history_goes_to_the_backfill_topic_and_never_to_the_live_one(door: FrontDoor) -> None:
    (report,) = await bring(door, ndjson(LINE | {"messageId": "m1"}, LINE | {"messageId": "m2"}))
    assert report == {"line": 2, "accepted": 2, "rejected": 0, "reasons": {}, "samples": [], "done": True}
    assert [(event["message_id"], event["mode"]) for event in stored(door)] == [("m1", "backfill"), ("m2", "backfill")]
    record = door.bus.sent(EVENTS_BACKFILL)[0]
    assert (record.key, record.header("mode"), record.header("message-id")) == (b"u1", "backfill", "m1")


async def test_event_time_is_what_the_line_says_however_old_and_whatever_its_clock_said(door: FrontDoor) -> None:
    await bring(door, ndjson(LINE | {"sentAt": "2019-03-01T12:30:00Z"}, {**LINE, "timestamp": None, "sentAt": OLD}))
    assert [datetime.fromisoformat(event["event_time"]) for event in stored(door)] == [
        datetime(2019, 3, 1, 12, tzinfo=UTC)
    ] * 2
    assert all(decode_event(json.dumps(event).encode()).received_at == NOW for event in stored(door))


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (None, "timestamp-missing"),
        ("soon", "timestamp-unreadable"),
        ((NOW + timedelta(minutes=6)).isoformat(), "timestamp-in-the-future"),
        ("1969-12-31T00:00:00Z", "timestamp-too-old"),
    ],
)
async def test_a_time_that_cannot_be_history_is_rejected(door: FrontDoor, time: str | None, reason: str) -> None:
    (report,) = await bring(door, ndjson(LINE | {"timestamp": time}))
    assert report["reasons"] == {reason: 1}


async def test_a_line_has_the_same_id_whenever_it_is_imported(door: FrontDoor) -> None:
    other = LINE | {"event": "Order Refunded"}
    await bring(door, ndjson(LINE, other))
    await bring(door, b"\xef\xbb\xbf" + ndjson(LINE).strip() + b"\r\n" + ndjson(other))
    first, second, again, second_again = [event["message_id"] for event in stored(door)]
    assert (first, second) == (again, second_again)
    assert first != second


async def test_two_equal_lines_are_one_event_and_of_two_sources_two(door: FrontDoor) -> None:
    await bring(door, ndjson(LINE, LINE))
    door.store.keys = [key._replace(source_id="other") for key in door.store.keys]
    await door.keyring.refresh()
    await bring(door, ndjson(LINE))
    one, same, other = [event["message_id"] for event in stored(door)]
    assert one == same
    assert one != other


async def test_refused_lines_are_kept_with_reason_bytes_and_place(door: FrontDoor) -> None:
    large = LINE | {"properties": {"note": "x" * 40_000}}
    body = ndjson(LINE, b"not json\n", {"type": "dance"}, b"\n", large, {"batch": [LINE, LINE]}, LINE)
    (report,) = await bring(door, body)
    assert (report["line"], report["accepted"], report["rejected"]) == (7, 2, 4)
    assert report["samples"] == [
        {"line": 2, "reason": "not-json"},
        {"line": 3, "reason": "type-unknown"},
        {"line": 5, "reason": "event-too-large"},
        {"line": 6, "reason": "line-not-one-event"},
    ]
    kept = {record.header("place"): record for record in door.rejected()}
    assert kept["/v1/import:2"].value == b"not json"
    assert json.loads(kept["/v1/import:5"].value) == large
    assert {record.header("source") for record in kept.values()} == {"shop"}
    assert kept["/v1/import:6"].header("reason") == "line-not-one-event"


async def test_a_line_longer_than_any_event_is_rejected_by_its_beginning(door: FrontDoor) -> None:
    longest = door.policy.imports.line_bytes
    (report,) = await bring(door, b'{"a":"' + b"x" * (longest + 1) + b'"}\n' + ndjson(LINE))
    assert (report["reasons"], report["accepted"]) == ({"line-too-long": 1}, 1)
    assert len(door.rejected()[0].value) == longest


async def test_secrets_do_not_leave_with_a_line(door: FrontDoor) -> None:
    await bring(door, ndjson(LINE | {"properties": {"writeKey": SERVER_KEY}}, {"writeKey": SERVER_KEY}))
    assert all(
        SERVER_KEY.encode() not in record.value for record in (*door.bus.sent(EVENTS_BACKFILL), *door.rejected())
    )


async def test_samples_are_few_whatever_is_wrong(door: FrontDoor) -> None:
    (report,) = await bring(door, ndjson(*[LINE] * 200, *[{}] * 100))
    assert report["reasons"] == {"type-missing": 100}
    assert [sample["line"] for sample in report["samples"]] == [201, 202, 203, 204, 205]


async def test_each_rejected_line_is_named_where_that_is_asked_for(door: FrontDoor) -> None:
    body = ndjson(*[LINE] * 600, *[{}] * 10, b"oops\n")
    *named, report = await bring(door, body, "?each_rejected=true&dry_run=1")
    assert named == [{"line": n, "reason": "type-missing"} for n in range(601, 611)] + [
        {"line": 611, "reason": "not-json"}
    ]
    assert (report["line"], report["accepted"], report["rejected"], report["done"]) == (611, 600, 11, True)


async def test_lines_before_the_one_to_begin_with_are_passed_over(door: FrontDoor) -> None:
    lines = [LINE | {"messageId": f"m{n}"} for n in range(1, 6)]
    (report,) = await bring(door, ndjson(*lines), "?from_line=4")
    assert (report["line"], report["accepted"]) == (5, 2)
    assert [event["message_id"] for event in stored(door)] == ["m4", "m5"]
    (report,) = await bring(door, ndjson(b"bad\n", *lines[4:]), "?first_line=7000001")
    assert (report["line"], report["samples"]) == (7_000_002, [{"line": 7_000_001, "reason": "not-json"}])
    assert door.rejected()[0].header("place") == "/v1/import:7000001"


async def test_a_dry_run_says_the_same_and_stores_nothing(door: FrontDoor) -> None:
    (report,) = await bring(door, ndjson(LINE, {}), "?dry_run=true")
    assert (report["accepted"], report["reasons"], report["dry_run"]) == (1, {"type-missing": 1}, True)
    assert (stored(door), door.rejected()) == ([], [])


@pytest.mark.parametrize("query", ["from_line=0", "from_line=x", "first_line=-1", "from_line=" + "9" * 16])
async def test_a_number_that_is_no_lines_is_refused(door: FrontDoor, query: str) -> None:
    answer = await door.post(ndjson(LINE), f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-line-number")


async def test_gzip_is_welcome_and_what_is_cut_off_is_stored_as_far_as_it_goes(door: FrontDoor) -> None:
    packed = gzip.compress(ndjson(*[LINE | {"messageId": f"m{n}"} for n in range(1_000)]))
    (report,) = await bring(door, packed)
    assert report["accepted"] == 1_000
    answer = await door.post(packed[:-20], PATH)
    assert (answer.status_code, answer.json()["code"]) == (400, "gzip-cut-off")
    assert 0 < answer.json()["line"] <= 1_000
    assert len(stored(door)) == 1_000 + answer.json()["accepted"]
    assert (await door.post(b"x", PATH, headers={"Content-Encoding": "br"})).status_code == 415


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "write-key-missing"),
        ("wk_k1_wrong", 401, "unknown-write-key"),
        (BROWSER_KEY, 403, "server-key-needed"),
    ],
)
async def test_only_a_server_key_brings_in_history(door: FrontDoor, key: str | None, status: int, code: str) -> None:
    answer = await door.post(ndjson(LINE), PATH, key)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert stored(door) == []


async def test_other_methods_are_answered_as_on_every_tracking_path(door: FrontDoor) -> None:
    assert (await door.client.get(PATH)).status_code == 405
    asked = await door.client.options(PATH, headers={"Origin": "https://shop.example"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://shop.example")


async def test_an_imports_answer_is_lines_of_json(door: FrontDoor) -> None:
    answer: httpx.Response = await door.post(ndjson(LINE), PATH)
    assert answer.headers["content-type"] == "application/x-ndjson"
