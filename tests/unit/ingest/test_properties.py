"""For all inputs: nothing crashes, every event gets one decision, and no event changes another's."""

from __future__ import annotations

import json
from itertools import repeat
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tern_common.errors import Unusable
from tern_common.events import decode_event, encode
from tern_ingest.domain import calls, decisions, tolerant
from tern_ingest.domain.decisions import Accepted, Decision, Rejected, Stamp, record_key
from unit.ingest.door import NOW, POLICY

STAMP = Stamp("shop", trusted=False, received_at=NOW)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = [
    *("type", "messageId", "userId", "anonymousId", "previousId", "groupId", "event", "name", "timestamp"),
    *("originalTimestamp", "sentAt", "writeKey", "context", "traits", "properties", "integrations", "batch"),
]
plausible = st.fixed_dictionaries(
    {},
    optional={
        **{name: anything for name in names if name != "batch"},
        "type": st.sampled_from(decisions.TYPES),
        "timestamp": st.datetimes().map(str) | anything,
        "context": st.dictionaries(st.sampled_from(["traits", "user_token", "ip"]), anything),
    },
)
chunks = st.sampled_from(
    [*(f'"{name}":' for name in names), "{", "}", "[", "]", ",", '"', "\\", "NaN", "1e999", "\\u0000", " "]
)
soup = st.lists(chunks | st.text(max_size=3), max_size=40).map("".join)
GOOD = b'{"type":"track","event":"Seen","messageId":"good","properties":{"a":1.0}}'


def decide(body: bytes) -> list[Decision] | None:
    try:
        parsed = calls.parse(body, POLICY.limits) or tolerant.parse(body, POLICY.limits)
    except Unusable:
        return None
    return decisions.decide(parsed, STAMP, repeat("made"))


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def check(decided: list[Decision]) -> None:
    """What is promised of any decision: a reason, or a record that everyone can decode whole."""
    for decision in decided:
        if isinstance(decision, Rejected):
            assert decision.reason
        else:
            value = encode(decision.event)
            assert decode_event(value) == decision.event
            msgspec.json.decode(value)
            assert b"\\u0000" not in value.replace(b"\\\\", b"")
            assert record_key(decision.event)


@given(anything)
def test_any_json_value_is_decided_or_refused(value: Any) -> None:
    check(decide(dump(value)) or [])


@given(st.binary() | soup.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_decided_or_refused(body: bytes) -> None:
    check(decide(body) or [])
    check(decide(b'{"batch":[' + body + b"]}") or [])


@given(plausible)
def test_any_event_gets_exactly_one_decision(event: dict[str, Any]) -> None:
    decided = decide(dump(event))
    assert decided is not None
    assert len(decided) == 1
    check(decided)


@given(st.lists(plausible | anything, max_size=5))
def test_a_batch_gets_one_decision_per_event_in_order(events: list[Any]) -> None:
    decided = decide(dump({"batch": events}))
    assert decided is not None
    assert len(decided) == len(events)
    check(decided)


@given(st.lists(plausible | anything, max_size=3), st.lists(plausible | anything, max_size=3))
def test_a_bad_event_never_changes_a_good_one(before: list[Any], after: list[Any]) -> None:
    alone = decide(b'{"batch":[' + GOOD + b"]}")
    assert alone is not None
    among = [*map(dump, before), GOOD, *map(dump, after)]
    decided = decide(b'{"batch":[' + b",".join(among) + b"]}")
    assert decided is not None
    assert decided[len(before)] == alone[0]


@given(plausible)
def test_the_tolerant_parser_agrees_with_the_fast_one(event: dict[str, Any]) -> None:
    body = dump({"batch": [event]})
    fast = calls.parse(body, POLICY.limits)
    if fast is None:
        return
    slow = tolerant.parse(body, POLICY.limits)
    assert decisions.decide(slow, STAMP, repeat("made")) == decisions.decide(fast, STAMP, repeat("made"))


@given(plausible)
def test_a_decision_is_the_same_again(event: dict[str, Any]) -> None:
    body = dump(event)
    assert decide(body) == decide(body)


@given(st.lists(plausible, max_size=4))
def test_accepted_bytes_are_the_bytes_that_came(events: list[dict[str, Any]]) -> None:
    body = dump({"batch": events})
    if calls.parse(body, POLICY.limits) is None:
        return
    for decision in decide(body) or []:
        if isinstance(decision, Accepted):
            assert bytes(decision.event.properties) in body + b"{}"
