"""Reading requests: the fast way, and the tolerant one that mends what JSON forbids."""

from __future__ import annotations

import json

import msgspec
import pytest

from tern_common.errors import Unusable
from tern_ingest.domain import bounds, calls, tolerant
from tern_ingest.domain.calls import Call, Parsed
from tern_ingest.domain.policy import Limits

LIMITS = Limits(
    body_bytes=1 << 20, event_bytes=32_768, event_depth=8, batch_events=100, kept_bytes=1, in_flight_bytes=1 << 24
)
GOOD = b'{"type":"track","event":"Seen","userId":"u1"}'


def read(body: bytes) -> Parsed:
    return calls.parse(body, LIMITS) or tolerant.parse(body, LIMITS)


def outcomes(body: bytes) -> list[str]:
    """The reason of every event that is none, or the user's id."""
    return [part.call if isinstance(part.call, str) else str(part.call.user_id) for part in read(body).parts]


def properties(body: bytes) -> object:
    (part,) = read(body).parts
    assert isinstance(part.call, Call)
    return json.loads(bytes(part.call.properties))


def nested(depth: int) -> bytes:
    return b'{"userId":"deep","properties":' + b'{"a":' * (depth - 2) + b"{}" + b"}" * (depth - 2) + b"}"


def test_a_well_formed_body_takes_the_fast_way() -> None:
    body = b'{"batch":[' + GOOD + b',{"userId":7}],"sentAt":"2026-01-01T00:00:00Z","writeKey":"wk"}'
    parsed = calls.parse(body, LIMITS)
    assert parsed is not None
    assert [bytes(part.original) for part in parsed.parts] == [GOOD, b'{"userId":7}']
    assert (parsed.sent_at, parsed.write_key) == ("2026-01-01T00:00:00Z", "wk")


def test_one_event_or_a_batch_on_any_path() -> None:
    assert outcomes(GOOD) == ["u1"]
    assert outcomes(b'{"batch":[' + GOOD + b"," + GOOD + b"]}") == ["u1", "u1"]
    assert outcomes(b'{"batch":[]}') == []
    assert outcomes(b'{"batch":[ ],"a":NaN}') == []


def test_free_form_parts_stay_the_bytes_that_came() -> None:
    call = read(b'{"properties": {"price": 1.10,  "big": 12345678901234567890123}}').parts[0].call
    assert isinstance(call, Call)
    assert bytes(call.properties) == b'{"price": 1.10,  "big": 12345678901234567890123}'


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b"5", b'"text"', b"null", b"{", b'{"a":}', b'{"a"}', b"{1:2}",
                                  b'{"a":1}}', b'{"a":1} x', b'{"batch":[', b'{"batch":[{"a":"]}', b'{"a":"\\q"}',
                                  b'{"a":1]', b"{,}", b"[NaN]"])  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Unusable, match="not-json"):
        read(body)


@pytest.mark.parametrize("batch", [b"{}", b"null", b'"x"', b"NaN", b"5"])
def test_a_batch_that_is_no_list_is_refused(batch: bytes) -> None:
    with pytest.raises(Unusable, match="batch-not-a-list"):
        read(b'{"batch":' + batch + b"}")


@pytest.mark.parametrize("body", [b'{"userId":"\xff"}', b'{"properties":{"a":"\xed\xa0\x80"}}'])
def test_a_body_that_is_not_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(Unusable, match="not-utf-8"):
        read(body)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert outcomes(b"\xef\xbb\xbf" + GOOD) == ["u1"]


def test_nan_and_infinities_become_null() -> None:
    assert properties(b'{"properties":{"a":NaN,"b":-Infinity,"c":Infinity,"d":1}}') == dict.fromkeys("abc") | {"d": 1}


def test_numbers_beyond_any_range_become_null() -> None:
    body = b'{"properties":{"a":1e999,"b":' + b"9" * 5000 + b',"c":12345678901234567890,"d":1.5}}'
    assert properties(body) == {"a": None, "b": None, "c": 12345678901234567890, "d": 1.5}


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "\\uDFFF", "\\ud800\\ud800x"])
def test_lone_surrogates_become_replacement_characters(escape: str) -> None:
    mended = escape.replace("\\ud800", "\ufffd").replace("\\udc00", "\ufffd").replace("\\uDFFF", "\ufffd")
    assert properties(f'{{"properties":{{"{escape}":"a{escape}z"}}}}'.encode()) == {mended: f"a{mended}z"}


def test_a_surrogate_pair_is_one_character() -> None:
    assert properties(b'{"properties":{"a":"\\ud83d\\ude00"}}') == {"a": "\N{GRINNING FACE}"}
    assert properties(b'{"properties":{"a":"\\ud83d\\ude00\\u0000"}}') == {"a": "\N{GRINNING FACE}"}


def test_nul_goes() -> None:
    assert properties(b'{"properties":{"a\\u0000":["b\\u0000c"]}}') == {"a": ["bc"]}
    assert properties(b'{"properties":{"a":"\x00b\tc"}}') == {"a": "b\tc"}
    assert outcomes(b'{"userId":"u\\u0000"}') == ["u"]


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert properties(b'{"properties":{"a":"\\\\u0000"}}') == {"a": "\\u0000"}


def test_one_bad_event_costs_the_good_ones_nothing() -> None:
    deep = b'{"properties":' + b"[" * 5000 + b"]" * 5000 + b"}"
    body = b'{"batch":[' + b",".join([GOOD, b"nope", b"5", b'{"userId":NaN}', b'"a,b]}"', deep, GOOD]) + b"]}"
    assert outcomes(body) == [
        "u1", "event-not-json", "event-not-an-object", "None", "event-not-an-object", "event-too-deep", "u1",
    ]  # fmt: skip


def test_an_event_that_is_no_object_is_told_apart_on_the_fast_way_too() -> None:
    assert outcomes(b'{"batch":[' + GOOD + b',5,null,"x",[]]}') == ["u1"] + ["event-not-an-object"] * 4


@pytest.mark.parametrize("mark", [b"", b',"nan":NaN'], ids=["fast", "tolerant"])
def test_an_event_above_its_limit_is_told_apart(mark: bytes) -> None:
    large = b'{"userId":"' + b"x" * LIMITS.event_bytes + b'"' + mark + b"}"
    assert outcomes(large) == ["event-too-large"]
    assert outcomes(b'{"batch":[' + GOOD + b"," + large + b"]" + mark + b"}") == ["u1", "event-too-large"]


@pytest.mark.parametrize("depth", [LIMITS.event_depth, LIMITS.event_depth + 1])
@pytest.mark.parametrize("mark", [b'"x":0,', b'"x":NaN,', b'"x":"\\u0000",'], ids=["fast", "nan", "nul"])
def test_depth_is_limited_exactly(mark: bytes, depth: int) -> None:
    body = nested(depth).replace(b"{", b"{" + mark, 1)
    assert outcomes(body) == ["deep" if depth <= LIMITS.event_depth else "event-too-deep"]


def test_many_brackets_side_by_side_are_not_depth() -> None:
    assert outcomes(b'{"userId":"u","properties":{"items":[' + b",".join([b"{}"] * 50) + b"]}}") == ["u"]


@pytest.mark.parametrize("depth", [900, 5_000])
def test_a_nest_is_one_bad_event(depth: int) -> None:
    assert outcomes(nested(depth)) == ["event-too-deep"]


def test_a_broken_event_is_no_json_however_many_brackets_it_has() -> None:
    assert outcomes(b'{"batch":[{"a":[' + b"[" * 50 + b"]" * 50 + b"] oops}," + GOOD + b"]}") == [
        "event-not-json",
        "u1",
    ]


@pytest.mark.parametrize("opens", [b'{"a":', b"[", b'{"a":['], ids=["objects", "arrays", "both"])
def test_a_nesting_bomb_is_refused(opens: bytes) -> None:
    closes = opens[::-1].replace(b"{", b"}").replace(b"[", b"]").replace(b':"a"', b"")
    with pytest.raises(Unusable, match="too-deep"):
        read(b'{"batch":[{"a":' + opens * 20_000 + b"0" + closes * 20_000 + b"}]}")
    with pytest.raises(Unusable, match="not-json"):
        read(b'{"batch":' + opens * 200_000)


def test_too_many_events_are_refused() -> None:
    for event in (b"{}", b"NaN"):
        with pytest.raises(Unusable, match=bounds.TOO_MANY):
            read(b'{"batch":[' + b",".join([event] * (LIMITS.batch_events + 1)) + b"]}")


def test_the_envelope_of_a_mended_batch_is_read_too() -> None:
    parsed = read(b'{"batch":[NaN],"sentAt":"2026-01-01","writeKey":"wk\\u0000","context":{"a":[1,2]},"x":bad}')
    assert (parsed.sent_at, parsed.write_key) == ("2026-01-01", "wk")
    assert read(b'{"batch":[NaN],"sentAt":nope}').sent_at is None


def test_what_was_mended_is_json_for_everyone() -> None:
    call = read(b'{"context":{"a":NaN,"b":"\\ud800","c":1e999}}').parts[0].call
    assert isinstance(call, Call)
    assert msgspec.json.decode(call.context) == {"a": None, "b": "\N{REPLACEMENT CHARACTER}", "c": None}
