"""A rejected record says all that is needed to judge its event again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tern_common.bus import Record
from tern_common.clock import ManualClock
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, REJECTED
from tern_ingest.domain.letters import Letter, Wanted, letter
from unit.ingest.door import BROWSER_KEY, NOW, FrontDoor

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


@pytest.mark.parametrize("body", [b'{"batch": [{"type": "page"}', b"\xff", b"[1]", b'{"batch": 7}'])
async def test_a_body_that_cannot_be_taken_apart_is_the_callers_still_and_nothing_of_it_is_stored(
    door: FrontDoor, body: bytes
) -> None:
    assert (await door.post(body)).status_code == 400
    assert (door.rejected(), door.events()) == ([], [])


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
