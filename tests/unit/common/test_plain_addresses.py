"""The short cut for plain e-mail addresses: never another answer than the library's."""

from __future__ import annotations

import email_validator
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tern_common.identifiers.normalising import is_plain_address

LETTERS = st.text("abzABZ019", min_size=1, max_size=5)
LOCALS = st.lists(
    st.one_of(LETTERS, st.sampled_from(["", ".", "_", "+", "-", "..", "'", "ä", "x" * 61])), min_size=1, max_size=6
)
LABELS = st.one_of(
    LETTERS, st.sampled_from(["xn--p1ai", "a-b", "-a", "a-", "a--b", "1", "0a", "x" * 63, "x" * 64, "b_c", ""])
)
ENDS = st.sampled_from(
    ["com", "de", "COM", "x1", "c", "example", "test", "local", "localhost", "onion", "arpa", "Invalid", "x" * 63]
)
DOMAINS = st.builds(lambda labels, end: ".".join([*labels, end]), st.lists(LABELS, max_size=4), ENDS)


@settings(max_examples=1_000)
@given(st.builds(lambda local, domain: f"{''.join(local)}@{domain}", LOCALS, DOMAINS))
@example("customer-1@shop.example")
@example("a@" + "b" * 63 + ".com")
@example("a@b.test")
@example("a@test.com")
def test_what_is_plain_is_valid_and_written_alike_by_the_library(address: str) -> None:
    if is_plain_address(address):
        known = email_validator.validate_email(address, check_deliverability=False)
        assert known.normalized.lower() == address.lower()


@pytest.mark.parametrize("name", email_validator.SPECIAL_USE_DOMAIN_NAMES)
def test_names_of_special_use_are_left_to_the_library(name: str) -> None:
    assert not is_plain_address(f"ann@{name}")
    assert not is_plain_address(f"ann@shop.{name.upper()}")


@pytest.mark.parametrize("address", ["ann@example.com", "Ann.Bo_b+shop-1@Sub.Shop-1.co", "a1@1a.de"])
def test_ordinary_addresses_are_plain(address: str) -> None:
    assert is_plain_address(address)


@pytest.mark.parametrize(
    "address", ["x" * 65 + "@a.com", "a@" + "b." * 100 + "com", "a@b", "ä@b.com", "a@xn--p1ai.com"]
)
def test_what_is_long_or_rare_is_left_to_the_library(address: str) -> None:
    assert not is_plain_address(address)
