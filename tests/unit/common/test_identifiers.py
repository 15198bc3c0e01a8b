"""How a value is written in its namespace, and which values never become identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_common.identifiers import (
    LONGEST,
    NAMESPACES,
    is_blocked_word,
    masked,
    normalise,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("  Ann@Example.COM ", "ann@example.com"),
        ("ａｎｎ＠example.com", "ann@example.com"),
        ("ann+shop@example.com", "ann+shop@example.com"),
    ],
)
def test_an_email_has_one_way_to_be_written(raw: str, value: str) -> None:
    assert normalise("email", raw) == (value, "valid")


@pytest.mark.parametrize("raw", ["ann", "ann@", "@example.com", "ann@localhost", "a b@example.com", "ann@@example.com"])
def test_what_is_no_address_is_no_email(raw: str) -> None:
    assert normalise("email", raw) == ("", "invalid")


@pytest.mark.parametrize(
    "raw", ["info@example.com", "Service@example.com", "no-reply@example.com", "info+x@example.com"]
)
def test_a_role_mailbox_is_contact_data_but_identifies_nobody(raw: str) -> None:
    assert normalise("email", raw) == (raw.lower(), "suspicious")


@pytest.mark.parametrize("raw", ["13812345678", "+86 138-1234-5678", "１３８１２３４５６７８", "008613812345678"])
def test_a_phone_has_one_way_to_be_written(raw: str) -> None:
    assert normalise("phone", raw) == ("+8613812345678", "valid")


def test_a_phone_of_another_country_keeps_it() -> None:
    assert normalise("phone", "+49 151 12345678") == ("+4915112345678", "valid")


@pytest.mark.parametrize("raw", ["11111111111", "13888888888", "12345", "call me", "+", "+999123456789", "0000000"])
def test_what_cannot_be_a_phone_is_none(raw: str) -> None:
    assert normalise("phone", raw) == ("", "invalid")


@pytest.mark.parametrize("raw", ["400-820-8820", "+86 13812345678 ext. 5", "29912345678"])
def test_a_phone_that_is_nobodys_own_is_contact_data_but_identifies_nobody(raw: str) -> None:
    value, quality = normalise("phone", raw)
    assert (value[:3], quality) == ("+86", "suspicious")


IDS = (
    "user_id",
    "wechat_unionid",
    "loyalty_card",
    "wechat_openid:wx0123456789abcdef",
    "device_id",
    "anonymous_id",
    "pos_member",
)


@pytest.mark.parametrize("namespace", IDS)
def test_an_id_keeps_its_case_and_loses_blanks_around_it(namespace: str) -> None:
    assert normalise(namespace, " Ab-17 ") == ("Ab-17", "valid")


WORDS = (
    "anonymous",
    "guest",
    "null",
    "none",
    "nil",
    "undefined",
    "nan",
    "true",
    "false",
    "id",
    "email",
    "user",
    "test",
)
BLOCKED = (*WORDS, "unknown", "not_authenticated", "distinct_id", "[object Object]", "-1", "000", "0000-0000", "---")


@pytest.mark.parametrize("word", BLOCKED)
@pytest.mark.parametrize("namespace", [*IDS, "email", "phone"])
def test_blocked_values_never_become_identifiers_in_any_case_or_quotes(namespace: str, word: str) -> None:
    for raw in (word, word.upper(), word.title(), f" {word}\t", f'"{word}"', f"'{word}'", f"“{word}”", f'" {word} "'):
        assert normalise(namespace, raw) == ("", "invalid")


@pytest.mark.parametrize("raw", ["nobody", "guest-1", "id7", "0001", "-12", "true love", "10000"])
def test_what_only_resembles_a_blocked_value_identifies(raw: str) -> None:
    assert normalise("user_id", raw) == (raw, "valid")


@pytest.mark.parametrize("namespace", IDS)
def test_an_id_is_three_to_256_characters_blanks_around_it_not_counted(namespace: str) -> None:
    for raw in ("", "   ", "ab", " ab ", "x" * 257):
        assert normalise(namespace, raw) == ("", "invalid")
    for value in ("abc", "x" * 256):
        assert normalise(namespace, f"  {value}  ") == (value, "valid")


@pytest.mark.parametrize("raw", ["a\x00bc", "a\nbc", "abc\ud800", "x" * (LONGEST + 1)])
def test_what_cannot_be_written_down_is_invalid(raw: str) -> None:
    assert normalise("user_id", raw) == ("", "invalid")


def test_blocked_words_are_known_by_any_case_and_quoted() -> None:
    assert is_blocked_word(' "None" ')
    assert is_blocked_word("")
    assert not is_blocked_word("ab")


@given(st.sampled_from([*NAMESPACES, "pos_member"]), st.text())
def test_normalising_any_text_never_fails_and_twice_is_once(namespace: str, raw: str) -> None:
    value, quality = normalise(namespace, raw)
    assert bool(value) == (quality != "invalid")
    assert not value or normalise(namespace, value).value == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ann@example.com", "a***@e***.com"),
        ("a@b@shop.co.uk", "a***@s***.uk"),
        ("+8613812345634", "+8***34"),
        ("user-1", "us***-1"),
        ("u1234", "u***"),
        ("7", "7***"),
    ],
)
def test_masked_is_enough_to_recognise_ones_own_and_never_all_of_it(value: str, shown: str) -> None:
    assert masked(value) == shown
