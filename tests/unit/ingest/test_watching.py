"""What somebody who watches is shown of an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tern_common.events import Event, encode
from tern_ingest.domain.letters import Letter
from tern_ingest.domain.watching import LONGEST_LOOKED_INTO, Watched

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Watched(None, None, None, hide=False, names={"s1": "web shop"})
MASKED = ALL._replace(hide=True)


def event(**more: Any) -> bytes:
    said = {"message_id": "m-1", "type": "track", "name": "Order Completed", "user_id": "ann@example.com"} | more
    return encode(Event(event_time=NOW, received_at=NOW, source_id="s1", **said))


def letter(value: bytes, source: str | None = "s1", service: str = "ingest") -> Letter:
    return Letter(0, 1, value, "type-unknown", service, "/v1/batch", source, NOW)


def test_an_accepted_event_is_shown_with_its_source_name_and_person() -> None:
    shown = ALL.accepted(event(trusted=True))
    assert shown is not None
    assert (shown["kind"], shown["source"], shown["type"]) == ("accepted", "web shop", "track")
    assert (shown["name"], shown["user_id"], shown["message_id"]) == ("Order Completed", "ann@example.com", "m-1")
    assert shown["flags"] == []


def test_personal_data_is_masked_for_those_who_may_not_see_it() -> None:
    shown = MASKED.accepted(event(message_id="ann@example.com-1", name="Mail to ann@example.com"))
    assert shown is not None
    assert "ann" not in json.dumps(shown)
    assert shown["user_id"] == "a***@e***.com"
    usual = MASKED.accepted(event())
    assert usual is not None
    assert (usual["name"], usual["message_id"]) == ("Order Completed", "m-1")
    value = {"type": "ann@example.com", "event": "ann@example.com", "userId": "ann@example.com"}
    assert "ann@" not in json.dumps(MASKED.rejected(letter(json.dumps(value).encode())), default=str)


def test_what_makes_an_event_count_differently_is_shown() -> None:
    shown = ALL.accepted(event(bot=True, test=True, mode="replay", user_id=None, unsigned_user_id="u"))
    assert shown is not None
    assert shown["flags"] == ["bot", "test", "replayed", "unsigned-login", "untrusted"]
    assert shown["user_id"] == "u"


@pytest.mark.parametrize(
    "wanted",
    [{"source_id": "s1"}, {"event": "order completed"}, {"user": "ann@example.com"}, {"user": "a-1", "event": None}],
)
def test_events_are_picked_by_source_name_and_person(wanted: dict[str, Any]) -> None:
    assert ALL._replace(**wanted).accepted(event(anonymous_id="a-1")) is not None


@pytest.mark.parametrize("wanted", [{"source_id": "s2"}, {"event": "Order"}, {"user": "ann"}])
def test_all_others_are_not_shown(wanted: dict[str, Any]) -> None:
    assert ALL._replace(**wanted).accepted(event()) is None
    assert ALL._replace(**wanted).rejected(letter(b"{}")) is None


def test_a_call_without_a_name_is_picked_by_its_type() -> None:
    assert ALL._replace(event="identify").accepted(event(type="identify", name=None)) is not None


def test_a_rejected_event_tells_what_its_bytes_tell_and_why() -> None:
    value = b'{"type": "trak", "event": "Order Completed", "userId": 7, "messageId": "m-2", "anonymousId": true}'
    shown = ALL.rejected(letter(value))
    assert shown is not None
    assert (shown["kind"], shown["reason"], shown["place"]) == ("rejected", "type-unknown", "/v1/batch")
    assert (shown["type"], shown["name"], shown["user_id"]) == ("trak", "Order Completed", "7")
    assert (shown["message_id"], shown["anonymous_id"]) == ("m-2", None)


def test_what_a_service_behind_rejects_is_shown_as_ingest_wrote_it() -> None:
    shown = ALL.rejected(letter(event(), source=None, service="identity"))
    assert shown is not None
    assert (shown["service"], shown["source"], shown["user_id"]) == ("identity", "web shop", "ann@example.com")


@pytest.mark.parametrize("value", [b"", b"[1]", b"\xff{", b"{", b'{"a":' * 5_000, b" " * LONGEST_LOOKED_INTO + b"{}"])
def test_a_rejected_event_that_nobody_can_read_is_shown_with_its_reason(value: bytes) -> None:
    shown = ALL.rejected(letter(value))
    assert shown is not None
    assert (shown["reason"], shown["name"], shown["bytes"]) == ("type-unknown", None, len(value))


NESTED = b'{"message_id": "m-1", "context": ' + b"[" * 100_000


@pytest.mark.parametrize("value", [b"", b"{}", event().replace(b"Order", b"\xff"), NESTED])
def test_what_is_no_event_is_not_shown(value: bytes) -> None:
    assert ALL.accepted(value) is None
