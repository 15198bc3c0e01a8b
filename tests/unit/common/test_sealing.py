"""Sealed text: opens under its key, and only whole."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_common.errors import Misconfigured, Unusable
from tern_common.sealing import Sealer

OLD, NEW = bytes(range(32)), bytes(range(16))
SEALER = Sealer({"old": OLD, "new": NEW}, "new")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_again(text: str) -> None:
    assert SEALER.open(SEALER.seal(text)) == text


def test_the_same_text_is_never_sealed_alike() -> None:
    assert SEALER.seal("ann") != SEALER.seal("ann")
    first, second, third = SEALER.seal_all(["ann", "ann", "bob"])
    assert first != second
    assert [SEALER.open(one) for one in (first, second, third)] == ["ann", "ann", "bob"]


def test_keys_rotate_old_text_opens_new_text_is_under_the_new_key() -> None:
    sealed = Sealer({"old": OLD}, "old").seal("ann")
    assert SEALER.open(sealed) == "ann"
    with pytest.raises(Misconfigured, match="not configured"):
        Sealer({"old": OLD}, "old").open(SEALER.seal("ann"))


@given(st.data())
def test_changed_text_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(SEALER.seal("ann@example.com"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((Unusable, Misconfigured)) as told:
        SEALER.open(bytes(sealed))
    assert "ann" not in str(told.value)


@given(st.binary(max_size=40))
def test_what_was_never_sealed_is_refused(junk: bytes) -> None:
    with pytest.raises((Unusable, Misconfigured)):
        SEALER.open(junk)


def test_keys_are_read_from_text_and_the_first_is_current() -> None:
    parsed = Sealer.parse(f"new:{base64.b64encode(NEW).decode()}, old:{base64.b64encode(OLD).decode()}")
    assert SEALER.open(parsed.seal("ann")) == "ann"
    assert parsed.seal("")[2:5] == b"new"


@pytest.mark.parametrize("text", ["", "k1", "k1:", "k1:c2hvcnQ=", "k1:!!!", ":" + "A" * 43 + "=", "k1:" + "A" * 42])
def test_a_key_that_is_none_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(Misconfigured, match="sealing key") as told:
        Sealer.parse(text)
    assert "c2hvcnQ" not in str(told.value)


def test_the_current_key_must_be_there() -> None:
    with pytest.raises(Misconfigured, match="'new' is not among"):
        Sealer({"old": OLD}, "new")
