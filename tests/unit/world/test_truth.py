"""What was joined is judged by its definitions: on worlds that are resolved perfectly, not at all, and all into one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support.world import truth
from support.world.building import World, build
from tern_common.identifiers import Identifier

END = datetime(2026, 3, 31, 15, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return build("w", 3, 200, END)


def one_person_each(world: World) -> dict[Identifier, str]:
    """Everything is with its owner, and what is shared with the first one."""
    return {one: str(min(world.owners.get(one, {-1}))) for one in truth.stated(world)}


def test_a_perfect_resolution_is_right_and_misses_only_what_is_shared(world: World) -> None:
    found = truth.judge_identifiers(world, one_person_each(world))
    assert found.precision == 1.0
    assert 0.8 < found.recall < 1.0
    assert truth.false_joins(world, one_person_each(world)) == []
    assert truth.promised(world) <= truth.joined(one_person_each(world))


def test_events_are_judged_by_who_acted(world: World) -> None:
    right = truth.judge_events(world, {said.message_id: str(said.actor) for said in world.said})
    assert (right.precision, right.recall) == (1.0, 1.0)
    all_in_one = truth.judge_events(world, {said.message_id: "everybody" for said in world.said})
    assert all_in_one.precision < 0.1
    assert all_in_one.recall == 1.0


def test_one_customer_for_everybody_is_a_false_join_for_nearly_all(world: World) -> None:
    everybody = dict.fromkeys(truth.stated(world), "everybody")
    found = truth.judge_identifiers(world, everybody)
    assert (found.precision < 0.1, found.recall) == (True, 1.0)
    assert len(truth.false_joins(world, everybody)) == found.joined - found.both


def test_what_is_in_quarantine_is_joined_with_nothing(world: World) -> None:
    nobody: dict[Identifier, str] = {}
    assert truth.joined(nobody) == frozenset()


def test_nothing_is_promised_of_what_is_shared_or_handed_on(world: World) -> None:
    handed = {one.number for one in world.handed}
    members = {one for pair in truth.promised(world) for one in pair}
    assert members
    assert not members & handed
    assert all(len(world.owners[one]) == 1 for one in members)


def test_an_event_that_names_nobody_is_hers_or_anothers_or_nobodys(world: World) -> None:
    behind = truth.persons_behind(world, one_person_each(world))
    said = next(said for said in world.said if not said.named and world.population.persons[said.actor].user)
    assert truth.verdict(said, str(said.actor), behind) == "hers"
    assert truth.verdict(said, None, behind) == "nobody's"
    assert truth.verdict(said, "a cookie's", behind) == "a visitor's"
    other = next(customer for customer, persons in behind.items() if persons and said.actor not in persons)
    assert truth.verdict(said, other, behind) == "another's"


def test_cookies_are_known_by_all_who_used_them(world: World) -> None:
    users = truth.users_of_cookies(world)
    kiosk = [found for cookie, found in users.items() if "kiosk" in cookie.value]
    assert len(kiosk) == 1
    assert len(kiosk[0]) > 1
    assert sum(len(found) == 1 for found in users.values()) > len(users) / 2
