"""Random shops: what happens, when it is acknowledged, and a run of the service that meets it in any order.

Everything acknowledged within one slot is delivered within it, shuffled, copied and cut into batches at random: so the
run and the oracle know the same at every decision, which is all that the theorem asks for (triggers.md §10).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tern_common.commerce import Item
from tern_triggers.domain.facts import Body, Fact, distinct, precedence
from tern_triggers.domain.news import Former, Membership, News, ProfileNews
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.domain.view import Verdicts
from unit.triggers.fast_rules import EVENTS, POLICY, RULES
from unit.triggers.node import Node
from unit.triggers.oracle import Oracle, World
from unit.triggers.saying import at

SLOTS = 180
PERSONS = 2
FEW = 4
"""Rules in a scenario, unless it is told which: few, so that many can be played."""


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

    def __init__(self, seed: int, rules: Sequence[Rule] | None = None) -> None:
        self.rnd = random.Random(seed)
        self.rules = self.rnd.sample(RULES, FEW) if rules is None else list(rules)
        self.reads = ruleset(self.rules).reads
        self.links = {person: self.rnd.randrange(5, SLOTS - 40) for person in range(PERSONS)}
        self.said = [Said(slot, self._link(person)) for person, slot in self.links.items()]
        self.facts: list[tuple[int, Fact]] = []
        self.profiles: list[tuple[int, ProfileNews]] = []
        for person in range(PERSONS):
            self._tell_profiles(customer(2 * person))
        for number in range(self.rnd.randrange(10, 60)):
            self._happen(number)

    def _tell_profiles(self, name: str) -> None:
        rnd = self.rnd
        for rev, slot in enumerate(sorted(rnd.sample(range(SLOTS - 60), rnd.randrange(0, 5)))):
            classes = {"vip": at(rnd.randrange(max(0, slot - 40), slot + 1))} if rnd.random() < 0.6 else {}
            traits = {"birthday": rnd.choice(["1990-03-03", "1990-03-03", "1990-09-09"])} if rnd.random() < 0.7 else {}
            news = ProfileNews(name, rev, None, Verdicts(traits=traits, classes=classes))
            self.profiles.append((slot, news))
            self.said.append(Said(slot, News(profile=news)))

    def _link(self, person: int) -> News:
        mine, other = customer(2 * person), customer(2 * person + 1)
        return News((Membership(home(2 * person + 1), mine, 2, False),), (Former(other, mine, 2),))

    def holder(self, number: int, slot: int) -> str:
        """Whose a home is, as known in a slot."""
        return customer(number - 1 if number % 2 and self.links[number // 2] <= slot else number)

    def _happen(self, number: int) -> None:
        rnd = self.rnd
        minute = rnd.choice([rnd.randrange(0, 60), rnd.randrange(0, SLOTS - 60)]) + rnd.choice([0, 0, 0.5])
        passive = rnd.random() < 0.12
        delay = rnd.randrange(0, 50) if passive else rnd.choice([0, 0, 1, 2, 4])
        where = rnd.randrange(2 * PERSONS)
        fact = self._fact(number, home(where), minute, passive)
        if not (fact.kind in self.reads.kinds or fact.key in self.reads.events):
            return
        self._say(fact, int(minute) + 1 + delay)
        if rnd.random() < 0.1:  # a copy of the message with another clock
            self._say(replace(fact, at=at(minute + 1)), int(minute) + rnd.choice([1 + delay, 2, 5, 9]))

    def _say(self, fact: Fact, slot: int) -> None:
        self.facts.append((slot, fact))
        where = int(fact.home_id, 16)
        self.said.append(Said(slot, News((Membership(fact.home_id, customer(where), 1, False),), facts=(fact,))))

    def _fact(self, number: int, where: str, minute: float, passive: bool) -> Fact:
        rnd = self.rnd
        kind = rnd.choices(
            ["cart", "checkout", "order", "refund", "cancel", "seen", "event"], [9, 2, 2, 0.5, 0.5, 3, 14]
        )[0]
        products = tuple(Item(p, rnd.choice([1, 1, 2])) for p in rnd.sample("abcd", rnd.randrange(0, 3)))
        cart_id = rnd.choice(["", "c1", "c2"])
        message_id = f"m{rnd.randrange(100, 999)}{number}"
        match kind:
            case "cart":
                key, body = cart_id, Body(how=rnd.choice(["snapshot", "add", "add", "remove"]), items=products)
            case "checkout":
                key, body = cart_id, Body(items=products if rnd.random() < 0.5 else ())
            case "order":
                key, body = f"o{rnd.randrange(5)}", Body(cart_id=cart_id, items=products)
            case "seen":
                key, body = f"hour {int(minute) // 60}", Body(first=message_id, known=rnd.random() < 0.5)
                message_id = ""
            case "event":
                key, body = rnd.choice(EVENTS), Body(said=self._properties())
            case _:
                key, body = f"o{rnd.randrange(5)}", Body()
        return Fact(where, kind, key, message_id, at(minute), passive, body)  # type: ignore[arg-type]

    def _properties(self) -> dict[str, str | int | float | bool]:
        rnd = self.rnd
        said: dict[str, str | int | float | bool] = {"score": rnd.randrange(11), "seconds": rnd.randrange(-3, 9)}
        if rnd.random() < 0.9:
            said["ticket_id"] = rnd.choice(["t1", "t2"])
        return said | ({"product_id": rnd.choice("ab")} if rnd.random() < 0.9 else {})

    def world(self, slot: int) -> World:
        """All that was acknowledged before the end of a slot."""
        kept: dict[tuple[str, str, str, str], Fact] = {}
        stated = [fact for when, fact in self.facts if when <= slot]
        for fact in stated:
            if fact.name not in kept or precedence(fact) < precedence(kept[fact.name]):
                kept[fact.name] = fact
        linked = {home(2 * person + 1) for person, when in self.links.items() if when <= slot}
        heard = {fact.home_id for fact in stated} | linked
        holders = {home(n): self.holder(n, slot) for n in range(2 * PERSONS) if home(n) in heard}
        profiles = {news.customer_id: news.verdicts for when, news in self.profiles if when <= slot}
        return World(holders, distinct(kept.values()), stated, profiles)


def expected(scenario: Scenario) -> Oracle:
    """What the oracle says about a scenario."""
    oracle = Oracle(scenario.rules, POLICY)
    news = {said.slot for said in scenario.said}
    world = scenario.world(0)
    for slot in range(SLOTS):
        world = scenario.world(slot) if slot in news else world
        oracle.slot(at(slot + 1), world)
    return oracle


def run(scenario: Scenario, seed: int) -> Node:
    """One of the many ways in which the service can meet it."""
    rnd = random.Random(seed)
    node = Node(scenario.rules, POLICY)
    for slot in range(SLOTS):
        fresh = [said.news for said in scenario.said if said.slot == slot]
        old = [said.news for said in scenario.said if said.slot < slot]
        items = (
            fresh
            + rnd.sample(fresh, len(fresh) // 2)
            + rnd.sample(old, min(len(old), rnd.choice([0, 0, 1, 2] if fresh else [0] * 9 + [1])))
        )
        rnd.shuffle(items)
        while items:
            cut = rnd.randrange(1, len(items) + 1)
            node.batch(items[:cut], _during(slot, rnd))
            items = items[cut:]
        if fresh:
            node.check_agenda()
        node.fire(at(slot + 1))
    return node


def _during(slot: int, rnd: random.Random) -> datetime:
    return at(slot) + timedelta(seconds=rnd.randrange(60))
