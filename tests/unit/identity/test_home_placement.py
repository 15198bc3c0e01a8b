"""Every order in which a few transactions can run ends with every home where it belongs (identity.md §8.7).

What is explored, and what was learnt from it, says docs/adr/0014-home-placement-under-concurrency.md.
"""

from __future__ import annotations

from itertools import combinations

import pytest

from unit.identity.interleavings import broken
from unit.identity.interleavings.explorer import Explored
from unit.identity.interleavings.protocol import Settling
from unit.identity.interleavings.retiring import BlindToEras, Numbered, Retiring, RetiringAtFirstSight
from unit.identity.interleavings.retiring import RetiringWithoutClaimants as WithoutClaimants
from unit.identity.interleavings.scenarios import ACTS, RACES, a_browser_retires, together
from unit.identity.interleavings.small_graph import Facts

ONE_IN = 11
"""Of all triples of acts; all 220 take 20 s, and were right."""

W, Y, P, Q, E = 11, 2, 3, 5, 4
HOME = Facts(homes=(("H", (W,), 5),))
CLAIM = Facts(claims=((W, E, 2, 3),))
LOGIN = Facts(pairs=((Y, E, 5),))


def assert_right(explored: Explored) -> None:
    """Every end is the specification, versions grew, nobody waited in a circle."""
    assert explored.wrong is None, str(explored)
    assert explored.ends > 0
    assert explored.schedules > 0


@pytest.mark.parametrize("race", RACES)
def test_every_order_of_a_race_ends_as_the_facts_say(race: str) -> None:
    explored = RACES[race].run()
    print(f"{race}: {explored}")  # noqa: T201
    assert_right(explored)


@pytest.mark.parametrize("acts", list(combinations(ACTS, 2)), ids=" | ".join)
def test_any_two_acts_at_the_same_time(acts: tuple[str, ...]) -> None:
    assert_right(together(*acts).run())


@pytest.mark.parametrize("acts", list(combinations(ACTS, 3))[::ONE_IN], ids=" | ".join)
def test_any_three_acts_at_the_same_time(acts: tuple[str, ...]) -> None:
    assert_right(together(*acts, crashes=False).run())


@pytest.mark.parametrize(
    ("protocol", "race", "wrong"),
    [
        (broken.WithoutGroupLock, "a phone goes into quarantine and a new home of a day with it", "'home', 'H'"),
        (broken.WithoutSecondLook, "two merges of three groups", "should say"),
        (broken.WithoutLockOfFiledGroups, "a group splits and a new home under both sides", "'home', 'H'"),
        (broken.WithoutLockOfFiledBrowsers, "a claim and a new home under its browser", "'home', 'H'"),
        (broken.WithoutBrowserLock, "two claims and a new home", "'home', 'H'"),
        (broken.ReadsClaimsFirst, "two claims and a new home", "'home', 'G'"),
        (broken.ReadsPlacesFirst, "two browsers of one home are claimed", "'home', 'G'"),
        (broken.WithoutHomeLock, "two browsers of one home are claimed", "version 1 after 2"),
        (broken.LocksHomesAsTheyCome, "two browsers of many homes are claimed", "deadlock"),
        (broken.FreesWithoutPartners, "two blocks are undone at once", "should say"),
        (broken.WaitsForRowsOfNewGroups, "a group splits while one that knew its parts comes late", "deadlock"),
        (broken.SharesAfterwards, "a core is named anew and its browser gets a new home", "'home', 'H'"),
        (broken.SharesAndInserts, "the same home twice", "unique violation"),
        (broken.SharesForClaims, "an account is seen on one browser too many, and a new home", "'home', 'F'"),
        (broken.SharesInASecondPass, "new homes and claims, crosswise", "deadlock"),
    ],
)
def test_a_protocol_with_one_rule_less_is_refuted(protocol: type[Settling], race: str, wrong: str) -> None:
    explored = RACES[race].run(protocol)
    assert explored.wrong is not None, "no interleaving refutes it"
    assert wrong in explored.wrong, str(explored)
    assert explored.course


@pytest.mark.parametrize("race", RACES)
def test_a_shared_lock_would_do_for_who_brings_only_new_homes(race: str) -> None:
    assert_right(RACES[race].run(broken.SharesForNewHomes))


@pytest.mark.parametrize(
    "others",
    [
        {"home": HOME},
        {"claim": CLAIM, "login": LOGIN},
        {"home": HOME, "login": Facts(pairs=((Y, P, 5),))},
        {"home": HOME, "claim": Facts(claims=((W, E, 2, 0),))},
    ],
    ids=" and ".join,
)
def test_a_browser_that_retires_takes_along_what_is_filed_at_the_same_time(others: dict[str, Facts]) -> None:
    assert_right(a_browser_retires(others))


@pytest.mark.parametrize(
    ("retiring", "numbered", "others", "wrong"),
    [
        (Retiring, BlindToEras, {"home": HOME}, "'home', 'H'"),
        (Retiring, BlindToEras, {"claim": CLAIM}, "era that had ended"),
        (WithoutClaimants, Numbered, {"login": Facts(pairs=((Y, Q, 5),))}, "'home', 'E'"),
        (RetiringAtFirstSight, Numbered, {"claim": CLAIM, "login": LOGIN}, "'home', 'G'"),
    ],
)
def test_retiring_with_one_rule_less_is_refuted(
    retiring: type[Retiring], numbered: type[Numbered], others: dict[str, Facts], wrong: str
) -> None:
    explored = a_browser_retires(others, retiring, numbered)
    assert explored.wrong is not None, "no interleaving refutes it"
    assert wrong in explored.wrong, str(explored)
