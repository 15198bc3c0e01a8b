"""One world: everybody, a month of what is said, and whose everything is in truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from support.world import errors, shares
from support.world.errors import Handed
from support.world.people import Population, settle
from support.world.saying import Said
from support.world.shares import Untruths
from support.world.till import sales
from support.world.visits import accounts, visits
from tern_common.identifiers import Identifier

LONGEST = timedelta(days=29)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """`live` is sent as it happens, `monthly` by the tills in one late batch. `owners`: who has it at the end.

    `handed` are all numbers that went to somebody else, `announced` those of which an operator was told.
    """

    population: Population
    live: tuple[Said, ...]
    monthly: tuple[Said, ...]
    handed: tuple[Handed, ...]
    announced: tuple[Handed, ...]
    owners: Mapping[Identifier, frozenset[int]]

    @property
    def said(self) -> tuple[Said, ...]:
        return *self.live, *self.monthly


def build(tag: str, seed: int, persons: int, end: datetime, untruths: Untruths = shares.TRUTHFUL) -> World:
    """A month that ended at least an hour before `end` and began less than 29 days before, in whole UTC days."""
    days = _whole_days(end)
    population = settle(tag, seed, persons)
    handed = tuple(errors.handed_on(population, seed, days, shares.RECYCLED_A_YEAR))
    told = list(errors.told_of(handed, population, seed, days))
    sold = list(sales(population, seed, days, careless=untruths.careless))
    live = [
        *visits(population, seed, days, careless=untruths.careless),
        *accounts(population, seed, days),
        *(one for one in told if one.door != "till"),
    ]
    monthly = [
        *errors.mistyped(sold, population, seed, untruths),
        *errors.one_for_everybody(population, seed, days, untruths),
        *(one for one in told if one.door == "till"),
    ]
    announced = () if untruths.unannounced else handed
    return World(population, _in_order(live), _in_order(monthly), handed, announced, _owners(population, handed))


def _whole_days(end: datetime) -> Sequence[datetime]:
    first = (end - LONGEST).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    last = (end - timedelta(hours=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return [first + DAY * place for place in range((last - first).days)]


def _in_order(said: Sequence[Said]) -> tuple[Said, ...]:
    return tuple(sorted(said, key=lambda one: (one.at, one.message_id)))


def _owners(population: Population, handed: Sequence[Handed]) -> Mapping[Identifier, frozenset[int]]:
    found: dict[Identifier, set[int]] = defaultdict(set)
    for person in population.persons:
        for one in person.identifiers:
            found[one].add(person.number)
    for number in handed:
        found[number.number] = {number.taker}
    return {one: frozenset(owners) for one, owners in found.items()}
