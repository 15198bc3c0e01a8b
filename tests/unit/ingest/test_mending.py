"""A mapping mends what its steps name, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tern_common.errors import Unusable
from tern_ingest.domain.mending import Mapping, read_mapping

NAMES = st.sampled_from(["type", "userId", "properties", "a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.dictionaries(NAMES, VALUES, max_size=6)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)


def mend(event: Any, *steps: str) -> Any:
    return json.loads(read_mapping(steps).mend(json.dumps(event).encode()))


@given(original=st.binary())
@example(original=b'{"a": 1}')
def test_an_empty_mapping_changes_nothing(original: bytes) -> None:
    assert Mapping().mend(original) is original
    assert read_mapping(["", "  # only words"]).mend(original) is original


@given(original=st.binary() | VALUES.filter(lambda value: not isinstance(value, dict)), path=PATHS)
def test_what_is_no_object_stays_as_it_is(original: Any, path: str) -> None:
    written = original if isinstance(original, bytes) else json.dumps(original).encode()
    if not written.lstrip().startswith(b"{"):
        assert read_mapping([f"remove {path}", f"default {path} x"]).mend(written) == written


@given(event=EVENTS, path=PATHS)
def test_a_step_that_does_not_fit_leaves_every_byte(event: dict[str, Any], path: str) -> None:
    written = json.dumps(event, indent=1).encode()
    none = f"{path}.none"
    steps = [f"rename {none} {path}.other", f"remove {none}", f"type {none} text", f"date {none} %Y"]
    assert read_mapping(steps).mend(written) == written


@given(event=EVENTS, old=NAMES, new=NAMES.map(str.upper))
def test_a_renamed_field_has_its_value_and_all_others_theirs(event: dict[str, Any], old: str, new: str) -> None:
    expected = {new if name == old else name: value for name, value in event.items()}
    assert mend(event, f"rename {old} {new}") == expected
    assert mend(event, f"rename {old} {new}", f"rename {new} {old}") == event


@given(event=EVENTS, path=PATHS, value=VALUES)
def test_mending_twice_is_mending_once(event: dict[str, Any], path: str, value: Any) -> None:
    quoted = json.dumps(value).replace("\\", "\\\\").replace('"', '\\"')
    steps = [f'default {path} "{quoted}"', f"type {path} text", f"remove {path}.x"]
    once = mend(event, *steps)
    assert mend(once, *steps) == once


@pytest.mark.parametrize(
    ("step", "event", "mended"),
    [
        ("rename properties.id properties.product_id", {"properties": {"id": 1}}, {"properties": {"product_id": 1}}),
        ("rename id properties.product_id", {"id": 1}, {"properties": {"product_id": 1}}),
        ("rename id userId", {"id": 1, "userId": 2}, {"id": 1, "userId": 2}),
        ("rename id userId.x", {"id": 1, "userId": 2}, {"id": 1, "userId": 2}),
        ("default type track", {}, {"type": "track"}),
        ("default type track", {"type": ""}, {"type": "track"}),
        ("default type track", {"type": None}, {"type": "track"}),
        ("default type track", {"type": "page"}, {"type": "page"}),
        ("default properties.price 0", {}, {"properties": {"price": 0}}),
        ("default properties.price '\"0\"'", {"properties": {}}, {"properties": {"price": "0"}}),
        ("default properties.price 0", {"properties": "none"}, {"properties": "none"}),
        ("date t '%d.%m.%Y %H:%M'", {"t": "01.03.2026 12:00"}, {"t": "2026-03-01T12:00:00Z"}),
        ("date t '%d.%m.%Y %H:%M' Europe/Berlin", {"t": " 01.03.2026 12:00"}, {"t": "2026-03-01T11:00:00Z"}),
        ("date t '%d.%m.%Y %H:%M %z' Europe/Berlin", {"t": "01.03.2026 12:00 +0500"}, {"t": "2026-03-01T07:00:00Z"}),
        ("date t %Y%m%d", {"t": 20260301}, {"t": "2026-03-01T00:00:00Z"}),
        ("date t %d.%m.%Y", {"t": "2026-03-01"}, {"t": "2026-03-01"}),
        ("date t %Y", {"t": "9999"}, {"t": "9999"}),
        ("date t '%Y %z'", {"t": "0001 +2300"}, {"t": "0001 +2300"}),
        ("date t %d.%m.%Y", {"t": [1]}, {"t": [1]}),
        ("type a text", {"a": 17}, {"a": "17"}),
        ("type a text", {"a": True}, {"a": "true"}),
        ("type a text", {"a": {}}, {"a": {}}),
        ("type a number", {"a": " 2.50"}, {"a": 2.5}),
        ("type a number", {"a": "two"}, {"a": "two"}),
        ("type a number", {"a": "true"}, {"a": "true"}),
        ("type a boolean", {"a": "Yes"}, {"a": True}),
        ("type a boolean", {"a": 0}, {"a": False}),
        ("type a boolean", {"a": "maybe"}, {"a": "maybe"}),
        ("remove a.b", {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
    ],
)
def test_each_step_does_what_it_says(step: str, event: Any, mended: Any) -> None:
    assert mend(event, step) == mended


def test_what_no_step_touches_keeps_its_digits() -> None:
    mended = read_mapping(["rename a b"]).mend(b'{"a":1,"c":{"price": 1.10, "n":12345678901234567890123}}')
    assert mended == b'{"c":{"price": 1.10, "n":12345678901234567890123},"b":1}'


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("renam a b", "a step is one of rename, default, date, type, remove"),
        ("rename a", "write `rename FIELD NEW_NAME`; quote what has spaces in it"),
        ("rename a a.b", "a field cannot be renamed to itself, nor into itself"),
        ("remove a..b", "a field is named from the top of the event, such as properties.price"),
        ("date a noon", "the format is one of strptime, such as %d.%m.%Y %H:%M"),
        ("date a %Q", "the format is one of strptime, such as %d.%m.%Y %H:%M"),
        ('date a "%d.%m.%Y %d"', "the format is one of strptime, such as %d.%m.%Y %H:%M"),
        ("date a %d Nowhere", "the zone is an IANA name, such as Europe/Berlin"),
        ("type a int", "a type is one of text, number, boolean"),
        ("default a 'x", "a quotation mark is not closed"),
        ("remove " + "a" * 1_000, "at most 1000 characters"),
    ],
)
def test_a_bad_step_is_told_with_its_number_and_how_it_is_written(step: str, why: str) -> None:
    with pytest.raises(Unusable) as told:
        read_mapping(["remove a", step])
    assert (told.value.reason, told.value.detail) == ("bad-mapping", f"step 2: {why}")


def test_a_mapping_has_an_end() -> None:
    with pytest.raises(Unusable, match="at most 100 steps"):
        read_mapping(["remove a"] * 101)
