"""The numbers and the two guards that are functions of them (identity.md §3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from tern_identity.domain.ledger import Node
from tern_identity.domain.rules import (
    Breach,
    DeclaredNamespace,
    Partner,
    Rules,
    admissible,
    breach_of,
    guard_of,
    ruled_guard,
)
from tern_identity.domain.rulings import Rulings, rulings_of, words_of_cannot_link
from unit.identity.histories import SHIPPED, START, TIGHT


def partners(namespace: str, count: int, apart: timedelta) -> list[Partner]:
    kind = SHIPPED.known[namespace].kind
    return [Partner(namespace, kind, START + k * apart) for k in range(count)]


def nodes(*namespaces: str) -> list[Node]:
    known = TIGHT.known
    return [Node(number, name, known[name].kind, b"") for number, name in enumerate(namespaces)]


def test_a_value_of_five_members_counts_and_of_six_is_shared() -> None:
    assert guard_of(partners("user_id", 5, timedelta(days=1)), SHIPPED) is None
    assert guard_of(partners("user_id", 6, timedelta(days=1)), SHIPPED) == "partners"


def test_a_value_with_ten_contacts_counts_and_with_eleven_is_shared() -> None:
    assert guard_of(partners("email", 10, timedelta(days=1)), SHIPPED) is None
    assert guard_of(partners("email", 11, timedelta(days=1)), SHIPPED) == "partners"


def test_partners_are_counted_by_namespace() -> None:
    mixed = partners("email", 10, timedelta(days=1)) + partners("phone", 10, timedelta(days=2))
    assert guard_of(mixed, SHIPPED) is None


def test_more_than_ten_new_partners_in_any_hour_are_too_fast() -> None:
    mixed = partners("email", 6, timedelta(minutes=6)) + partners("phone", 5, timedelta(minutes=12))
    assert guard_of(mixed, SHIPPED) == "velocity"
    assert guard_of(mixed[1:], SHIPPED) is None
    slower = [*mixed[1:], Partner("email", "strong", START + timedelta(hours=2))]
    assert guard_of(slower, SHIPPED) is None


def test_a_node_without_partners_counts() -> None:
    assert guard_of([], SHIPPED) is None


def test_one_user_three_phones_and_five_emails_may_be_one_customer() -> None:
    assert admissible(nodes("user_id", *["phone"] * 3, *["email"] * 5), SHIPPED)
    assert not admissible(nodes("user_id", "user_id"), SHIPPED)
    assert not admissible(nodes(*["phone"] * 4), SHIPPED)
    assert not admissible(nodes(*["email"] * 6), SHIPPED)


def test_openids_are_counted_for_each_app() -> None:
    assert admissible(nodes("user_id", "wechat_openid:wx1", "wechat_openid:wx2"), SHIPPED)
    assert not admissible(nodes("wechat_openid:wx1", "wechat_openid:wx1"), SHIPPED)


def test_a_declared_namespace_has_the_limit_that_it_declares_and_one_that_is_declared_no_more_has_one() -> None:
    both = nodes("pos_member", "pos_member")
    assert not admissible(both, TIGHT)
    assert not admissible(both, SHIPPED)
    assert SHIPPED.limit_of("pos_member") == 1


def test_what_keeps_nodes_apart_can_be_told() -> None:
    members = nodes("user_id", "phone", "user_id")
    apart = rulings_of(words_of_cannot_link(1, [0], [1]))
    assert breach_of(members, SHIPPED, apart) == Breach(None, (0, 1))
    assert breach_of(members, SHIPPED, Rulings()) == Breach("user_id")
    assert breach_of(members[1:], SHIPPED, apart) is None


def test_an_operators_word_goes_before_any_count() -> None:
    crowd = partners("user_id", 6, timedelta(days=1))
    assert ruled_guard(7, crowd, SHIPPED, Rulings()) == "partners"
    assert ruled_guard(7, crowd, SHIPPED, Rulings(allowed=frozenset({7}))) is None
    assert ruled_guard(7, crowd, SHIPPED, Rulings(allowed=frozenset({7}), blocked=frozenset({7}))) == "blocked"


def test_a_pattern_of_the_blocklist_names_values_in_any_case() -> None:
    rules = Rules.model_validate(SHIPPED.model_dump() | {"blocklist": ["email:*@shop.example", "*:junk"]})
    assert rules.blocks("email", "Till@Shop.example")
    assert rules.blocks("loyalty_card", "JUNK")
    assert not rules.blocks("email", "till@shop.example.com")


@pytest.mark.parametrize(
    "declared",
    [{"kind": "strong"}, {"kind": "weak", "limit": 2}, {"kind": "unique", "limit": 2}],
    ids=["strong without a limit", "weak with one", "unique with two values"],
)
def test_a_declared_namespace_that_contradicts_itself_is_refused(declared: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeclaredNamespace.model_validate(declared)


def test_a_namespace_that_ships_cannot_be_declared() -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(SHIPPED.model_dump() | {"namespaces": {"phone": {"kind": "strong", "limit": 1}}})


@pytest.mark.parametrize(
    "values",
    [
        {"user_id": 1, "phone": 3},
        SHIPPED.values_per_customer | {"user_id": 2},
        SHIPPED.values_per_customer | {"phone": 0},
    ],
    ids=["not all", "two members in one", "no phone at all"],
)
def test_rules_that_contradict_themselves_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(SHIPPED.model_dump() | {"values_per_customer": values})


@pytest.mark.parametrize(
    "changed",
    [{"distrusted": ["a\x00"]}, {"distrusted": [""]}, {"browsers_per_account": 1 << 31}, {"version": 1 << 31}],
    ids=["a-source-that-cannot-be-stored", "no-source", "more-than-can-be-counted", "a-version-beyond-all"],
)
def test_rules_that_the_database_cannot_take_are_refused_before_they_are_live(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(SHIPPED.model_dump() | changed)
