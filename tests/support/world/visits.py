"""People on the shop's pages: browsers, cookies that are deleted, logins, orders, addresses typed into forms."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from support.world import shares
from support.world.people import Device, Person, Population
from support.world.saying import Moment, Said, Scribe
from tern_common.identifiers import Identifier

STEP = timedelta(seconds=40)
BEGINS, ENDS = timedelta(hours=7), timedelta(hours=23)


class Visit(NamedTuple):
    at: datetime
    person: Person
    device: Device


class _Jar:
    """The cookie of one browser. It ends when its owner wipes it, or after a week without a visit if it is short."""

    def __init__(self, device: Device, wiped: datetime | None) -> None:
        self._device = device
        self._wiped = wiped
        self._seen: datetime | None = None
        self._number = 0

    def cookie(self, at: datetime) -> Identifier:
        if self._seen is not None and self._is_gone(self._seen, at):
            self._number += 1
        self._seen = at
        return Identifier("anonymous_id", f"{self._device.name}-{self._number}")

    def _is_gone(self, seen: datetime, at: datetime) -> bool:
        forgotten = self._device.short and at - seen > shares.SHORT_LIFE
        return forgotten or (self._wiped is not None and seen < self._wiped <= at)


def some_time(chance: random.Random, day: datetime) -> datetime:
    """A moment of that day at which people are awake."""
    return day + BEGINS + chance.random() * (ENDS - BEGINS)


def visits(population: Population, seed: int, days: Sequence[datetime], *, careless: bool) -> Iterator[Said]:
    """All that the pages and their servers say of a month, in the order in which it happens."""
    chance = random.Random(f"{seed}-visits")
    scribe = Scribe(population.tag, chance)
    jars = {
        one.name: _Jar(one, some_time(chance, chance.choice(days)) if one.wipes else None)
        for one in (*population.devices, population.kiosk)
    }
    for visit in sorted(_planned(population, chance, days), key=lambda visit: visit.at):
        cookie = jars[visit.device.name].cookie(visit.at)
        if visit.person.user and chance.random() < shares.SIGNED_IN:
            yield from _signed_in(chance, scribe, visit, visit.person.user, cookie)
        else:
            yield from _anonymous(chance, scribe, visit, cookie, careless)


def accounts(population: Population, seed: int, days: Sequence[datetime]) -> Iterator[Said]:
    """The shop's server tells of each account once: its contacts and, if she added it, her card."""
    chance = random.Random(f"{seed}-accounts")
    scribe = Scribe(f"{population.tag}-a", chance)
    for person in population.persons:
        if person.user:
            card = (person.card,) if person.card and chance.random() < shares.CARD_IN_ACCOUNT else ()
            moment = Moment(person.number, some_time(chance, chance.choice(days)), "server")
            yield scribe.says(moment, None, person.user, *card, *person.contacts)


def _planned(population: Population, chance: random.Random, days: Sequence[datetime]) -> Iterator[Visit]:
    own: dict[int, list[Device]] = {}
    for device in population.devices:
        for number in device.users:
            own.setdefault(number, []).append(device)
    for person in population.persons:
        for _ in range(1 + round(chance.expovariate(1 / shares.VISITS))):
            in_store = person.user is not None and chance.random() < shares.KIOSK
            device = population.kiosk if in_store else chance.choice(own[person.number])
            yield Visit(some_time(chance, chance.choice(days)), person, device)


def _signed_in(
    chance: random.Random, scribe: Scribe, visit: Visit, user: Identifier, cookie: Identifier
) -> Iterator[Said]:
    person, at = visit.person, visit.at
    yield scribe.says(Moment(person.number, at, "browser"), "Signed In", user, cookie)
    for _ in range(chance.randint(*shares.VIEWS)):
        at += STEP
        yield scribe.says(Moment(person.number, at, "browser"), "Product Viewed", user, cookie)
    if chance.random() < shares.ORDERS:
        moment = Moment(person.number, at + STEP, "server")
        yield scribe.says(moment, "Order Completed", user, cookie, *person.contacts)


def _anonymous(
    chance: random.Random, scribe: Scribe, visit: Visit, cookie: Identifier, careless: bool
) -> Iterator[Said]:
    person, at = visit.person, visit.at
    for _ in range(chance.randint(*shares.VIEWS)):
        yield scribe.says(Moment(person.number, at, "browser"), "Product Viewed", cookie)
        at += STEP
    if chance.random() < shares.SIGNS_UP:
        yield scribe.says(Moment(person.number, at, "browser"), None, cookie, _typed(chance, person.email))
    contacts = person.contacts if careless else person.own_contacts
    if contacts and chance.random() < shares.ORDERS:
        yield scribe.says(Moment(person.number, at + STEP, "server"), "Order Completed", cookie, *contacts)


def _typed(chance: random.Random, email: Identifier) -> Identifier:
    """Her address as she types it into a form: sometimes two letters change places, and it is nobody's."""
    if chance.random() >= shares.MISTYPED_EMAIL:
        return email
    return Identifier("email", email.value[1] + email.value[0] + email.value[2:])
