"""What a call means, and when it is none (ingest.md, Normalise)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from tern_common.events import Event
from tern_common.identifiers import Identifier, identifiers_of
from tern_ingest.domain import calls, decisions, tolerant
from tern_ingest.domain.decisions import TYPES, Accepted, Decision, Rejected, Stamp, record_key
from unit.ingest.door import NOW, POLICY

STAMP = Stamp("shop", trusted=True, received_at=NOW)


def ids() -> Iterator[str]:
    return (f"made-{n}" for n in count())


def decide(body: object, stamp: Stamp = STAMP) -> list[Decision]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    parsed = calls.parse(data, POLICY.limits) or tolerant.parse(data, POLICY.limits)
    return decisions.decide(parsed, stamp, ids())


def accepted(stamp: Stamp = STAMP, **fields: Any) -> Event:
    (decision,) = decide({"type": "track", "event": "Seen"} | fields, stamp)
    assert isinstance(decision, Accepted), decision
    return decision.event


def reason(**fields: Any) -> str:
    (decision,) = decide({"type": "track", "event": "Seen"} | fields)
    assert isinstance(decision, Rejected), decision
    return decision.reason


def test_an_event_is_stamped_with_source_trust_and_time() -> None:
    event = accepted()
    assert (event.source_id, event.trusted, event.received_at, event.event_time) == ("shop", True, NOW, NOW)
    assert event.mode == "live"
    assert not accepted(STAMP._replace(trusted=False)).trusted


def test_late_can_be_told_from_the_event() -> None:
    assert accepted(timestamp=(NOW - timedelta(hours=5)).isoformat()).late
    assert not accepted(timestamp=(NOW - timedelta(hours=3)).isoformat()).late


@pytest.mark.parametrize("none", [None, ""])
def test_absent_null_and_empty_ids_are_none(none: str | None) -> None:
    event = accepted(userId=none, anonymousId=none, previousId=none, groupId=none, messageId=none)
    assert [event.user_id, event.anonymous_id, event.previous_id, event.group_id] == [None] * 4
    assert event.message_id == "made-0"


@pytest.mark.parametrize(
    ("said", "text"),
    [(7, "7"), (7.0, "7"), (-0.0, "0"), (1.5, "1.5"), (2**70, str(2**70)), (1e300, "1e+300"), ("7", "7")],
)
def test_numbers_become_strings_as_javascript_prints_them(said: object, text: str) -> None:
    event = accepted(userId=said, anonymousId=said, groupId=said, messageId=said)
    assert [event.user_id, event.anonymous_id, event.group_id, event.message_id] == [text] * 4


def test_what_a_product_costs_is_said_by_trusted_sources_only() -> None:
    """With a browser's key anybody could have everybody told of a price."""
    said: dict[str, Any] = {"type": "track", "event": " product UPDATED ", "properties": {"product_id": "p"}}
    assert accepted(**said).name == said["event"]
    (decision,) = decide(said, STAMP._replace(trusted=False))
    assert decision == Rejected("product-event-untrusted", json.dumps(said).encode())
    assert accepted(STAMP._replace(trusted=False), event="Product Viewed").name == "Product Viewed"


@pytest.mark.parametrize("wrong", [True, False, [], ["u"], {}, {"id": 1}])
@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("userId", "user-id-not-text"),
        ("anonymousId", "anonymous-id-not-text"),
        ("previousId", "previous-id-not-text"),
        ("groupId", "group-id-not-text"),
        ("messageId", "message-id-not-text"),
        ("event", "event-name-not-text"),
        ("type", "type-unknown"),
        ("timestamp", "timestamp-unreadable"),
    ],
)
def test_a_wrong_type_is_rejected(field: str, why: str, wrong: object) -> None:
    assert reason(**{field: wrong}) == why


@pytest.mark.parametrize("part", ["context", "traits", "properties", "integrations"])
def test_free_form_parts_are_objects(part: str) -> None:
    wrong: list[object] = [5, "x", [], True]
    assert {reason(**{part: value}) for value in wrong} == {f"{part}-not-an-object"}
    assert bytes(getattr(accepted(STAMP, **{part: None}), part)) == b"{}"
    assert bytes(getattr(accepted(STAMP, **{part: {"a": 1}}), part)) == b'{"a": 1}'


def test_a_message_id_has_at_most_a_hundred_characters() -> None:
    assert accepted(messageId="ä" * 100).message_id == "ä" * 100
    assert reason(messageId="x" * 101) == "message-id-too-long"


def test_previous_id_equal_to_user_id_says_nothing() -> None:
    assert accepted(type="alias", userId="u", previousId="u").previous_id is None
    assert accepted(type="alias", userId="7", previousId=7).previous_id is None
    assert accepted(type="alias", userId="u", previousId="v").previous_id == "v"


def test_the_type_is_the_events_else_the_paths() -> None:
    on_page = STAMP._replace(path_type="page")
    assert accepted(on_page).type == "track"
    for none in (None, ""):
        assert accepted(on_page, type=none).type == "page"
        assert reason(type=none) == "type-missing"
    assert [accepted(type=kind).type for kind in TYPES] == list(TYPES)
    assert reason(type="Track") == "type-unknown"


def test_a_track_call_has_a_name() -> None:
    assert reason(event=None) == reason(event="") == "event-name-missing"
    assert (accepted(event=404).name, accepted(name="x").name) == ("404", "Seen")


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_a_page_may_have_a_name(kind: str) -> None:
    assert accepted(type=kind).name is None
    assert accepted(type=kind, name="Cart").name == "Cart"
    assert reason(type=kind, name=["x"]) == "name-not-text"


def test_other_types_have_no_name() -> None:
    assert accepted(type="identify", name="x").name is None


def test_event_time_is_the_timestamp_else_the_original_timestamp() -> None:
    earlier, later = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    assert accepted(timestamp=later.isoformat(), originalTimestamp=earlier.isoformat()).event_time == later
    assert accepted(timestamp=None, originalTimestamp=earlier.isoformat()).event_time == earlier
    assert accepted(timestamp="", originalTimestamp="").event_time == NOW
    assert accepted(timestamp=int(later.timestamp())).event_time == later


def test_a_timestamp_that_cannot_be_read_is_never_guessed_at() -> None:
    assert reason(timestamp="yesterday") == "timestamp-unreadable"
    assert reason(originalTimestamp="yesterday") == "timestamp-unreadable"


def test_sent_at_is_the_events_else_the_batchs() -> None:
    slow = NOW - timedelta(days=1)
    call = {"type": "page", "timestamp": (slow - timedelta(hours=1)).isoformat()}
    body = {"batch": [call, call | {"sentAt": NOW.isoformat()}, call | {"sentAt": "?"}], "sentAt": slow.isoformat()}
    events = [decision.event for decision in decide(body) if isinstance(decision, Accepted)]
    assert [event.sent_at for event in events] == [slow, NOW, slow]
    hour_ago = NOW - timedelta(hours=1)
    assert [event.event_time for event in events] == [hour_ago, hour_ago - timedelta(days=1), hour_ago]


def test_a_sent_at_that_cannot_be_read_costs_nothing() -> None:
    assert accepted(sentAt="?").sent_at is None


def test_rudderstacks_traits_are_in_the_context() -> None:
    context = {"traits": {"email": "ann@example.com"}}
    assert json.loads(bytes(accepted(type="identify", context=context).traits)) == context["traits"]
    for none in ("{}", "null"):
        (decision,) = decide(f'{{"type":"identify","traits":{none},"context":{json.dumps(context)}}}'.encode())
        assert isinstance(decision, Accepted)
        assert json.loads(bytes(decision.event.traits)) == context["traits"]
    own = accepted(type="identify", context=context, traits={"a": 1})
    assert json.loads(bytes(own.traits)) == {"a": 1}
    assert json.loads(bytes(accepted(type="identify", context={"traits": None}).traits)) == {}
    assert reason(type="identify", context={"traits": 5}) == "traits-not-an-object"


def test_context_traits_on_other_types_are_a_repeat() -> None:
    assert json.loads(bytes(accepted(context={"traits": {"a": 1}}).traits)) == {}


@pytest.mark.parametrize("name", [b"user_token", b"user\\u005ftoken"])
def test_the_user_token_is_taken_out_of_the_context(name: bytes) -> None:
    body = b'{"type":"page","context":{"a":1.10,"' + name + b'":"eyJ","page":{"url": "x"}}}'
    (decision,) = decide(body)
    assert isinstance(decision, Accepted)
    assert bytes(decision.event.context) == b'{"a":1.10,"page":{"url": "x"}}'


def test_a_context_without_a_token_stays_as_it_is() -> None:
    for context in (b'{"page" : "\\u00e4"}', b'{"page" : "user_token"}'):
        (decision,) = decide(b'{"type":"page","context":' + context + b"}")
        assert isinstance(decision, Accepted)
        assert bytes(decision.event.context) == context


def test_a_rejected_call_keeps_its_bytes_but_for_secrets() -> None:
    (decision,) = decide(b'{"batch":[{"a" :1, "writeKey" : "wk_1_\\"x", "context":{"user_token":"eyJ"}, "b":NaN}]}')
    kept = b'{"a" :1, "writeKey" : "", "context":{"user_token":""}, "b":NaN}'
    assert decision == Rejected("type-missing", kept)


def test_a_part_that_is_no_call_is_rejected_with_its_reason() -> None:
    assert decide(b'{"batch":[5,{"x":oops}]}') == [
        Rejected("event-not-an-object", b"5"), Rejected("event-not-json", b'{"x":oops}'),
    ]  # fmt: skip


def test_a_record_is_filed_under_the_user_else_the_browser_else_itself() -> None:
    assert record_key(accepted(userId="ü", anonymousId="a", messageId="m")) == "ü".encode()
    assert record_key(accepted(anonymousId="a", messageId="m")) == b"a"
    assert record_key(accepted(messageId="m")) == b"m"


@pytest.mark.parametrize("short", ["7", "42", 7, 42])
def test_a_short_user_id_is_accepted_and_is_no_identifier(short: object) -> None:
    """Numeric ids of small shops: they would join strangers, so the event is filed under its browser, else itself."""
    event = accepted(userId=short, anonymousId="browser-1")
    assert event.user_id == str(short)
    assert identifiers_of(event) == [Identifier("anonymous_id", "browser-1")]
    assert identifiers_of(accepted(userId=short)) == []
