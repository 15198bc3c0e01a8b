"""The store's tills: a trusted source that sends a month at once. A sale knows a card, a phone, or both."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime

from support.world import shares
from support.world.people import Population
from support.world.saying import Moment, Said, Scribe
from support.world.visits import some_time


def sales(population: Population, seed: int, days: Sequence[datetime], *, careless: bool) -> Iterator[Said]:
    """Who buys in the store. Unless clerks are careless, a phone is only taken when it is the customer's alone."""
    chance = random.Random(f"{seed}-till")
    scribe = Scribe(population.tag, chance)
    for person in population.persons:
        for _ in range(round(chance.expovariate(1 / shares.SALES))):
            gives_phone = (careless or person.own_phone) and chance.random() < shares.PHONE_AT_TILL
            said = [one for one in (person.card, person.phone if gives_phone else None) if one]
            if said:
                moment = Moment(person.number, some_time(chance, chance.choice(days)), "till")
                yield scribe.says(moment, "Order Completed", *said)
