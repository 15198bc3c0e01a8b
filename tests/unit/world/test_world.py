"""The generator does what it says: the same world again, shares as published, nothing of the truth on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from statistics import fmean

import pytest

from support.world import shares
from support.world.building import LONGEST, World, build
from support.world.people import settle
from support.world.saying import Said
from tern_common.identifiers import normalise

END = datetime(2026, 3, 31, 15, 30, tzinfo=UTC)
CROWD = 6_000


@pytest.fixture(scope="module")
def truthful() -> World:
    return build("one", 5, 300, END)


@pytest.fixture(scope="module")
def untruthful() -> World:
    return build("two", 5, 300, END, shares.UNTRUTHFUL)


def test_the_same_seed_is_the_same_world(truthful: World) -> None:
    assert build("one", 5, 300, END) == truthful
    assert build("one", 6, 300, END) != truthful


def test_worlds_with_names_of_their_own_never_meet(truthful: World, untruthful: World) -> None:
    assert not everything(truthful) & everything(untruthful)


def everything(world: World) -> set[object]:
    return {one for said in world.said for one in (said.message_id, *said.identifiers)}


def test_all_of_it_happens_in_the_twenty_nine_days_before_its_end(truthful: World) -> None:
    assert all(END - LONGEST < said.at < END for said in truthful.said)
    assert max(said.at for said in truthful.said) - min(said.at for said in truthful.said) > timedelta(days=25)


def test_what_is_typed_is_what_is_meant_in_many_forms(untruthful: World) -> None:
    forms: Counter[bool] = Counter()
    for said in untruthful.said:
        for typed, meant in written(said):
            namespace = "phone" if meant.startswith("+") else "email"
            assert normalise(namespace, typed) == (meant, "valid")
            forms[typed == meant] += 1
    assert forms[True] > 0
    assert forms[False] > 0


def written(said: Said) -> list[tuple[str, str]]:
    contacts = {**said.call.get("traits", {}), **said.call.get("properties", {})}
    meant = {one.namespace: one.value for one in said.identifiers}
    return [(typed, meant[namespace]) for namespace, typed in contacts.items()]


def test_who_really_acted_is_not_on_the_wire(untruthful: World) -> None:
    fields = {"type", "event", "messageId", "timestamp", "userId", "anonymousId", "context", "traits", "properties"}
    assert all(said.call.keys() <= fields for said in untruthful.said)


def test_people_live_and_share_as_published() -> None:
    crowd = settle("crowd", 1, CROWD)
    homes = Counter(person.household for person in crowd.persons)
    assert len(crowd.persons) / len(homes) == pytest.approx(2.62, abs=0.1)
    couples = [home for home, size in homes.items() if size > 1]
    with_mailbox = {person.household for person in crowd.persons if not person.own_email}
    assert len(with_mailbox) / len(couples) == pytest.approx(shares.SHARED_MAILBOX, abs=0.03)
    numbers = Counter(person.phone for person in crowd.persons)
    assert (len(crowd.persons) - len(numbers)) / sum(homes[h] - 1 for h in homes) == pytest.approx(
        shares.BORROWED_PHONE, abs=0.02
    )
    assert share(device.short for device in crowd.devices) == pytest.approx(shares.SHORT_COOKIES, abs=0.03)
    assert share(device.wipes for device in crowd.devices) == pytest.approx(shares.DELETES_COOKIES, abs=0.03)


def share(found: Iterable[bool]) -> float:
    return fmean(map(float, found))


def test_a_short_cookie_ends_with_a_week_without_a_visit(truthful: World) -> None:
    short = {device.name for device in truthful.population.devices if device.short}
    last: dict[str, datetime] = {}
    renewed = set()
    for said in truthful.live:
        cookie = said.cookie.value if said.cookie else ""
        device, _, number = cookie.rpartition("-")
        if device in short:
            assert said.at - last.get(cookie, said.at) <= shares.SHORT_LIFE + timedelta(hours=1)
            last[cookie] = said.at
            renewed |= {device} if number != "0" else set()
    assert renewed


def test_trusted_facts_are_true_in_the_truthful_world(truthful: World) -> None:
    handed = {one.number: one for one in truthful.handed}
    for said in truthful.said:
        assert not said.untrue
        for one in said.named:
            if one in handed:
                assert said.actor == (handed[one].giver if said.at < handed[one].day else handed[one].taker)
            else:
                assert said.actor in truthful.owners[one]
                assert len(truthful.owners[one]) == 1 or said.named[0].namespace == "user_id"


def test_every_kind_of_untruth_happens_in_the_untruthful_world(untruthful: World) -> None:
    untrue = [said.named for said in untruthful.said if said.untrue]
    owners = [len(untruthful.owners.get(phone, ())) for _, phone in untrue]
    numbers = Counter(phone for _, phone in untrue if phone not in untruthful.owners)
    assert any(owners), "somebody else's number"
    assert sorted(numbers.values())[-2:] == sorted(shares.UNTRUTHFUL.everybody), "one number for everybody"
    assert 1 in numbers.values(), "nobody's number"
    assert any(
        len(untruthful.owners[one]) > 1
        for said in untruthful.said
        if not said.untrue and said.named and said.named[0].namespace != "user_id"
        for one in said.named
    ), "a household's number or mailbox without an account"


def test_the_tills_are_late_and_everybody_else_is_not(truthful: World) -> None:
    assert {said.door for said in truthful.monthly} == {"till"}
    assert {said.door for said in truthful.live} == {"server", "browser"}
    assert [said.at for said in truthful.live] == sorted(said.at for said in truthful.live)
