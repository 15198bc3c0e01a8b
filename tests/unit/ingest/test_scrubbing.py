"""Write keys and user tokens go no further, wherever a client has put them; and nothing else is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.topics import EVENTS, REJECTED
from tern_ingest.domain.scrubbing import emptied, may_hold_secrets, scrubbed, user_token
from unit.ingest.door import BROWSER_KEY, GOOD, FrontDoor
from unit.ingest.signing import token

TOKEN = token()
WRITE_KEY = "wk_0a1b_the-secret"
HIDING: list[dict[str, Any]] = [
    {"user_token": TOKEN, "writeKey": WRITE_KEY},
    {"context": {"user_token": TOKEN, "writeKey": WRITE_KEY}},
    {"context": {"page": {"user_token": TOKEN}, "traits": {"writeKey": WRITE_KEY}}},
    {"context": {"user_token": [TOKEN], "list": [1, {"writeKey": {"deep": WRITE_KEY}}]}},
    {"traits": {"user_token": TOKEN}, "properties": {"a": [[{"writeKey": WRITE_KEY}]]}},
    {"integrations": {"All": True, "x": {"user_token": TOKEN}}},
]


@pytest.mark.parametrize("hiding", HIDING)
@pytest.mark.parametrize("good", [True, False], ids=["accepted", "rejected"])
@pytest.mark.parametrize("batch", [True, False], ids=["batch", "single"])
async def test_no_secret_leaves_ingest(door: FrontDoor, hiding: dict[str, Any], good: bool, batch: bool) -> None:
    event = GOOD | hiding | ({} if good else {"type": "dance"})
    body = {"batch": [GOOD, event], "writeKey": WRITE_KEY, "context": {"user_token": TOKEN}} if batch else event
    assert (await door.post(body, "/v1/track", key=BROWSER_KEY)).status_code == 200
    sent = door.bus.sent(EVENTS) + door.bus.sent(REJECTED)
    assert len(sent) == 1 + batch
    for record in sent:
        assert TOKEN not in str(record)
        assert "the-secret" not in str(record)


BROKEN = [
    b'{"type":"page","context":{"user_token":"%s"},"x":oops}',
    b'{"type":"page","context":{"user_token":"%s',
    b"{'user_token': '%s'}",
    b'{"user\\u005Ftoken": "%s", "x":oops}',
    b'{"\\u0075ser_token" : "a\\"%s", "x":oops}',
    b'{"user_token": {"now": "%s"}, "x":oops}',
    b'{"user_token": ["%s"',
]


@pytest.mark.parametrize("broken", BROKEN)
def test_no_secret_is_left_in_what_is_no_json(broken: bytes) -> None:
    assert TOKEN.encode() not in emptied(broken % TOKEN.encode())


@pytest.mark.parametrize("broken", [b"{'writeKey': '%s'}", b'{"writeKey":"%s"', b'{"writeKey":[["%s"]],oops'])
def test_no_write_key_is_left_in_what_is_no_json(broken: bytes) -> None:
    for key in (WRITE_KEY, WRITE_KEY.replace("a1b_", "a1b:")):
        assert b"the-secret" not in emptied(broken % key.encode())


def test_what_holds_no_secret_stays_as_it_is() -> None:
    for text in (b'{"a" : 1.10}', b'{"page" : "user_token"}', b'{"a":["\\u00e4", {"writeKeys": 1}]}', b"[ ]", b"5"):
        raw = Raw(text)
        assert scrubbed(raw) is raw
        assert emptied(text) == text


def test_what_stands_beside_a_secret_stays_the_bytes_that_came() -> None:
    raw = Raw(b'{"a": 1.10,"list":[ 2e2 ,{"user_token":"x"}],"n":{"b" : 1}}')
    assert bytes(scrubbed(raw)) == b'{"a":1.10,"list":[2e2,{}],"n":{"b" : 1}}'


def test_the_token_is_the_contexts_own() -> None:
    assert user_token(Raw(b'{"user_token":"x"}')) == "x"
    assert user_token(Raw(b'{"user\\u005ftoken":["x"]}')) == ["x"]
    for other in (b'{"a":{"user_token":"x"}}', b"{}", b"null", b'["user_token"]', b""):
        assert user_token(Raw(other)) is None


def test_a_large_rejected_event_takes_time_in_proportion() -> None:
    """Each of these would take hours if what was looked at were looked at again."""
    for piece in (
        b"eyJ",
        b"eyJ.",
        b'"user_token"',
        b'"user_token" ',
        b'\\u0075"',
        b"wk_0",
        b'"writeKey":"\\',
        b"eyJ-a.b",
    ):
        emptied(b"user_token" + piece * (1_000_000 // len(piece)))
    emptied(b'"user_token"' + b" " * 1_000_000)


json_values = st.recursive(
    st.none() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "user_token", "writeKey"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def pruned(value: Any) -> Any:
    """The specification."""
    if isinstance(value, dict):
        return {name: pruned(inner) for name, inner in value.items() if name not in ("user_token", "writeKey")}
    return [pruned(inner) for inner in value] if isinstance(value, list) else value


@given(json_values, st.booleans())
def test_scrubbing_prunes_and_does_no_more(value: Any, escaped: bool) -> None:
    text = json.dumps(value).encode()
    text = text.replace(b"user_token", b"user\\u005ftoken") if escaped else text
    assert json.loads(bytes(scrubbed(Raw(text)))) == pruned(value)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_can_be_emptied(data: bytes) -> None:
    left = emptied(b'{"user_token":"' + data)
    assert may_hold_secrets(left)
    assert emptied(data) == data or may_hold_secrets(data)
