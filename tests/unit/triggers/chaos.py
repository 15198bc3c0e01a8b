"""Random shops: what happens, when it is acknowledged, and a run of the service that meets it in any order.

Everything acknowledged within one slot is delivered within it, shuffled, copied and cut into batches at random: so the
run and the oracle know the same at every decision, which is all that the theorem asks for (triggers.md §10).
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import NamedTuple

from tern_common.commerce import Item
from tern_triggers.domain.facts import Body, Fact, distinct, precedence
from tern_triggers.domain.news import Former, Membership, News, ProfileNews
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Inactivity, ruleset
from tern_triggers.domain.view import Verdicts
from unit.triggers.node import Node
from unit.triggers.oracle import Oracle, World
from unit.triggers.saying import CART, RECALL, at

SLOTS = 260
PERSONS = 3
POLICY = Policy(version=1)
FAST_CART = Inactivity.model_validate(
    {**CART.model_dump(mode="json"), "max_hold": "70m", "steps": [{"after": "30m", "expires_after": "60m"}]}
)
FAST_RECALL = Inactivity.model_validate(
    {**RECALL.model_dump(mode="json"), "personal": None, "steps": [{"after": "45m", "expires_after": "40m"}]}
)
RULES = [FAST_CART, FAST_RECALL]
RULESET = ruleset(RULES)


class Said(NamedTuple):
    """One record: acknowledged in this slot."""

    slot: int
    news: News


def customer(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def home(number: int) -> str:
    return f"{number:032x}"


class Scenario:
    """Homes 2p and 2p+1 are person p's; the odd one is a stranger's until a link is known."""

    def __init__(self, seed: int) -> None:
        self.rnd = random.Random(seed)
        self.links = {person: self.rnd.randrange(5, SLOTS - 40) for person in range(PERSONS)}
        self.granted = frozenset(customer(2 * p) for p in range(PERSONS) if self.rnd.random() < 0.8)
        self.said = [
            *(Said(0, self._profile(name)) for name in sorted(self.granted)),
            *(Said(slot, self._link(person)) for person, slot in self.links.items()),
        ]
        self.facts: list[tuple[int, Fact]] = []
        for number in range(self.rnd.randrange(8, 40)):
            self._happen(number)

    def _profile(self, name: str) -> News:
        return News(profile=ProfileNews(name, 1, None, Verdicts(consent={"marketing": {"email": True}})))

    def _link(self, person: int) -> News:
        mine, other = customer(2 * person), customer(2 * person + 1)
        return News((Membership(home(2 * person + 1), mine, 2, False),), (Former(other, mine, 2),))

    def holder(self, number: int, slot: int) -> str:
        """Whose a home is, as known in a slot."""
        return customer(number - 1 if number % 2 and self.links[number // 2] <= slot else number)

    def _happen(self, number: int) -> None:
        rnd = self.rnd
        minute = rnd.choice([rnd.randrange(0, 60), rnd.randrange(0, SLOTS - 90)]) + rnd.choice([0, 0, 0.5])
        passive = rnd.random() < 0.15
        delay = rnd.randrange(0, 90) if passive else rnd.choice([0, 0, 1, 2, 4])
        where = rnd.randrange(2 * PERSONS)
        fact = self._fact(number, home(where), minute, passive)
        self._say(fact, int(minute) + 1 + delay)
        if rnd.random() < 0.1:  # a copy of the message with another clock
            self._say(
                Fact(fact.home_id, fact.kind, fact.key, fact.message_id, at(minute + 1), passive, fact.body),
                int(minute) + 3,
            )

    def _say(self, fact: Fact, slot: int) -> None:
        self.facts.append((slot, fact))
        where = int(fact.home_id, 16)
        self.said.append(Said(slot, News((Membership(fact.home_id, customer(where), 1, False),), facts=(fact,))))

    def _fact(self, number: int, where: str, minute: float, passive: bool) -> Fact:
        rnd = self.rnd
        kind = rnd.choices(["cart", "checkout", "order", "refund", "cancel"], [10, 1, 2, 0.5, 0.5])[0]
        products = tuple(Item(p, rnd.choice([1, 1, 2])) for p in rnd.sample("abcd", rnd.randrange(0, 3)))
        cart_id = rnd.choice(["", "c1", "c2", "c3"])
        message_id = f"m{rnd.randrange(100, 999)}{number}"
        if kind == "cart":
            how = rnd.choice(["snapshot", "add", "add", "remove"])
            return Fact(where, "cart", cart_id, message_id, at(minute), passive, Body(how=how, items=products))  # type: ignore[arg-type]
        if kind == "checkout":
            return Fact(where, "checkout", cart_id, message_id, at(minute), passive, Body())
        order_id = f"o{rnd.randrange(4)}"
        body = Body(cart_id=cart_id, items=products) if kind == "order" else Body()
        return Fact(where, kind, order_id, message_id, at(minute), passive, body)  # type: ignore[arg-type]

    def world(self, slot: int) -> World:
        """All that was acknowledged before the end of a slot."""
        kept: dict[tuple[str, str, str, str], Fact] = {}
        for when, fact in self.facts:
            if when <= slot and (fact.name not in kept or precedence(fact) < precedence(kept[fact.name])):
                kept[fact.name] = fact
        holders = {home(number): self.holder(number, slot) for number in range(2 * PERSONS)}
        return World(holders, distinct(kept.values()), self.granted)


def expected(scenario: Scenario) -> Oracle:
    """What the oracle says about a scenario."""
    oracle = Oracle(RULES, POLICY)
    news = {*(slot for slot, _ in scenario.facts), *scenario.links.values()}
    world = scenario.world(0)
    for slot in range(SLOTS):
        world = scenario.world(slot) if slot in news else world
        oracle.slot(at(slot + 1), world)
    return oracle


def run(scenario: Scenario, seed: int) -> Node:
    """One of the many ways in which the service can meet it."""
    rnd = random.Random(seed)
    node = Node(RULES, POLICY)
    for slot in range(SLOTS):
        fresh = [said.news for said in scenario.said if said.slot == slot]
        old = [said.news for said in scenario.said if said.slot < slot]
        items = fresh + rnd.sample(fresh, len(fresh) // 2) + rnd.sample(old, min(len(old), rnd.choice([0, 0, 1, 2])))
        rnd.shuffle(items)
        while items:
            cut = rnd.randrange(1, len(items) + 1)
            node.batch(items[:cut], _during(slot, rnd))
            items = items[cut:]
            node.check_agenda()
        node.fire(at(slot + 1))
    return node


def _during(slot: int, rnd: random.Random) -> datetime:
    return at(slot) + timedelta(seconds=rnd.randrange(60))
