"""A dead letter that is sent again is judged as it would have been when it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec import Raw

from tern_common.bus import Message
from tern_common.events import Event, HomeVersion, MembershipChange, ResolvedEvent, decode_event, encode
from tern_common.events import decode_resolved as resolved
from tern_common.topics import (
    EVENTS,
    EVENTS_BACKFILL,
    OUTCOMES,
    PROFILES,
    REJECTED,
    RESOLVED,
    RESOLVED_BACKFILL,
    triggers_topic,
)
from tern_ingest.app import PATHS
from tern_ingest.domain.decisions import Accepted, Rejected
from tern_ingest.domain.letters import Letter
from tern_ingest.domain.mending import read_mapping
from tern_ingest.domain.replaying import Replay, Terms, replay
from tern_ingest.domain.vouching import SourceRule
from unit.ingest.door import NOW, POLICY

LATER = NOW + timedelta(days=3)
EVENT = Event(
    message_id="m1", type="track", event_time=NOW, received_at=NOW, source_id="shop", name="Seen", user_id="u"
)


def again(one: Letter, *steps: str, rules: Mapping[str, SourceRule] | None = None) -> Replay:
    known = {"shop": SourceRule()} if rules is None else rules
    return replay(one, Terms(LATER, read_mapping(steps), POLICY.limits, known, PATHS))


def of_ingest(call: object, **said: Any) -> Letter:
    value = call if isinstance(call, bytes) else json.dumps(call).encode()
    usual = Letter(2, 17, value, "type-unknown", "ingest", "/v1/batch", "shop", NOW, trusted=True)
    return usual._replace(**said)


def of_consumer(topic: str, value: bytes, **said: Any) -> Letter:
    headers = (("message-id", b"m1"), ("schema", b"event"), ("mode", b"live"))
    usual = Letter(2, 17, value, "broken", "identity", f"{topic}/3/7", "shop", NOW, b"u", headers)
    return usual._replace(**said)


def event(found: Replay) -> Event:
    assert isinstance(found.outcome, Accepted)
    return found.outcome.event


def record(found: Replay) -> Message:
    assert isinstance(found.outcome, Message)
    return found.outcome


def reason(found: Replay) -> str:
    assert isinstance(found.outcome, Rejected)
    return found.outcome.reason


@pytest.mark.parametrize("body", [b'{"batch": {"type": "page"}}', b'[{"type": "page"}]', b"user=ann"])
def test_a_body_that_was_refused_as_a_whole_is_no_event(body: bytes) -> None:
    found = of_ingest(body, reason="batch-not-a-list", place="/v1/page")
    assert reason(again(found, "remove batch")) == "batch-not-a-list"


def test_a_mended_event_is_what_a_good_one_would_have_been_but_for_mode_and_the_moment_of_its_replay() -> None:
    call = {"kind": "track", "event": "Seen", "userId": "u", "messageId": "m1", "timestamp": "2026-03-01T11:00:00Z"}
    found = event(again(of_ingest(call), "rename kind type"))
    assert (found.mode, found.received_at, found.replayed_at) == ("replay", NOW, LATER)
    assert (found.message_id, found.event_time, found.source_id, found.trusted) == (
        "m1",
        NOW - timedelta(hours=1),
        "shop",
        True,
    )


def test_its_time_is_that_of_its_first_arrival_by_the_clocks_of_then() -> None:
    call = {"type": "track", "event": "Seen", "timestamp": "2026-03-01T10:00:00Z"}
    assert event(again(of_ingest(call, sent_at="2026-03-01T11:00:00+00:00"))).event_time == NOW - timedelta(hours=1)
    assert event(again(of_ingest({"type": "page"}))).event_time == NOW
    assert event(again(of_ingest({"type": "page"}, rejected_at=None))).received_at == LATER


def test_its_path_its_caller_and_its_robot_are_those_of_its_request() -> None:
    call = {"event": "Seen", "userId": "u"}
    found = event(again(of_ingest(call, place="/v1/t", address="203.0.113.7", robot=True)))
    assert (found.type, bytes(found.context), found.bot) == ("track", b'{"ip":"203.0.113.7"}', True)
    assert reason(again(of_ingest(call))) == "type-missing"


def test_an_event_without_an_id_has_the_same_one_each_time_and_another_than_its_neighbour() -> None:
    one = of_ingest({"type": "page"})
    first, second = event(again(one)), event(again(one, "default userId ann"))
    assert first.message_id == second.message_id
    assert event(again(one._replace(offset=18))).message_id != first.message_id


def test_a_line_of_history_stays_history_and_has_one_id_however_often_it_was_brought_in() -> None:
    line = of_ingest({"type": "page", "timestamp": "2020-01-01T00:00:00Z"}, place="/v1/import:70")
    found = event(again(line))
    assert (found.mode, found.event_time.year, found.replayed_at) == ("backfill", 2020, LATER)
    assert event(again(line._replace(place="/v1/import:71", offset=99))).message_id == found.message_id


def test_an_untrusted_login_counts_only_where_its_source_can_say_so() -> None:
    one = of_ingest({"type": "page", "userId": "ann"}, trusted=False)
    assert event(again(one)).user_id == "ann"
    assert event(again(one, rules={})).user_id is None
    assert event(again(one, rules={"shop": SourceRule(login_needs_token=True)})).user_id is None
    assert event(again(one._replace(trusted=True, source=None), rules={})).user_id == "ann"


def test_what_is_refused_again_says_why() -> None:
    assert reason(again(of_ingest({"type": "dance"}), "default type track")) == "type-unknown"
    assert reason(again(of_ingest(b"{no json"), "default type track")) == "event-not-json"
    assert reason(again(of_ingest(b'{"a": "\xff"}'), "default type page")) == "event-not-json"
    assert reason(again(of_ingest(b"[1]"), "default type page")) == "event-not-an-object"
    large = {"type": "page", "blob": "x" * POLICY.limits.event_bytes}
    assert reason(again(of_ingest(large))) == "event-too-large"
    assert event(again(of_ingest(large), "remove blob")).type == "page"


def test_what_only_the_tolerant_parser_reads_is_mended_as_it_reads_it() -> None:
    one = of_ingest(b'{"kind": "page", "properties": {"a": NaN}}')
    assert event(again(one, "rename kind type")).properties == Raw(b'{"a":null}')
    assert reason(again(one)) == "type-missing"


@pytest.mark.parametrize(("topic", "mode"), [(EVENTS, "replay"), (EVENTS_BACKFILL, "backfill")])
def test_what_a_consumer_rejected_goes_back_to_its_topic_with_its_key(topic: str, mode: str) -> None:
    value = encode(EVENT if topic == EVENTS else Event(**{**_members(EVENT), "mode": "backfill"}))
    headers = (("message-id", b"m1"), ("mode", b"live" if topic == EVENTS else b"backfill"))
    found = record(again(of_consumer(topic, value, headers=headers)))
    assert (found.topic, found.key) == (topic, b"u")
    assert dict(found.headers) == {"message-id": b"m1", "mode": mode.encode(), "replay-of": b"2/17"}
    stamped = decode_event(found.value)
    assert (stamped.mode, stamped.replayed_at, stamped.received_at) == (mode, LATER, NOW)


def _members(one: Event) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@pytest.mark.parametrize("topic", [RESOLVED, RESOLVED_BACKFILL])
def test_a_resolved_event_goes_back_with_its_event_stamped(topic: str) -> None:
    value = encode(ResolvedEvent(home_id="h", customer_id="c", membership_version=1, event=Raw(encode(EVENT))))
    found = record(again(of_consumer(topic, value)))
    inner = resolved(found.value)
    assert isinstance(inner, ResolvedEvent)
    assert (found.key, decode_event(inner.event).replayed_at) == (b"c", LATER)


def test_a_membership_and_a_report_go_back_as_they_are() -> None:
    change = encode(MembershipChange(customer_id="c", homes=(HomeVersion("h", 1),)))
    assert record(again(of_consumer(RESOLVED, change)))[1:3] == (b"c", change)
    assert record(again(of_consumer(OUTCOMES, b'{"a":1}')))[:3] == (OUTCOMES, b"u", b'{"a":1}')


def test_a_consumers_letter_is_mended_too() -> None:
    broken = encode(EVENT).replace(b'"type"', b'"kind"')
    assert reason(again(of_consumer(EVENTS, broken))) == "not-an-event"
    assert record(again(of_consumer(EVENTS, broken), "rename kind type")).topic == EVENTS


@pytest.mark.parametrize("topic", [PROFILES, REJECTED, triggers_topic("cart"), "nothing"])
def test_what_would_stand_in_for_something_newer_and_what_was_withdrawn_does_not_go_back(topic: str) -> None:
    assert reason(again(of_consumer(topic, b"{}"))) == "not-replayable"


def test_nothing_goes_back_without_a_key_or_twice() -> None:
    assert reason(again(of_consumer(OUTCOMES, b"{}", key=b""))) == "key-missing"
    before = (("mode", b"replay"), ("replay-of", b"2/16"))
    assert reason(again(of_consumer(EVENTS, encode(EVENT), headers=before))) == "put-back-before"
