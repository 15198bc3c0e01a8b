"""Records that change although nothing happens: the transaction that looks at customers whose moment has passed."""

from __future__ import annotations

from typing import NamedTuple

from tern_common.db import Pool, transaction
from tern_profile.store import profiles, records, timers
from tern_profile.store.profiles import Publication
from tern_profile.store.records import Basis

WOKEN = 200
"""Customers that one transaction looks at."""


class Woken(NamedTuple):
    """How many customers were looked at, and what must be published before they are looked at again."""

    looked: int
    due: list[Publication]


NOBODY = Woken(0, [])


async def wake(pool: Pool, basis: Basis) -> Woken:
    """Makes the records of customers anew whose moment has passed, the longest past first.

    Whoever has something to publish stays due, and is looked at once more when it is published: if the process ends
    before, another finds him. Two instances at once do the same work twice and nothing else.
    """
    passed = basis.moments.passed()
    if passed is None:
        return NOBODY
    async with transaction(pool) as conn:
        customers = await timers.due(conn, passed, WOKEN)
        if not customers:
            return NOBODY
        made = await records.make(conn, customers, (), {}, basis)
        again = await profiles.due(conn, set(customers) - made.keys(), ())
        due = [*(Publication(customer, one.version, one.record) for customer, one in made.items()), *again]
        if not basis.policy.declared.timed:
            await timers.keep(conn, dict.fromkeys(customers))
        await timers.hold(conn, [one.customer_id for one in due], passed)
        return Woken(len(customers), due)
