"""Whether what stands on Kafka is what an SDK was given: every call once per message id, as it was said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from e2e.sdks.said import Call
from tern_common.events import Event

_NEAR = timedelta(seconds=1)
_LAST = 1_000


class Said(NamedTuple):
    """A call, and when the SDK was given it."""

    call: Call
    since: datetime
    until: datetime


class Manner(NamedTuple):
    """In what an SDK follows its caller. `own_ids`: it makes message ids and times itself, and takes none.

    `anonymous_id`: what it calls its visitor, where it does not take that either. `late_login`: what it sends again, it
    sends with the login of now, also when there was none when it was said.
    """

    own_ids: bool
    anonymous_id: str | None
    late_login: bool


def judge(said: Sequence[Said], events: Sequence[Event], manner: Manner, passed: Mapping[str, int] | None) -> None:
    """Fails unless the events are what was said, each once.

    `passed`: message id → how often Tern was given it, where that may be more than once, since an answer was lost; None
    when nobody counted. Copies must be equal: whoever reads them takes one.
    """
    records: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        records[event.message_id].append(event)
    for message_id, copies in records.items():
        assert [_content(copy, manner) for copy in copies] == [_content(copies[0], manner)] * len(copies)
        if passed is not None:
            assert len(copies) == passed.get(message_id, 1)
    heard = sorted((copies[0] for copies in records.values()), key=_place)
    assert [_place(event) for event in heard] == [_said_place(one.call) for one in said]
    for event, one in zip(heard, said, strict=True):
        _check_ids(event, one.call, manner)
        _check_words(event, one.call)
        _check_time(event, one, manner)


def arrived(said: Sequence[Said], events: Sequence[Event]) -> bool:
    """Whether all of it is there, right or wrong."""
    return {_said_place(one.call) for one in said} <= {_place(event) for event in events}


def _check_ids(event: Event, call: Call, manner: Manner) -> None:
    said_before_login = "userId" not in call
    assert event.user_id == call.get("userId") or (manner.late_login and said_before_login)
    assert event.previous_id == call.get("previousId")
    if call["type"] == "group":
        assert event.group_id == call["groupId"]
    if call["type"] != "alias":
        assert event.anonymous_id == (manner.anonymous_id or call["anonymousId"])
    if not manner.own_ids:
        assert event.message_id == call["messageId"]


def _check_words(event: Event, call: Call) -> None:
    """What an SDK adds (the page's address and title) is welcome. Jitsu's says a page's name as a property."""
    assert event.type == call["type"]
    if call["type"] == "track":
        assert event.name == call["event"]
    for part in ("properties", "traits"):
        found = _members(event, part)
        assert {name: found.get(name) for name in call.get(part, {})} == call.get(part, {})
    if call["type"] == "page":
        assert call["name"] in (event.name, _members(event, "properties").get("name"))


def _check_time(event: Event, said: Said, manner: Manner) -> None:
    if manner.own_ids:
        assert said.since - _NEAR <= event.event_time <= said.until + _NEAR
    else:
        assert event.event_time == datetime.fromisoformat(said.call["timestamp"])


def _content(event: Event, manner: Manner) -> bytes:
    """What copies share: all but when they were sent and came, and what an SDK notes of its retries."""
    extra = {name: said for name, said in _members(event, "extra").items() if name != "_metadata"}
    shared = msgspec.structs.replace(
        event, received_at=event.event_time, sent_at=None, extra=msgspec.Raw(msgspec.json.encode(extra))
    )
    return msgspec.json.encode(msgspec.structs.replace(shared, user_id=None) if manner.late_login else shared)


def _members(event: Event, part: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(getattr(event, part))
    return found


def _place(event: Event) -> int:
    """Which of the calls it is. The last one is an alias, which says nothing of its own."""
    said = _members(event, "traits" if event.type in ("identify", "group") else "properties")
    return int(said.get("place", _LAST))


def _said_place(call: Call) -> int:
    return int((call.get("properties") or call.get("traits") or {}).get("place", _LAST))
