"""Which identifiers an event carries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.events import Event
from tern_common.identifiers import Declared, Identifier, Namespaces, identifiers_of
from unit.common.saying import MOMENT, event

ANN = {"email": "ann@example.com", "phone": "13812345678"}
ANNS_CONTACTS = [Identifier("phone", "+8613812345678"), Identifier("email", "ann@example.com")]


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


def externally(*entries: object, known: Namespaces | None = None, **said: Any) -> list[Identifier]:
    told = event(**{"context": {"externalIds": entries}} | said)
    return identifiers_of(told) if known is None else identifiers_of(told, known)


def test_the_device_that_an_apps_sdk_names_identifies() -> None:
    context = {"device": {"id": "B5372DB0-C21E", "type": "ios"}, "app": {"name": "Shop"}}
    for kind in ("track", "identify", "screen", "alias", "group"):
        said = event(type=kind, anonymous_id="a-1", context=context)
        assert identifiers_of(said) == [Identifier("anonymous_id", "a-1"), Identifier("device_id", "B5372DB0-C21E")]


@pytest.mark.parametrize("device", [None, "B5372DB0", ["B5372DB0"], {}, {"id": None}, {"id": {}}, {"id": "unknown"}])
def test_a_device_that_names_itself_badly_is_none(device: object) -> None:
    assert identifiers_of(event(user_id="u-1", context={"device": device})) == [Identifier("user_id", "u-1")]


@pytest.mark.parametrize(
    ("namespace", "raw", "value"),
    [
        ("user_id", "u-1", "u-1"),
        ("wechat_unionid", "o6_bmasdasdsad6", "o6_bmasdasdsad6"),
        ("loyalty_card", " 4711 ", "4711"),
        ("loyalty_card", 4711, "4711"),
        ("phone", "13812345678", "+8613812345678"),
        ("email", "Ann@Example.com", "ann@example.com"),
        ("device_id", "B5372DB0", "B5372DB0"),
        ("anonymous_id", "a-1", "a-1"),
        ("wechat_openid:wx123", "oGZUI0egBJY1", "oGZUI0egBJY1"),
    ],
)
def test_an_external_id_is_of_the_namespace_that_its_type_names(namespace: str, raw: object, value: str) -> None:
    for kind in ("track", "identify", "page", "screen", "alias"):
        assert externally({"type": namespace, "id": raw}, type=kind) == [Identifier(namespace, value)]


def test_a_groups_external_ids_say_nothing() -> None:
    assert externally({"type": "loyalty_card", "id": "4711"}, type="group") == []


def test_an_openid_is_of_its_app_else_of_the_app_that_speaks_else_of_the_source() -> None:
    entry = {"type": "wechat_openid", "id": "oGZUI0egBJY1"}
    speaking = {"app": {"namespace": "com.example.shop"}}
    own = event(context={"externalIds": [entry | {"app": "wx123"}]} | speaking)
    apps = event(context={"externalIds": [entry | {"app": {}}]} | speaking)
    assert identifiers_of(own) == [Identifier("wechat_openid:wx123", "oGZUI0egBJY1")]
    assert identifiers_of(apps) == [Identifier("wechat_openid:com.example.shop", "oGZUI0egBJY1")]
    assert externally(entry) == [Identifier("wechat_openid:shop", "oGZUI0egBJY1")]
    assert externally(entry, source_id="a shop") == []


@pytest.mark.parametrize("app", ["", "wx 123", "wx123:x", "ä", "x" * 65, ".x", None, 5.5])
def test_an_app_that_is_no_apps_name_says_nothing(app: object) -> None:
    entry = {"type": "wechat_openid", "id": "oGZUI0egBJY1", "app": app}
    assert externally(entry) == [Identifier("wechat_openid:shop", "oGZUI0egBJY1")]
    if isinstance(app, str):
        assert externally({"type": f"wechat_openid:{app}", "id": "oGZUI0egBJY1"}) == []


def test_a_declared_namespace_is_read_from_the_sources_that_may_state_it() -> None:
    entry = {"type": "pos_member", "id": "M-77"}
    anyone = Namespaces({"pos_member": Declared("strong")})
    till = Namespaces({"pos_member": Declared("strong", frozenset({"till"}))})
    assert externally(entry) == []
    assert externally(entry, known=anyone) == [Identifier("pos_member", "M-77")]
    assert externally(entry, known=till) == []
    assert externally(entry, known=till, source_id="till") == [Identifier("pos_member", "M-77")]


def test_the_first_twenty_external_ids_are_read_and_no_more() -> None:
    entries = [{"type": "loyalty_card", "id": f"card-{number}"} for number in range(10_000)]
    assert externally(*entries) == [Identifier("loyalty_card", f"card-{number}") for number in range(20)]
    assert externally(*["junk"] * 20, *entries) == []


@pytest.mark.parametrize("entries", [None, True, 5, "x", {}, {"type": "loyalty_card", "id": "4711"}, [[[]]], [None]])
def test_external_ids_of_another_form_say_nothing(entries: object) -> None:
    assert identifiers_of(event(user_id="u-1", context={"externalIds": entries})) == [Identifier("user_id", "u-1")]


@pytest.mark.parametrize(
    "entry",
    [
        5,
        "loyalty_card",
        [],
        {},
        {"type": "loyalty_card"},
        {"id": "4711"},
        {"type": 5, "id": "4711"},
        {"type": None, "id": "4711"},
        {"type": ["loyalty_card"], "id": "4711"},
        {"type": "Loyalty_Card", "id": "4711"},
        {"type": "x" * 100_000, "id": "4711"},
        {"type": "wechat_openid:" + "x" * 100_000, "id": "4711"},
        {"type": "loyalty_card", "id": "x" * 100_000},
        {"type": "loyalty_card", "id": 47.11},
        {"type": "loyalty_card", "id": -4711},
        {"type": "loyalty_card", "id": True},
        {"type": "loyalty_card", "id": {"id": "4711"}},
        {"type": "loyalty_card", "id": "undefined"},
        {"type": "email", "id": "info@example.com"},
    ],
)
def test_an_entry_that_says_nothing_leaves_the_others_what_they_say(entry: object) -> None:
    assert externally(entry, {"type": "loyalty_card", "id": "0815"}) == [Identifier("loyalty_card", "0815")]


@pytest.mark.parametrize(
    "context",
    [
        b'{"externalIds":' + b"[" * 100_000,
        b'{"externalIds":[{"type":"loyalty_card","id":"\xff\xff\xff"}]}',
        b'{"externalIds":[{"type":"\xff","id":"4711"}]}',
        b'{"externalIds":[{"\xff":"loyalty_card","id":"4711"}]}',
        b'{"device":{"id":"\\ud800abc"},"\xff":1}',
        b'{"device":' + b'{"id":' * 100_000,
    ],
)
def test_a_broken_context_says_nothing(context: bytes) -> None:
    said = Event(
        message_id="m-1", type="track", event_time=MOMENT, received_at=MOMENT, source_id="s", context=Raw(context)
    )
    assert identifiers_of(said) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "type", "app", "namespace", "device", "externalIds", "traits", "email"]), inner
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from(["track", "identify", "group"]), JSON)
def test_whatever_stands_in_the_context_reading_never_fails(kind: str, context: object) -> None:
    assert all(identifier.value for identifier in identifiers_of(event(type=kind, context=context)))
