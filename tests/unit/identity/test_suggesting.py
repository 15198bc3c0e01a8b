"""What is suggested about a value in quarantine."""

from __future__ import annotations

from tern_identity.domain.suggesting import Tie, suggestion
from unit.identity.histories import SHIPPED

TODAY = 20_000


def persons(count: int) -> list[Tie]:
    return [Tie(True, TODAY - 10, TODAY) for _ in range(count)]


def test_an_upload_of_one_customer_may_be_allowed() -> None:
    assert suggestion("velocity", [*persons(1), Tie(False, TODAY, TODAY)], TODAY, SHIPPED).action == "allow"
    assert suggestion("velocity", persons(6), TODAY, SHIPPED).action == "block"


def test_the_number_of_the_shop_itself_is_to_be_blocked() -> None:
    assert "default value" in suggestion("partners", persons(16), TODAY, SHIPPED).why
    assert "default value" in suggestion("partners", [Tie(False, 0, 0)] * 31, TODAY, SHIPPED).why


def test_a_number_that_was_handed_on_is_to_be_retired_from_its_new_owners_first_day() -> None:
    former = [Tie(True, day, day + 5) for day in (100, 200, 300, 400, 500)]
    heir = Tie(True, TODAY - 30, TODAY)
    assert suggestion("partners", [*former, heir], TODAY, SHIPPED)[::2] == ("retire", TODAY - 30)
    too_long_ago = Tie(True, TODAY - 91, TODAY)
    assert suggestion("partners", [*former, too_long_ago], TODAY, SHIPPED).action == "block"
    still_there = Tie(True, 100, TODAY - 10)
    assert suggestion("partners", [*former, still_there, heir], TODAY, SHIPPED).action == "block"


def test_what_nobody_is_known_to_use_is_not_handed_on() -> None:
    assert suggestion("partners", [Tie(False, 1, 1)] * 11, TODAY, SHIPPED).action == "block"


def test_what_names_one_person_by_its_kind_is_not_to_be_blocked_for_its_contacts() -> None:
    contacts = [Tie(False, 1, 1)] * 12
    assert suggestion("partners", contacts, TODAY, SHIPPED, personal=True).action == "allow"


def test_what_an_operator_blocked_needs_nothing() -> None:
    assert suggestion("blocked", [], TODAY, SHIPPED).action == "none"
