"""What goes wrong at a shop: clerks mistype, one number serves for everybody, numbers go to somebody else."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from support.world.people import Person, Population, phone
from support.world.saying import Door, Moment, Said, Scribe
from support.world.shares import Untruths
from support.world.visits import some_time
from tern_common.identifiers import Identifier

_OLD_NUMBERS, _NOBODYS, _SHOPS = 90_000, 95_000, 99_000
BETWEEN_SALES = timedelta(minutes=3)
MONTHS = 12


@dataclass(frozen=True)
class Handed:
    """A number that was the first one's until that day, and the second one's from it on."""

    number: Identifier
    giver: int
    taker: int
    day: datetime


def mistyped(sales: Iterable[Said], population: Population, seed: int, untruths: Untruths) -> Iterator[Said]:
    """The sales, as they were typed in: now and then with a stranger's number, or with one that nobody has."""
    chance = random.Random(f"{seed}-clerks")
    scribe = Scribe(f"{population.tag}-e", chance)
    for place, sale in enumerate(sales):
        wrong = _wrong_number(chance, population, sale, place, untruths) if len(sale.named) > 1 else None
        if wrong is None:
            yield sale
        else:
            yield scribe.says(
                Moment(sale.actor, sale.at, sale.door), "Order Completed", sale.named[0], wrong, untrue=True
            )


def _wrong_number(
    chance: random.Random, population: Population, sale: Said, place: int, untruths: Untruths
) -> Identifier | None:
    fate = chance.random()
    if fate < untruths.misheard:
        buyer = population.persons[sale.actor]
        return chance.choice([one for one in population.persons if one.household != buyer.household]).phone
    return phone(population.tag, _NOBODYS + place) if fate < untruths.misheard + untruths.slips else None


def one_for_everybody(
    population: Population, seed: int, days: Sequence[datetime], untruths: Untruths
) -> Iterator[Said]:
    """Clerks who type the shop's own number for whoever gives none, all on one day, a few minutes apart."""
    chance = random.Random(f"{seed}-everybody")
    scribe = Scribe(f"{population.tag}-x", chance)
    with_card = [(one.number, one.card) for one in population.persons if one.card]
    for clerk, customers in enumerate(untruths.everybody):
        number = phone(population.tag, _SHOPS + clerk)
        at = some_time(chance, chance.choice(days[:-1]))
        for buyer, card in chance.sample(with_card, customers):
            yield scribe.says(Moment(buyer, at, "till"), "Order Completed", card, number, untrue=True)
            at += BETWEEN_SALES


def handed_on(population: Population, seed: int, days: Sequence[datetime], yearly: float) -> Iterator[Handed]:
    """A month's share of numbers that go to somebody else: at least two, each from a member to a cardholder."""
    chance = random.Random(f"{seed}-handed")
    givers = [one for one in population.persons if one.user]
    takers = [one for one in population.persons if one.card]
    for place in range(max(2, round(len(population.persons) * yearly / MONTHS))):
        giver = chance.choice(givers)
        taker = chance.choice([one for one in takers if one.household != giver.household])
        day = chance.choice(days[5:-5])
        yield Handed(phone(population.tag, _OLD_NUMBERS + place), giver.number, taker.number, day)


def told_of(handed: Iterable[Handed], population: Population, seed: int, days: Sequence[datetime]) -> Iterator[Said]:
    """The giver's account states the number before that day, the taker gives it at the till from it on."""
    chance = random.Random(f"{seed}-told")
    scribe = Scribe(f"{population.tag}-h", chance)
    for one in handed:
        giver, taker = population.persons[one.giver], population.persons[one.taker]
        before, after = [day for day in days if day < one.day], [day for day in days if day >= one.day]
        yield scribe.says(_on(chance, giver, before, "server"), "Order Completed", *_sure(giver.user), one.number)
        yield scribe.says(_on(chance, taker, after, "till"), "Order Completed", *_sure(taker.card), one.number)


def _on(chance: random.Random, person: Person, days: Sequence[datetime], door: Door) -> Moment:
    return Moment(person.number, some_time(chance, chance.choice(days)), door)


def _sure(one: Identifier | None) -> tuple[Identifier, ...]:
    return () if one is None else (one,)
