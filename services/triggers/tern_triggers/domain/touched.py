"""Whom a batch concerns: the customers that must be locked before it is written, and when to look at each.

*Touched* are the holders before and after a membership change, customers that begin or cease to be shared, those with a
fact that a live rule reads, the holders of a cart that a foreign event can end, and those of whose profile something
changed that rules count from (triggers.md §4.3). A home seen for the first time brings nothing with it, so it touches
nobody; all else in a profile moves no ready time and is read when a decision is taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from math import ceil
from typing import NamedTuple

import msgspec

from tern_triggers.domain.agenda import LOOK_NOW, Plan, join, plan_for
from tern_triggers.domain.facts import Fact, cart_of
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.folds.dates import said_at
from tern_triggers.domain.folds.matching import key_in, matches
from tern_triggers.domain.news import Batch, Membership
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Change, Count, Date, OnEvent, Rule, Ruleset
from tern_triggers.domain.view import Verdicts


class CartKnown(NamedTuple):
    """A row of `cart_key`: the cart's newest event and the newest order that names it, over all customers."""

    newest: Newest | None
    ordered: Ordered | None


_UNKNOWN = CartKnown(None, None)
_SILENT = Verdicts()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows of a batch: memberships by home, cart keys by cart, homes of open decisions by cart.

    `profiles`: the copies of those `of_interest`, by customer.
    """

    memberships: Mapping[str, Membership]
    carts: Mapping[str, CartKnown] = {}
    open_homes: Mapping[str, Sequence[str]] = {}
    profiles: Mapping[str, Verdicts] = {}


def membership_of(home_id: str, batch: Batch, known: Known) -> Membership | None:
    """The home's membership once the batch is written."""
    said, kept = batch.memberships.get(home_id), known.memberships.get(home_id)
    if said is None or kept is None:
        return said or kept
    return said if said.replaces(kept) else kept


def held_by(home_id: str, batch: Batch, known: Known) -> str | None:
    """Whose the home is once the batch is written; nobody's when it was erased."""
    found = membership_of(home_id, batch, known)
    return None if found is None else found.customer_id


def erased(batch: Batch, known: Known) -> set[str]:
    """The batch's homes of which nothing may be kept."""
    found = (membership_of(home_id, batch, known) for home_id in batch.memberships)
    return {one.home_id for one in found if one is not None and one.is_erased}


def moved(batch: Batch, known: Known) -> list[tuple[Membership, Membership]]:
    """(before, after) of each home that changes hands."""
    pairs = ((known.memberships.get(home_id), said) for home_id, said in batch.memberships.items())
    return [
        (kept, said)
        for kept, said in pairs
        if kept is not None and said.replaces(kept) and kept.customer_id != said.customer_id
    ]


def turned(batch: Batch, known: Known) -> set[str]:
    """Customers that begin or cease to be shared while homes stay with them."""
    pairs = ((known.memberships.get(home_id), said) for home_id, said in batch.memberships.items())
    return {
        said.customer_id
        for kept, said in pairs
        if kept is not None
        and said.customer_id is not None
        and said.replaces(kept)
        and (kept.customer_id, not kept.shared) == (said.customer_id, said.shared)
    }


def touched(ruleset: Ruleset, batch: Batch, known: Known, policy: Policy) -> dict[str, Plan]:
    """The plan of each customer that the batch concerns. An empty plan: to be locked, but looked at no sooner."""
    plans: dict[str, list[Plan]] = {}
    changed = {side.customer_id for pair in moved(batch, known) for side in pair}
    turning = turned(batch, known) | _moved_zone(ruleset, batch, known, policy)
    for customer in changed | turning | _counted_from(ruleset, batch, known):
        if customer is not None:
            plans.setdefault(customer, []).append(LOOK_NOW)
    for fact in batch.facts.values():
        holder = held_by(fact.home_id, batch, known)
        if holder is not None:
            plans.setdefault(holder, []).append(_plan(ruleset, fact, holder, batch, known, policy))
    for fact in batch.statements:
        for other in _concerned(fact, batch, known):
            plans.setdefault(other, []).append(_plan_of_other(fact, known))
    return {customer: join(found) for customer, found in plans.items()}


class Enough(NamedTuple):
    """What there has to be of a customer's events of a name before something can be complete: so many with `part` in
    their body, so long apart. One: the event itself is the reason. None: no number of them tells."""

    event: str
    part: bytes
    least: int
    span: timedelta


Prompts = Mapping[str, Collection[Enough]]
"""Customer → what would be enough for something to be decided at once; any one of these, but none is sure to be."""

_LEAST_DAY = timedelta(hours=20)
_NUMBERS = "-.0123456789"
_EXACT = 15
"""Digits that every notation of a whole number shows."""


def prompted(ruleset: Ruleset, batch: Batch, known: Known) -> Prompts:
    """The customers for whom something may have to be decided at once: in the transaction that writes the batch (§3).

    A late event completes nothing itself, but may make up a count that a newer one completes; so may a merge.
    """
    found: dict[str, set[Enough]] = {}
    for fact in batch.facts.values():
        holder = held_by(fact.home_id, batch, known) if fact.kind == "event" else None
        if holder is not None and (enough := set(_prompts_of(ruleset, fact))):
            found.setdefault(holder, set()).update(enough)
    counts = {one for rule in ruleset.prompting.rules if isinstance(rule, Count) for one in _enough(rule, b"")}
    for _, said in moved(batch, known):
        if said.customer_id is not None and counts:
            found.setdefault(said.customer_id, set()).update(one._replace(span=timedelta()) for one in counts)
    return found


def _prompts_of(ruleset: Ruleset, fact: Fact) -> Iterator[Enough]:
    for reader in ruleset.prompting.reading("event", fact.key):
        rule = reader.rule
        if isinstance(rule, Count | OnEvent) and matches(rule.of, fact):
            key = key_in(rule.key, fact)
            if key is not None:
                yield from _enough(rule, _part(key))


def _enough(rule: Count | OnEvent, part: bytes) -> Iterator[Enough]:
    """Of several names one has its share. A sum may be reached by any number of events."""
    least = 1 if isinstance(rule, OnEvent) else 0 if rule.sum is not None else ceil(rule.at_least / len(rule.of.keys))
    running = least if isinstance(rule, Count) and rule.days is not None and len(rule.of.keys) == 1 else 0
    span = max(running - 2, 0) * _LEAST_DAY
    return (Enough(name, part, least, span) for name in rule.of.keys)


def _part(key: str) -> bytes:
    """What stands in the body of every event of this key. A number can be written in many ways."""
    if key.strip(_NUMBERS):
        return msgspec.json.encode(key)
    return key.encode() if key.isdecimal() and len(key) <= _EXACT else b""


def of_interest(ruleset: Ruleset, batch: Batch, known: Known) -> set[str]:
    """The customers whose profile copies `Known.profiles` has, as far as there are any.

    Those with news of their profile, and those that a home is new to: a date may have waited for one.
    """
    return {*batch.profiles, *_newly_homed(batch, known)} if counts_from_profiles(ruleset) else set()


def counts_from_profiles(ruleset: Ruleset) -> bool:
    """Whether news of a profile can move a moment."""
    return any(isinstance(rule, Date | Change) or _goes_by_days(rule) for rule in _kept(ruleset))


def _newly_homed(batch: Batch, known: Known) -> set[str]:
    found = (said.customer_id for said in batch.memberships.values() if said.home_id not in known.memberships)
    return {customer for customer in found if customer is not None}


def _kept(ruleset: Ruleset) -> list[Rule]:
    """Also those that pause: what they decided can end."""
    return [rule for rule in ruleset.rules if rule.rule not in ruleset.retired]


def _goes_by_days(rule: Rule) -> bool:
    return isinstance(rule, Count) and rule.days is not None


def _moved_zone(ruleset: Ruleset, batch: Batch, known: Known, policy: Policy) -> set[str]:
    """Customers whose days begin at other moments now, if rules count any. Unknown zones are the shop's."""
    if not any(map(_goes_by_days, ruleset.deciding)):
        return set()

    def zone(one: Verdicts) -> str:
        return one.zone or policy.arbiter.zone

    return {
        customer
        for customer, news in batch.profiles.items()
        if news.merged_into is None and zone(news.verdicts) != zone(known.profiles.get(customer, _SILENT))
    }


def _counted_from(ruleset: Ruleset, batch: Batch, known: Known) -> set[str | None]:
    """Customers of whose profile a date, a class or, where dates count, the time zone is news."""
    dates = sorted({rule.date for rule in _kept(ruleset) if isinstance(rule, Date)})
    classes = sorted({rule.enters for rule in _kept(ruleset) if isinstance(rule, Change)})

    def counted(one: Verdicts) -> tuple[object, ...]:
        said = [said_at(one, path) for path in dates]
        zone = one.zone if any(value is not None for value in said) else None
        return (*said, zone, *(one.classes.get(name) for name in classes))

    homed, nothing = _newly_homed(batch, known), counted(_SILENT)
    found: set[str | None] = set()
    for customer in of_interest(ruleset, batch, known):
        before = counted(known.profiles.get(customer, _SILENT))
        news = batch.profiles.get(customer)
        now = before if news is None else counted(news.verdicts)
        if now != before or (customer in homed and now != nothing):
            found.add(customer)
    return found


def _plan(ruleset: Ruleset, fact: Fact, holder: str, batch: Batch, known: Known, policy: Policy) -> Plan:
    """Whoever takes a cart over from another may have activity in it that is due already."""
    planned = plan_for(ruleset, fact, policy)
    if fact.kind in ("cart", "checkout") and _speaker(fact.key, batch, known) not in (None, holder):
        return join([planned, LOOK_NOW])
    return planned


def _plan_of_other(fact: Fact, known: Known) -> Plan:
    """Of somebody else's facts only orders stand in a customer's stories.

    One from before the cart's newest event may lie between a decision and later activity: then it opens that step
    again, which may be due already. Everything else can only take the cart away.
    """
    newest = known.carts.get(fact.body.cart_id, _UNKNOWN).newest
    return LOOK_NOW if fact.kind == "order" and newest is not None and fact.at < newest.at else Plan()


def _concerned(fact: Fact, batch: Batch, known: Known) -> list[str]:
    """Whoever else an order or a cart's event can matter to: the cart's holder, and holders of decisions about it."""
    cart_id = cart_of(fact)
    if not cart_id:
        return []
    homes = (held_by(home_id, batch, known) for home_id in known.open_homes.get(cart_id, ()))
    speaker = _speaker(cart_id, batch, known)
    return [customer for customer in (speaker, *homes) if customer is not None]


def _speaker(cart_id: str, batch: Batch, known: Known) -> str | None:
    """The holder of the cart's newest event, before the batch."""
    cart = known.carts.get(cart_id)
    return None if cart is None or cart.newest is None else held_by(cart.newest.home_id, batch, known)
