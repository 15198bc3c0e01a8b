"""Which values become identifiers, and how they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.events import Event
from tern_common.identifiers import (
    LONGEST,
    NAMESPACES,
    Identifier,
    identifiers_of,
    is_blocked_word,
    masked,
    normalise,
)

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
ANN = {"email": "ann@example.com", "phone": "13812345678"}
ANNS_CONTACTS = [Identifier("phone", "+8613812345678"), Identifier("email", "ann@example.com")]


def event(**said: Any) -> Event:
    stamped: dict[str, Any] = {"message_id": "m-1", "type": "track", "source_id": "shop"}
    stamped |= {"event_time": MOMENT, "received_at": MOMENT} | said
    for part in ("traits", "properties", "context"):
        if part in stamped:
            stamped[part] = Raw(msgspec.json.encode(stamped[part]))
    return Event(**stamped)


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


@pytest.mark.parametrize("namespace", ["user_id", "anonymous_id"])
def test_an_id_keeps_its_case_and_loses_blanks_around_it(namespace: str) -> None:
    assert normalise(namespace, " Ab-17 ") == ("Ab-17", "valid")


@pytest.mark.parametrize(
    "raw",
    [
        "null",
        "NULL",
        '"null"',
        "'Guest'",
        "[object Object]",
        "0000",
        "-1",
        "--0-",
        "   ",
        "undefined",
        "“anonymous”",
        "ab",
    ],
)
def test_blocked_values_never_become_identifiers(raw: str) -> None:
    assert normalise("user_id", raw) == ("", "invalid")


@pytest.mark.parametrize("raw", ["a\x00bc", "a\nbc", "abc\ud800", "x" * (LONGEST + 1)])
def test_what_cannot_be_written_down_is_invalid(raw: str) -> None:
    assert normalise("user_id", raw) == ("", "invalid")


def test_blocked_words_are_known_by_any_case_and_quoted() -> None:
    assert is_blocked_word(' "None" ')
    assert is_blocked_word("")
    assert not is_blocked_word("ab")


@given(st.sampled_from(sorted(NAMESPACES)), st.text())
def test_normalising_any_text_never_fails_and_twice_is_once(namespace: str, raw: str) -> None:
    value, quality = normalise(namespace, raw)
    assert bool(value) == (quality != "invalid")
    assert not value or normalise(namespace, value).value == value


def test_the_ids_of_a_call_identify_on_every_type() -> None:
    for kind in ("track", "identify", "page", "screen", "group"):
        assert identifiers_of(event(type=kind, user_id="u-1", anonymous_id="a-1", traits={}, group_id="g-1")) == [
            Identifier("user_id", "u-1"),
            Identifier("anonymous_id", "a-1"),
        ]


def test_an_identify_identifies_by_its_traits() -> None:
    assert identifiers_of(event(type="identify", traits=ANN)) == ANNS_CONTACTS


def test_an_identify_may_carry_its_traits_in_the_context_only() -> None:
    assert identifiers_of(event(type="identify", context={"traits": ANN})) == ANNS_CONTACTS
    both = event(type="identify", traits={"email": "bob@example.com"}, context={"traits": ANN})
    assert identifiers_of(both) == [ANNS_CONTACTS[0], Identifier("email", "bob@example.com")]


def test_a_trait_that_is_removed_is_not_read_from_the_context() -> None:
    assert identifiers_of(event(type="identify", traits={"email": None}, context={"traits": ANN})) == [ANNS_CONTACTS[0]]


@pytest.mark.parametrize("kind", ["track", "page", "screen", "group", "alias"])
def test_traits_of_other_types_identify_nobody(kind: str) -> None:
    assert identifiers_of(event(type=kind, context={"traits": ANN}, traits=ANN)) == []


@pytest.mark.parametrize("name", ["Order Completed", "Checkout Started", " order completed", "Order Refunded"])
def test_orders_and_checkouts_identify_by_their_contacts(name: str) -> None:
    assert identifiers_of(event(name=name, properties=ANN)) == ANNS_CONTACTS


@pytest.mark.parametrize("name", ["Product Viewed", "Consent Granted", "Newsletter Signed Up", None])
def test_contacts_on_other_events_identify_nobody(name: str | None) -> None:
    assert identifiers_of(event(name=name, properties=ANN)) == []


def test_a_page_named_like_an_order_identifies_nobody() -> None:
    assert identifiers_of(event(type="page", name="Order Completed", properties=ANN)) == []


def test_an_alias_names_the_browser_that_was() -> None:
    assert identifiers_of(event(type="alias", user_id="u-1", previous_id="a-9")) == [
        Identifier("user_id", "u-1"),
        Identifier("anonymous_id", "a-9"),
    ]
    assert identifiers_of(event(type="alias", user_id="u-1", previous_id="u-1")) == [Identifier("user_id", "u-1")]
    assert identifiers_of(event(previous_id="a-9")) == []


def test_each_identifier_is_named_once() -> None:
    assert identifiers_of(event(type="alias", anonymous_id="a-9", previous_id="a-9")) == [
        Identifier("anonymous_id", "a-9")
    ]


def test_invalid_and_suspicious_values_do_not_identify() -> None:
    traits = {"email": "info@example.com", "phone": "11111111111"}
    assert identifiers_of(event(type="identify", user_id="null", traits=traits)) == []


def test_a_phone_may_be_a_number() -> None:
    assert identifiers_of(event(type="identify", traits={"phone": 13812345678})) == ANNS_CONTACTS[:1]


@pytest.mark.parametrize("traits", [None, [], "x", 5, {"email": 5.5, "phone": {"a": 1}}, {"email": [], "phone": True}])
def test_ill_formed_traits_say_nothing(traits: object) -> None:
    assert identifiers_of(event(type="identify", traits=traits)) == []
    assert identifiers_of(event(type="identify", context=traits)) == []
    assert identifiers_of(event(type="identify", context={"traits": traits})) == []


@pytest.mark.parametrize("raw", [b'{"email":"\xff@x.de"}', b'{"email":"\\ud800abc"}', b"{", b"[" * 100_000])
def test_broken_json_says_nothing(raw: bytes) -> None:
    broken = Event(
        message_id="m-1", type="identify", event_time=MOMENT, received_at=MOMENT, source_id="s", traits=Raw(raw)
    )
    assert identifiers_of(broken) == []


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
