"""What is found from bytes alone is what decoding them would have found."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.errors import Unusable
from tern_ingest.domain import bounds, calls

json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["[", "{", '\\"', "]}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


def depth(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


@given(json_values, st.integers(0, 6))
def test_depth_is_found_from_the_bytes_alone(value: object, limit: int) -> None:
    assert bounds.is_too_deep(msgspec.json.encode(value), limit) == (depth(value) > limit)


@given(st.lists(json_values, max_size=8), st.integers(1, 8))
def test_events_are_counted_without_being_made(values: list[object], limit: int) -> None:
    batch = msgspec.json.encode(values)
    if len(values) > limit:
        with pytest.raises(Unusable, match=bounds.TOO_MANY):
            bounds.events_of(batch, limit)
    else:
        assert bounds.events_of(batch, limit) == msgspec.json.decode(batch, type=list[Raw])


digits = st.sampled_from(["0", "9", "9" * 299, "9" * 300, "9" * 309, "9" * 310, "9" * 4300, "9" * 4301, "12"])
exponents = st.sampled_from(
    ["", "e5", "e308", "E309", "e+999", "e-999", "e0000400", "e-" + "0" * 300, "E+0001", "e99999"]
)
decimals = st.sampled_from(["", ".5", ".00"]) | digits.map(".{}".format)
numbers = st.builds("{}{}{}{}".format, st.sampled_from(["", "-"]), digits, decimals, exponents)
fillers = st.sampled_from(["", ",".join(["[]"] * 99)])
beside = st.sampled_from(['"1e999"', '"\\",1e999,"', "1", "[]", '{"1e999":1}', '"0e123-4e5678"'])


@given(st.lists(numbers | beside, min_size=1, max_size=4), fillers)
@example(["-" + "9" * 4300], ",".join(["[]"] * 99))
@example(["1e308", "1e-999"], ",".join(["[]"] * 99))
def test_what_msgspec_passes_over_it_can_also_read(texts: list[str], filler: str) -> None:
    text = f'{{"a":[{",".join(texts)}],"b":[{filler}]}}'.encode()
    assert _raises(lambda: bounds.check_depth(text, 64)) == _raises(lambda: msgspec.json.decode(text))


strings = ['"', "\\", "\\u0000", "\\ud83d", "\\ude00", "\\u00e4", "\x00", "\x1f", "a", "ä"]
marks = [",", ":", "[", "]", "{", "}", " ", "true", "null", "NaN"]
chunks = st.sampled_from([*strings, *marks, "-", "0", "1", ".", "e", "+", "9" * 300])


@given(st.lists(chunks, max_size=12).map("".join), fillers)
def test_text_with_numbers_in_range_that_msgspec_passes_over_can_be_decoded(soup: str, filler: str) -> None:
    text = f'{{"a":[{soup}],"b":[{filler}]}}'.encode()

    def look() -> None:
        msgspec.json.decode(text, type=Raw)
        bounds.check_depth(text, 64)

    assert _raises(look) == _raises(lambda: msgspec.json.decode(text))


def _raises(work: Callable[[], object]) -> bool:
    try:
        work()
    except calls.MALFORMED:
        return True
    return False
