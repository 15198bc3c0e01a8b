"""A rejected record says all that is needed to judge its event again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tern_common.bus import Record
from tern_common.clock import ManualClock
from tern_common.errors import Transient
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED
from tern_ingest.domain.letters import BODY_REASONS, Letter, Wanted, letter
from tern_ingest.domain.tallies import Key
from unit.ingest.door import BROWSER_KEY, NOW, SERVER_KEY, VOCABULARY, FrontDoor

CONSUMERS = Letter(0, 1, b"", "not-an-event", "identity", "tern.events.v1/3/7", "shop", NOW)


async def test_what_ingest_rejects_says_what_it_knew_of_the_request(door: FrontDoor) -> None:
    sent = datetime(2026, 3, 1, 11, 59, tzinfo=UTC)
    await door.post({"batch": [{"type": "dance"}], "sentAt": sent.isoformat()})
    (record,) = door.rejected()
    assert letter(record) == Letter(
        record.partition,
        record.offset,
        b'{"type": "dance"}',
        "type-unknown",
        "ingest",
        "/v1/batch",
        "shop",
        NOW,
        trusted=True,
        sent_at=sent.isoformat(),
        address="127.0.0.1",
    )


async def test_a_browsers_event_is_not_trusted_afterwards_and_a_robots_is_one(door: FrontDoor) -> None:
    await door.post({"type": "dance"}, key=BROWSER_KEY, headers={"User-Agent": "Googlebot/2.1"})
    found = letter(*door.rejected())
    assert (found.trusted, found.robot, found.sent_at) == (False, True, None)


async def test_what_a_consumer_rejects_keeps_its_key_and_its_headers() -> None:
    bus, own = MemoryBus(), (("mode", b"live"), ("source", b"not ours"))
    record = Record(EVENTS, 3, 7, b"ann", b"junk", own)
    await Rejecting(bus.producer, "identity", ManualClock(NOW)).reject([record], "not-an-event")
    found = letter(*bus.sent(REJECTED))
    assert (found.key, found.headers, found.place, found.source) == (b"ann", own, f"{EVENTS}/3/7", None)
    assert (found.rejected_at, found.trusted) == (NOW, False)


NO_REQUESTS = {
    b'{"batch": [{"type": "page"}': "not-json",
    b"\xff": "not-utf-8",
    b'{"batch": 7}': "batch-not-a-list",
    b'{"batch":[{"a":' + b"[" * 20_000 + b"0" + b"]" * 20_000 + b"}]}": "too-deep",
    b"{" + b",".join(b'"%d":NaN' % n for n in range(1_001)) + b"}": "too-many-members",
    b'{"batch":[{},{},{},{}]}': "too-many-events",
}


async def test_a_body_that_is_no_request_is_kept_whole_with_reason_source_and_place() -> None:
    door = FrontDoor(batch_events=3)
    for body, reason in NO_REQUESTS.items():
        answer = await door.post(body, "/v1/track", headers={"X-IP-Policy": "remove"})
        assert (answer.status_code, answer.json()["code"]) == (413 if reason == "too-many-events" else 400, reason)
        found = letter(door.rejected()[-1])
        assert found == Letter(
            found.partition, found.offset, body, reason, "ingest", "/v1/track", "shop", NOW, trusted=True
        )
        assert found.is_whole_body
    assert set(NO_REQUESTS.values()) == BODY_REASONS
    assert door.events() == []


async def test_a_body_is_kept_before_it_is_refused_and_without_its_secrets(door: FrontDoor) -> None:
    body = b'{"writeKey": "%s", "batch": [' % SERVER_KEY.encode()
    await door.post(body)
    assert door.rejected()[0].value == b'{"writeKey": "", "batch": ['
    door.bus.fail_with(Transient("gone"))
    assert (await door.post(body)).status_code == 503


async def test_of_an_empty_body_and_of_a_bomb_nothing_is_kept_but_their_number() -> None:
    door = FrontDoor(kept_bytes=100)
    for body in (b"", b"?" * 101):
        assert (await door.post(body)).status_code == 400
    assert door.rejected() == []
    assert door.tallies.take(VOCABULARY).counts == {Key("shop", NOW.date(), "refused", how="not-json"): 2}


async def test_of_an_unknown_caller_no_body_is_kept(door: FrontDoor) -> None:
    for key in (None, "wk_k1_wrong"):
        assert (await door.post(b"{", key=key)).status_code in (400, 401)
    assert door.rejected() == []


def test_a_record_without_any_header_is_a_letter_about_which_nothing_is_known() -> None:
    assert letter(Record(REJECTED, 1, 2, b"k", b"v")) == Letter(1, 2, b"v", "", "", "", None, None)


@pytest.mark.parametrize(
    ("one", "origin"),
    [
        (CONSUMERS, "tern.events.v1"),
        (CONSUMERS._replace(service="ingest", place="/v1/track"), "/v1/track"),
        (CONSUMERS._replace(service="ingest", place="/v1/import:70"), "/v1/import"),
    ],
)
def test_letters_come_from_a_path_or_a_topic(one: Letter, origin: str) -> None:
    assert (one.origin, one.at) == (origin, "0/1")


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), True),
        (Wanted("shop", "not-an-event", "identity", "tern.events.v1/3/7", NOW), True),
        (Wanted(place="tern.events.v1"), True),
        (Wanted(place="tern.events"), False),
        (Wanted(source="other"), False),
        (Wanted(reason="other"), False),
        (Wanted(service="other"), False),
        (Wanted(since=NOW + timedelta(seconds=1)), False),
    ],
)
def test_a_letter_is_wanted_when_all_that_is_asked_is_true(wanted: Wanted, taken: bool) -> None:
    assert wanted.takes(CONSUMERS) is taken


def test_what_does_not_say_when_is_of_no_known_time() -> None:
    assert not Wanted(since=NOW).takes(CONSUMERS._replace(rejected_at=None))
