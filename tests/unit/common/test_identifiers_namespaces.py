"""Which namespaces there are, and which a shop may declare."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tern_common.identifiers import NAMESPACES, Declared, Kind, Namespace, Namespaces, family, is_well_formed

SHIPPED = {
    "user_id": (1, "unique"),
    "wechat_unionid": (2, "unique"),
    "loyalty_card": (3, "strong"),
    "phone": (4, "strong"),
    "email": (5, "strong"),
    "wechat_openid": (6, "strong"),
    "device_id": (7, "weak"),
    "anonymous_id": (8, "weak"),
}
SHOPS = Namespaces(
    {
        "pos_member": Declared("strong", frozenset({"till"})),
        "kiosk": Declared("weak"),
        "crm_id": Declared("unique"),
        "badge": Declared("strong"),
    }
)


def test_eight_ship_with_their_kinds_and_priorities() -> None:
    assert dict(NAMESPACES) == SHIPPED
    assert NAMESPACES.names() == tuple(SHIPPED)


def test_an_app_has_a_namespace_of_its_own_of_the_kind_of_its_family() -> None:
    assert NAMESPACES["wechat_openid:wx123"] == NAMESPACES.get("wechat_openid") == Namespace(6, "strong")
    assert "wechat_openid:com.example.Shop-1" in NAMESPACES
    assert family("wechat_openid:wx123") == family("wechat_openid") == "wechat_openid"
    assert family("phone") == "phone"


@pytest.mark.parametrize(
    "name", ["shoe_size", "", "wechat_openid:", "wechat_openid:a b", "wechat_openid:a:b", "phone:x", "User_id"]
)
def test_any_other_name_is_unknown(name: str) -> None:
    assert NAMESPACES.get(name) is None
    assert name not in SHOPS
    assert family(name) == name
    with pytest.raises(KeyError):
        NAMESPACES[name]


def test_declared_ones_are_known_beside_those_that_ship() -> None:
    assert SHOPS.names() == (*SHIPPED, "pos_member", "kiosk", "crm_id", "badge")
    assert [SHOPS[name].kind for name in ("pos_member", "kiosk", "crm_id")] == ["strong", "weak", "unique"]
    assert len(SHOPS) == len(SHIPPED) + 4
    assert "pos_member" not in NAMESPACES


@pytest.mark.parametrize("kind", ["unique", "strong", "weak"])
@pytest.mark.parametrize(
    "name", [*SHIPPED, "wechat_openid:wx123", "wechat_openid:", "x", "9lives", "Badge", "a-b", "a b", "", "x" * 64]
)
def test_a_name_that_ships_or_that_is_none_cannot_be_declared(name: str, kind: Kind) -> None:
    with pytest.raises(ValueError, match="namespace"):
        Namespaces({name: Declared(kind)})


def test_the_longest_and_the_shortest_name_can_be_declared() -> None:
    assert {"x" * 63, "ab"} < set(Namespaces({"x" * 63: Declared("weak"), "ab": Declared("weak")}))


def test_a_declared_one_is_admitted_from_its_sources_and_a_family_from_an_app() -> None:
    assert SHOPS.admits("pos_member", "till")
    assert not SHOPS.admits("pos_member", "web")
    assert SHOPS.admits("badge", "web")
    assert SHOPS.admits("phone", "web")
    assert SHOPS.admits("wechat_openid:wx123", "web")
    assert not SHOPS.admits("wechat_openid", "web")
    assert not SHOPS.admits("shoe_size", "web")


def test_the_strongest_come_first_and_declared_ones_after_the_shipped_of_their_kind() -> None:
    names = [*SHOPS.names(), "wechat_openid:b", "wechat_openid:a"]
    names.remove("wechat_openid")
    ordered = ["user_id", "wechat_unionid", "crm_id"]
    ordered += ["loyalty_card", "phone", "email", "wechat_openid:a", "wechat_openid:b", "badge", "pos_member"]
    ordered += ["device_id", "anonymous_id", "kiosk"]
    assert sorted(names, key=SHOPS.order) == ordered
    assert all(SHOPS.order(a) < SHOPS.order(b) for a, b in pairwise(ordered))


def test_those_that_declare_the_same_are_equal() -> None:
    declared = {"badge": Declared("strong"), "kiosk": Declared("weak")}
    same = Namespaces(dict(reversed(declared.items())))
    assert Namespaces(declared) == same
    assert hash(Namespaces(declared)) == hash(same)
    assert Namespaces(declared) != NAMESPACES
    assert dict(NAMESPACES) != NAMESPACES


def test_what_is_declared_later_does_not_change_what_was() -> None:
    declared = {"badge": Declared("strong")}
    known = Namespaces(declared)
    declared["kiosk"] = Declared("weak")
    assert "kiosk" not in known


def test_a_name_is_well_formed_when_somebody_may_have_declared_it() -> None:
    assert all(is_well_formed(name) for name in (*SHOPS, "shoe_size", "wechat_openid:wx1") if name != "wechat_openid")
    assert not any(is_well_formed(name) for name in ("wechat_openid", "wechat_openid:", "Badge", "a:b", "", "x" * 64))
