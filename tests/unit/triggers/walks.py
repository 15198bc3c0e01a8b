"""What is waited for, told forwards, the slow plain way: carts, checkouts, looking around, orders, absence, filters.

Shares with the service only its facts and its rules: no exits as maxima, no folds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tern_triggers.domain.facts import Fact

TICK = timedelta(microseconds=1)


class Waiting(NamedTuple):
    """A cycle that goes on: since when, from which message and home, until when it was quiet, and after what."""

    key: str
    started: datetime
    message_id: str
    home_id: str
    anchor: datetime
    ended_before: datetime | None = None
    about: str = ""


def _waiting(key: str, cycle: Sequence[Fact], last: datetime, hold: timedelta, ended: datetime | None) -> Waiting:
    first = cycle[0]
    return Waiting(key, first.at, first.message_id, first.home_id, min(last, first.at + hold), ended)


class Contents:
    """One cart as it fills and empties."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.seen: set[str] = set()
        self.listed = False

    def take(self, fact: Fact) -> str:
        """'changed', 'emptied' or ''."""
        self.seen |= {item.product_id for item in fact.body.items if item.quantity}
        if fact.kind == "checkout":
            self.listed = self.listed or bool(fact.body.items)
            return ""
        before, self.now = self.now, _apply(self.now, fact)
        if not self.now:
            return "emptied" if before or fact.body.how == "snapshot" else ""
        return "changed" if self.now != before else ""


def walk_cart(rule: Any, key: str, own: Sequence[Fact], stated: Sequence[Fact], settle: timedelta) -> Waiting | None:
    """One cart's story. `stated`: every statement of every fact of anybody."""
    cart, cycle, blocked = Contents(), list[Fact](), None
    for fact in sorted(_about(key, own, stated), key=_told):
        happened = cart.take(fact) if fact.kind != "order" else ""
        if happened == "emptied" or fact.kind == "checkout":
            cycle, blocked = [], _later(blocked, fact.at)
        elif _orders(key, fact, own, cart):
            cycle, blocked = [], _later(blocked, fact.at + settle)
        elif happened == "changed" and not fact.passive and (blocked is None or fact.at > blocked):
            cycle.append(fact)
    return _waiting(key, cycle, cycle[-1].at, rule.max_hold, blocked) if cart.now and cycle else None


def walk_checkout(
    rule: Any, key: str, own: Sequence[Fact], stated: Sequence[Fact], settle: timedelta
) -> Waiting | None:
    """The other side of it: begun by a checkout, over with the next change."""
    cart, cycle, blocked = Contents(), list[Fact](), None
    for fact in sorted(_about(key, own, stated), key=_told):
        happened = cart.take(fact) if fact.kind != "order" else ""
        if happened:
            cycle, blocked = [], _later(blocked, fact.at if happened == "emptied" else fact.at - TICK)
        elif _orders(key, fact, own, cart):
            cycle, blocked = [], _later(blocked, fact.at + settle)
        elif fact.kind == "checkout" and not fact.passive and (blocked is None or fact.at > blocked):
            cycle += [fact] if cart.now or cart.listed else []
    return _waiting(key, cycle, cycle[-1].at, rule.max_hold, blocked) if cycle else None


def _orders(key: str, fact: Fact, own: Sequence[Fact], cart: Contents) -> bool:
    if fact.kind != "order":
        return False
    return _names(key, fact) or (fact in own and bool(cart.seen & {item.product_id for item in fact.body.items}))


def _about(key: str, own: Sequence[Fact], stated: Sequence[Fact]) -> list[Fact]:
    mine = [f for f in own if (f.kind in ("cart", "checkout") and f.key == key) or f.kind == "order"]
    return mine + [f for f in stated if f.kind == "order" and _names(key, f) and f not in mine]


def _names(key: str, order: Fact) -> bool:
    return key != "" and order.body.cart_id == key


def _told(fact: Fact) -> tuple[datetime, int, bool, str]:
    """At one instant: deltas, snapshots, then checkouts, then orders."""
    return fact.at, ["cart", "checkout", "order"].index(fact.kind), fact.body.how == "snapshot", fact.message_id


def _apply(contents: Mapping[str, int], fact: Fact) -> dict[str, int]:
    found = {} if fact.body.how == "snapshot" else dict(contents)
    for item in fact.body.items:
        change = -item.quantity if fact.body.how == "remove" else item.quantity
        found[item.product_id] = max(0, found.get(item.product_id, 0) + change)
    return {product: quantity for product, quantity in found.items() if quantity}


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def walk_views(rule: Any, own: Sequence[Fact]) -> Waiting | None:
    """Looking around, until something comes of it."""
    carts: dict[str, Contents] = {}
    cycle, blocked = list[Fact](), None
    for fact in sorted(own, key=lambda f: (f.at, f.kind != "event", f.body.how == "snapshot", f.message_id)):
        came = fact.kind in ("checkout", "order")
        if fact.kind == "cart":
            came = carts.setdefault(fact.key, Contents()).take(fact) == "changed"
        if came:
            cycle, blocked = [], fact.at
        elif (fact.kind, fact.key) == ("event", "product viewed") and not fact.passive:
            cycle += [fact] if blocked is None or fact.at > blocked else []
    return _waiting("", cycle, cycle[-1].at, rule.max_hold, blocked) if cycle else None


def walk_orders(own: Sequence[Fact]) -> Waiting | None:
    """All orders and their reversals."""
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
    if last is None or not kept or last.passive:
        return None
    return Waiting("", last.at, last.message_id, last.home_id, last.at, last.at - TICK)


def walk_first(own: Sequence[Fact]) -> Waiting | None:
    """The one kept order, as long as there is one."""
    known: dict[str, Fact] = {}
    for fact in sorted(own, key=lambda fact: (fact.at, fact.message_id)):
        if fact.kind == "order":
            known.setdefault(fact.key, fact)
    undone = {fact.key for fact in own if fact.kind in ("refund", "cancel")}
    kept = [fact for key, fact in known.items() if key not in undone]
    if len(kept) != 1 or kept[0].passive:
        return None
    (first,) = kept
    return Waiting(first.key, first.at, first.message_id, first.home_id, first.at)


def walk_days(own: Sequence[Fact]) -> Waiting | None:
    """The last time that somebody was seen."""
    days = [fact for fact in own if fact.kind == "seen"]
    last = max(days, key=lambda fact: (fact.at, fact.body.first), default=None)
    if last is None or last.passive or not any(fact.body.known for fact in days):
        return None
    return Waiting("", last.at, last.body.first, last.home_id, last.at, last.at - TICK)


def walk_filters(rule: Any, own: Sequence[Fact]) -> Iterator[Waiting]:
    """Started, reset, ended, by key."""
    events = named(own, *rule.start.keys, *rule.reset.keys, *rule.exit.keys)
    for key in sorted({str(fact.body.said[rule.key]) for fact in events if rule.key in fact.body.said}):
        cycle, last, blocked = list[Fact](), None, None
        for fact in sorted(events, key=lambda f: (f.at, f.key in rule.exit.keys, f.message_id)):
            if str(fact.body.said.get(rule.key)) != key:
                continue
            if fact.key in rule.exit.keys:
                cycle, blocked = [], fact.at
            elif not fact.passive and (cycle or fact.key in rule.start.keys) and (not blocked or fact.at > blocked):
                cycle, last = [*cycle, fact] if fact.key in rule.start.keys else cycle, fact.at
        if cycle and last is not None:
            yield _waiting(key, cycle, last, rule.max_hold, blocked)


def walk_events(rule: Any, own: Sequence[Fact], passes: Any) -> Iterator[Waiting]:
    """Each event that matches and that no exit followed."""
    for fact in named(own, *rule.of.keys):
        key = "" if rule.key is None else str(fact.body.said.get(rule.key, ""))
        if fact.passive or not passes(fact) or (rule.key and not key):
            continue
        ended = [f for f in named(own, *rule.exit.keys) if not rule.key or str(f.body.said.get(rule.key)) == key]
        if not any(end.at >= fact.at for end in ended):
            yield Waiting(key, fact.at, fact.message_id, fact.home_id, fact.at, None, fact.message_id)


def named(facts: Iterable[Fact], *names: str) -> list[Fact]:
    """The events of these names, in order."""
    found = [fact for fact in facts if fact.kind == "event" and fact.key in names]
    return sorted(found, key=lambda fact: (fact.at, fact.message_id))
