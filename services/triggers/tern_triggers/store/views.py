"""Everything that is known of some customers, read in one pass, in the lock order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from tern_common.db import Connection
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Fact, distinct
from tern_triggers.domain.folds.addressing import addressed, is_addressed
from tern_triggers.domain.folds.cart import Ordered, held_carts
from tern_triggers.domain.news import Membership
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.touched import CartKnown
from tern_triggers.domain.view import Responses, View, told_apart
from tern_triggers.store import beside, decisions, facts, memberships, profiles
from tern_triggers.store.beside import Beside
from tern_triggers.store.profiles import Copies

SHARED_FACTS = 1000

MOST_FACTS = 20_000
"""No person makes so many: a look at all of them would keep everybody waiting, until the database ends it."""


class _Decided(NamedTuple):
    by_home: Mapping[str, Sequence[Decision]]
    by_key: Mapping[str, Sequence[Decision]]


async def load(
    conn: Connection, ruleset: Ruleset, customers: Collection[str], *, lock: bool, keys: Collection[str] = ()
) -> list[View]:
    """One view a customer, by id. The agenda rows are locked by the caller; `lock` locks the carts of candidates.

    `keys` are further carts that decisions may be about. Of a shared customer (a till, a kiosk) only the newest
    `SHARED_FACTS` facts are read: nobody is contacted about any of them, and there may be any number. Whoever has more
    than `MOST_FACTS` is taken for one: a robot, or a till that nobody has noticed.
    """
    homes, by_home = await _facts_by_home(conn, await memberships.of_customers(conn, customers))
    mine = {customer: [fact for home in found for fact in by_home[home.home_id]] for customer, found in homes.items()}
    crowded = {home.home_id for owned in homes.values() if _is_shared(owned) for home in owned}
    held = {customer: held_carts(told) for customer, told in mine.items()}
    cart_ids = {cart_id for found in held.values() for cart_id in found}.union(keys)
    carts = await (facts.locked_carts if lock else facts.carts)(conn, cart_ids)
    named = {customer: addressed(ruleset, told).union(keys) for customer, told in mine.items()}
    about = [rule.rule for rule in ruleset.rules if is_addressed(rule)]
    decided = await _decisions(
        conn, by_home.keys() - crowded, crowded, about, {key for found in named.values() for key in found}
    )
    said = await profiles.of_customers(conn, customers)
    kept = await beside.of_homes(conn, by_home.keys())
    found = (
        _view(customer, homes[customer], mine[customer], carts, decided, named[customer] | held[customer])
        for customer in sorted(homes)
    )
    return [_with_profiles(_with_what_is_beside(view, kept), said) for view in found]


async def glimpse(
    conn: Connection, rules: Collection[str], events: Collection[str], customers: Collection[str]
) -> list[View]:
    """As much of these customers as tells whether one of these rules has a candidate: their events of these names and
    what the rules decided. What only the arbiter asks for is missing. The agenda rows are locked by the caller."""
    homes = await memberships.of_customers(conn, customers)
    ids = [home.home_id for owned in homes.values() for home in owned]
    told = _grouped(await facts.events_of(conn, ids, events, SHARED_FACTS), lambda fact: fact.home_id)
    decided = _Decided(_grouped(await decisions.of_rules(conn, rules, ids), lambda one: one.home_id), {})
    said = await profiles.of_customers(conn, customers)
    found = (
        _view(customer, owned, [fact for home in owned for fact in told.get(home.home_id, ())], {}, decided, ())
        for customer, owned in sorted(homes.items())
    )
    return [_with_profiles(view, said) for view in found]


_Homes = Mapping[str, Sequence[Membership]]


async def _facts_by_home(conn: Connection, homes: _Homes) -> tuple[_Homes, dict[str, list[Fact]]]:
    """The customers' homes, those of who has too many facts as shared ones; and the facts that are read of each."""
    told = await facts.of_homes(conn, _whole(homes), MOST_FACTS + 1)
    if len(told) > MOST_FACTS:  # of one customer, or of all together
        homes = await _with_crowds(conn, homes)
        told = await facts.of_homes(conn, _whole(homes))
    for owned in homes.values():
        if _is_shared(owned):
            told += await facts.newest_of(conn, [home.home_id for home in owned], SHARED_FACTS)
    found: dict[str, list[Fact]] = {home.home_id: [] for owned in homes.values() for home in owned}
    for fact in told:
        found[fact.home_id].append(fact)
    return homes, found


async def _with_crowds(conn: Connection, homes: _Homes) -> _Homes:
    counts = await facts.counts(conn, homes.keys(), MOST_FACTS + 1)
    return {
        customer: [home._replace(shared=True) for home in owned] if counts[customer] > MOST_FACTS else owned
        for customer, owned in homes.items()
    }


def _whole(homes: _Homes) -> list[str]:
    """Those of which all facts are read."""
    return [home.home_id for owned in homes.values() if not _is_shared(owned) for home in owned]


def _is_shared(homes: Sequence[Membership]) -> bool:
    return any(home.shared for home in homes)


async def _decisions(
    conn: Connection, homes: Collection[str], crowded: Collection[str], rules: Collection[str], keys: Collection[str]
) -> _Decided:
    """Those under these homes (of the crowded only those about nothing by name), and those of these rules by key."""
    under, about = await decisions.of_homes_and_keys(conn, homes, crowded, rules, keys)
    return _Decided(_grouped(under, lambda one: one.home_id), _grouped(about, lambda one: one.key))


_T = TypeVar("_T")


def _grouped(found: Iterable[_T], by: Callable[[_T], str]) -> dict[str, list[_T]]:
    groups: dict[str, list[_T]] = {}
    for one in found:
        groups.setdefault(by(one), []).append(one)
    return groups


def _view(
    customer: str,
    homes: Sequence[Membership],
    told: Sequence[Fact],
    carts: Mapping[str, CartKnown],
    decided: _Decided,
    keys: Collection[str],
) -> View:
    own = frozenset(home.home_id for home in homes)
    return View(
        customer_id=customer,
        homes=own,
        shared=_is_shared(homes),
        facts=distinct(told),
        decisions=_of(decided, own, keys),
        newest={key: newest for key in keys if key in carts and (newest := carts[key].newest) is not None},
        foreign={key: _orders(carts[key]) for key in keys if key in carts},
    )


def _of(decided: _Decided, homes: Collection[str], keys: Collection[str]) -> list[Decision]:
    """Those under these homes, and those under any about these carts and orders; each once."""
    found = [one for home in sorted(homes) for one in decided.by_home.get(home, ())]
    found += [one for key in sorted(keys) for one in decided.by_key.get(key, ()) if one.home_id not in homes]
    return found


def _orders(cart: CartKnown) -> tuple[Ordered, ...]:
    return () if cart.ordered is None else (cart.ordered,)


def _with_what_is_beside(view: View, kept: Beside) -> View:
    homes = sorted(view.homes)
    waiting, doubles = told_apart(one for home in homes for one in kept.deferrals.get(home, ()))
    return msgspec.structs.replace(
        view,
        deferrals=waiting,
        doubles=doubles,
        arms=[arm for home in homes for arm in kept.arms.get(home, ())],
        holds={hold.trigger_id: hold for home in homes for hold in kept.holds.get(home, ())},
        responses=_added_up(went for home in homes for went in kept.responses.get(home, ())),
    )


def _added_up(went: Iterable[tuple[str, Responses]]) -> dict[str, Responses]:
    found: dict[str, Responses] = {}
    for channel, (sent, answered) in went:
        known = found.get(channel, Responses(0, 0))
        found[channel] = Responses(known.sent + sent, known.answered + answered)
    return found


def _with_profiles(view: View, said: Mapping[str, Copies]) -> View:
    copies = said.get(view.customer_id, Copies(None, []))
    return msgspec.structs.replace(view, profile=copies.own, former=copies.former)
