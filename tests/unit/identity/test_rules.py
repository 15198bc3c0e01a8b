"""The numbers and the two guards that are functions of them (identity.md §3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from tern_identity.domain.ledger import Node
from tern_identity.domain.rules import Partner, Rules, admissible, guard_of
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


@pytest.mark.parametrize(
    "values",
    [{"user_id": 1, "phone": 3}, {"user_id": 2, "phone": 3, "email": 5}, {"user_id": 1, "phone": 0, "email": 5}],
)
def test_rules_that_contradict_themselves_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(SHIPPED.model_dump() | {"values_per_customer": values})
