"""A reference that knows everything it may know from the start, and computes it the slow, plain way.

At every slot it walks each customer's whole story in order of time: no agenda, no exits as maxima, no fold of the
service's. It shares with the service only its facts, its rules and the names of triggers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tern_triggers.domain.decisions import trigger_id
from tern_triggers.domain.facts import Fact
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Inactivity


class Waiting(NamedTuple):
    """A cycle that goes on: since when, from which message and home, until when it was quiet, and after what."""

    key: str
    started: datetime
    message_id: str
    home_id: str
    anchor: datetime
    ended_before: datetime | None


class Verdict(NamedTuple):
    """What the oracle decided."""

    rule: str
    key: str
    trigger_id: str
    home_id: str
    anchor: datetime
    due: datetime
    round: datetime
    fired: bool
    decided_at: datetime


class World(NamedTuple):
    """All that is known at a slot: whose the homes are, the facts, who may be mailed."""

    holders: Mapping[str, str]
    facts: Sequence[Fact]
    granted: frozenset[str]


class Oracle:
    """`slot` is called once for every slot, with all that was acknowledged before it."""

    def __init__(self, rules: Sequence[Inactivity], policy: Policy) -> None:
        self.rules = rules
        self.policy = policy
        self.verdicts: list[Verdict] = []
        self._world: World | None = None
        self._found: list[tuple[Inactivity, str, Waiting, timedelta]] = []

    def slot(self, at: datetime, world: World) -> None:
        """Decides everything that is ready at `at`. The same `world` as before is not walked again."""
        if world is not self._world:
            self._world, self._found = world, list(self._walk(world))
        for rule, customer, waiting, wait in self._found:
            self._decide(rule, waiting, wait, at, customer, world)

    def _walk(self, world: World) -> Iterator[tuple[Inactivity, str, Waiting, timedelta]]:
        for customer in sorted(set(world.holders.values())):
            own = [fact for fact in world.facts if world.holders[fact.home_id] == customer]
            for rule in self.rules:
                for waiting, wait in self._waiting(rule, customer, own, world):
                    yield rule, customer, waiting, wait

    def _waiting(
        self, rule: Inactivity, customer: str, own: Sequence[Fact], world: World
    ) -> Iterable[tuple[Waiting, timedelta]]:
        if rule.fold == "orders":
            found = walk_orders(own)
            return [(found, rule.steps[0].after)] if found else []
        keys = {fact.key for fact in own if fact.kind == "cart"}
        carts = [walk_cart(rule, key, own, world.facts, self.policy.settle) for key in sorted(keys)]
        return [(cart, rule.steps[0].after) for cart in carts if cart and self._holds(customer, cart.key, world)]

    def _holds(self, customer: str, key: str, world: World) -> bool:
        touching = [f for f in world.facts if f.kind in ("cart", "checkout") and f.key == key]
        last = max(touching, key=lambda fact: (fact.at, fact.message_id, fact.home_id))
        return key == "" or world.holders[last.home_id] == customer

    def _decide(
        self, rule: Inactivity, waiting: Waiting, wait: timedelta, at: datetime, customer: str, world: World
    ) -> None:
        for old in self.verdicts:
            same = (old.rule, old.key) == (rule.rule, waiting.key)
            mine = bool(waiting.key) or world.holders[old.home_id] == customer
            if same and mine and (waiting.ended_before is None or old.anchor > waiting.ended_before):
                return
        due = waiting.anchor + wait
        ready = rounded(due + self.policy.grace, self.policy.slot)
        if ready > at:
            return
        round_ = ready if at - ready <= self.policy.tolerance else at
        fired = customer in world.granted and at <= due + rule.steps[0].expires_after
        name = trigger_id(rule.rule, waiting.key, waiting.message_id, 0)
        self.verdicts.append(
            Verdict(rule.rule, waiting.key, name, waiting.home_id, waiting.anchor, due, round_, fired, at)
        )


def rounded(at: datetime, slot: timedelta) -> datetime:
    """Up to the next full slot; slots here are minutes."""
    floor = at.replace(second=0, microsecond=0)
    assert slot == timedelta(minutes=1)
    return floor if floor == at else floor + slot


def walk_cart(
    rule: Inactivity, key: str, own: Sequence[Fact], everyone: Sequence[Fact], settle: timedelta
) -> Waiting | None:
    """One cart's story, told forwards."""
    contents: dict[str, int] = {}
    seen: set[str] = set()
    cycle: list[Fact] = []
    blocked: datetime | None = None
    for fact in sorted(_about(key, own, everyone), key=_told):
        before = dict(contents)
        if fact.kind == "cart":
            contents = _apply(contents, fact)
            seen |= {item.product_id for item in fact.body.items if item.quantity}
        if _ends(key, fact, before, contents, fact in own, seen):
            echo = settle if fact.kind == "order" else timedelta()
            cycle, blocked = [], _later(blocked, fact.at + echo)
        elif contents and contents != before and not fact.passive and (blocked is None or fact.at > blocked):
            cycle.append(fact)
    if not contents or not cycle:
        return None
    first, last = cycle[0], cycle[-1]
    anchor = min(last.at, first.at + rule.max_hold)
    return Waiting(key, first.at, first.message_id, first.home_id, anchor, blocked)


def _ends(key: str, fact: Fact, before: Mapping[str, int], after: Mapping[str, int], own: bool, seen: set[str]) -> bool:
    if fact.kind == "cart":
        return not after and (bool(before) or fact.body.how == "snapshot")
    if fact.kind == "order":
        return _names(key, fact) or (own and bool(seen & {item.product_id for item in fact.body.items}))
    return True


def _about(key: str, own: Sequence[Fact], everyone: Sequence[Fact]) -> list[Fact]:
    mine = [f for f in own if (f.kind in ("cart", "checkout") and f.key == key) or f.kind == "order"]
    return mine + [f for f in everyone if f.kind == "order" and _names(key, f) and f not in mine]


def _names(key: str, order: Fact) -> bool:
    return key != "" and order.body.cart_id == key


def _told(fact: Fact) -> tuple[datetime, bool, bool, str]:
    """At one instant: deltas, snapshots, then what ends things."""
    return fact.at, fact.kind != "cart", fact.body.how == "snapshot", fact.message_id


def _apply(contents: dict[str, int], fact: Fact) -> dict[str, int]:
    found = {} if fact.body.how == "snapshot" else dict(contents)
    for item in fact.body.items:
        change = -item.quantity if fact.body.how == "remove" else item.quantity
        found[item.product_id] = max(0, found.get(item.product_id, 0) + change)
    return {product: quantity for product, quantity in found.items() if quantity}


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def walk_orders(own: Sequence[Fact]) -> Waiting | None:
    """All orders and their reversals, told forwards."""
    told = sorted(own, key=lambda fact: (fact.at, fact.message_id))
    known = {fact.key for fact in told if fact.kind == "order"}
    kept = known - {fact.key for fact in told if fact.kind in ("refund", "cancel")}
    stated: set[str] = set()
    last: Fact | None = None
    for fact in told:
        if fact.kind == "order":
            last = last if fact.key in stated else fact
            stated.add(fact.key)
        elif fact.kind in ("refund", "cancel") and fact.key in known:
            last = fact
    if last is None or not kept:
        return None
    just_before = last.at - timedelta(microseconds=1)
    return Waiting("", last.at, last.message_id, last.home_id, last.at, just_before)
