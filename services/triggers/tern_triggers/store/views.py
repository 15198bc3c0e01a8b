"""Everything that is known of some customers, read in one pass, in the lock order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from tern_common.db import Connection
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.facts import Fact, distinct
from tern_triggers.domain.folds.cart import Ordered, held_carts
from tern_triggers.domain.news import Membership
from tern_triggers.domain.rules import Inactivity, Ruleset
from tern_triggers.domain.touched import CartKnown
from tern_triggers.domain.view import View
from tern_triggers.store import decisions, facts, memberships, profiles
from tern_triggers.store.profiles import Copies

SHARED_FACTS = 1000


class _Decided(NamedTuple):
    by_home: Mapping[str, Sequence[Decision]]
    by_cart: Mapping[str, Sequence[Decision]]


async def load(
    conn: Connection, ruleset: Ruleset, customers: Collection[str], *, lock: bool, keys: Collection[str] = ()
) -> list[View]:
    """One view a customer, by id. The agenda rows are locked by the caller; `lock` locks the carts of candidates.

    `keys` are further carts that decisions may be about. Of a shared customer (a till, a kiosk) only the newest
    `SHARED_FACTS` facts are read: nobody is contacted about any of them, and there may be any number.
    """
    homes = await memberships.of_customers(conn, customers)
    by_home = await _facts_by_home(conn, homes)
    mine = {customer: [fact for home in found for fact in by_home[home.home_id]] for customer, found in homes.items()}
    crowded = {home.home_id for owned in homes.values() if _is_shared(owned) for home in owned}
    held = {customer: held_carts(told) for customer, told in mine.items()}
    cart_ids = {cart_id for found in held.values() for cart_id in found}.union(keys)
    if lock:
        await facts.lock_carts(conn, cart_ids)
    carts = await facts.carts(conn, cart_ids)
    decided = await _decisions(conn, ruleset, by_home.keys() - crowded, crowded, cart_ids)
    said = await profiles.of_customers(conn, customers)
    return [
        _with_profiles(
            _view(customer, homes[customer], mine[customer], carts, decided, held[customer] | set(keys)), said
        )
        for customer in sorted(homes)
    ]


async def _facts_by_home(conn: Connection, homes: Mapping[str, Sequence[Membership]]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {home.home_id: [] for owned in homes.values() for home in owned}
    whole = [home.home_id for owned in homes.values() if not _is_shared(owned) for home in owned]
    told = await facts.of_homes(conn, whole)
    for owned in homes.values():
        if _is_shared(owned):
            told += await facts.newest_of(conn, [home.home_id for home in owned], SHARED_FACTS)
    for fact in told:
        found[fact.home_id].append(fact)
    return found


def _is_shared(homes: Sequence[Membership]) -> bool:
    return any(home.shared for home in homes)


async def _decisions(
    conn: Connection,
    ruleset: Ruleset,
    homes: Collection[str],
    crowded: Collection[str],
    cart_ids: Collection[str],
) -> _Decided:
    about = [rule.rule for rule in ruleset.rules if isinstance(rule, Inactivity) and rule.key == "cart_id"]
    return _Decided(
        _grouped(await decisions.of_homes(conn, homes, crowded), lambda decision: decision.home_id),
        _grouped(await decisions.of_carts(conn, about, cart_ids), lambda decision: decision.key),
    )


def _grouped(found: Sequence[Decision], by: Callable[[Decision], str]) -> dict[str, list[Decision]]:
    groups: dict[str, list[Decision]] = {}
    for decision in found:
        groups.setdefault(by(decision), []).append(decision)
    return groups


def _view(
    customer: str,
    homes: Sequence[Membership],
    told: Sequence[Fact],
    carts: Mapping[str, CartKnown],
    decided: _Decided,
    cart_ids: Collection[str],
) -> View:
    own = frozenset(home.home_id for home in homes)
    return View(
        customer_id=customer,
        homes=own,
        shared=_is_shared(homes),
        facts=distinct(told),
        decisions=_of(decided, own, cart_ids),
        newest={key: newest for key in cart_ids if key in carts and (newest := carts[key].newest) is not None},
        foreign={key: _orders(carts[key]) for key in cart_ids if key in carts},
    )


def _of(decided: _Decided, homes: Collection[str], cart_ids: Collection[str]) -> list[Decision]:
    """Those under these homes, and those under any about these carts; each once."""
    found = [one for home in sorted(homes) for one in decided.by_home.get(home, ())]
    found += [one for key in sorted(cart_ids) for one in decided.by_cart.get(key, ()) if one.home_id not in homes]
    return found


def _orders(cart: CartKnown) -> tuple[Ordered, ...]:
    return () if cart.ordered is None else (cart.ordered,)


def _with_profiles(view: View, said: Mapping[str, Copies]) -> View:
    copies = said.get(view.customer_id, Copies(None, []))
    return msgspec.structs.replace(view, profile=copies.own, former=copies.former)
