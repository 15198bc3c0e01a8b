"""Keyed hashes: equal for equal things, different for different ones, useless without the key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_common.errors import Misconfigured
from tern_common.hashing import Hasher

HASHER = Hasher(b"a key of this test")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HASHES = st.lists(st.binary(min_size=16, max_size=16), max_size=4).map(tuple)
DAYS = st.none() | st.integers(-1000, 100_000)


def test_hashes_never_change() -> None:
    """They stand in databases and on topics: a change of these is a migration of everything."""
    assert HASHER.identifier("email", "ann@example.com").hex() == "82777ce3d0db5a87369369d22b18f69a"
    assert HASHER.home([HASHER.identifier("user_id", "u1")], 20_000) == "af7d8e86056e2bd366431aa2fdbb1b02"
    assert HASHER.door("email", "ann@example.com") == "7509dca4e96f27e73e4e02dc0adaee09"


@given(st.tuples(TEXT, TEXT), st.tuples(TEXT, TEXT))
def test_identifiers_differ_when_namespace_or_value_do(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (HASHER.identifier(*one) == HASHER.identifier(*other)) is (one == other)


@given(st.tuples(HASHES, DAYS), st.tuples(HASHES, DAYS))
def test_homes_differ_when_identifiers_order_or_day_do(
    one: tuple[tuple[bytes, ...], int | None], other: tuple[tuple[bytes, ...], int | None]
) -> None:
    assert (HASHER.home(*one) == HASHER.home(*other)) is (one == other)


@given(TEXT, TEXT)
def test_the_door_is_the_home_of_the_identifier_alone(namespace: str, value: str) -> None:
    assert HASHER.door(namespace, value) == HASHER.home([HASHER.identifier(namespace, value)], None)


def test_another_key_gives_other_hashes() -> None:
    other = Hasher(b"another key of this test")
    assert other.identifier("email", "a") != HASHER.identifier("email", "a")
    assert other.home([], 1) != HASHER.home([], 1)


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_key_that_is_too_short_or_too_long_is_refused(length: int) -> None:
    with pytest.raises(Misconfigured, match=str(length)):
        Hasher(b"x" * length)
