"""Records that change although nothing happens: the transaction that looks at customers whose moment has passed.

About whom an error of ours is met, he is looked at again later, and keeps nobody else waiting (ADR 30).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tern_common.blaming import PUT_OFF, one_by_one
from tern_common.db import Connection, Pool, transaction
from tern_common.errors import Misconfigured, Transient
from tern_common.logs import logger
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
    customers: list[str] = []
    try:
        async with transaction(pool) as conn:
            customers += await timers.due(conn, passed, WOKEN)
            return await _woken(conn, customers, passed, basis)
    except (Transient, Misconfigured):
        raise
    except Exception as wrong:
        if not customers:
            raise
        logger.warning("a look met an error of ours, and is taken one by one", why=type(wrong).__name__)
    return await _one_by_one(pool, customers, passed, basis)


async def _woken(conn: Connection, customers: Sequence[str], passed: datetime, basis: Basis) -> Woken:
    if not customers:
        return NOBODY
    made, owed = await records.make(conn, customers, (), {}, basis)
    again = await profiles.standing(conn, owed)
    due = [*(Publication(customer, one.version, one.record) for customer, one in made.items()), *again]
    if not basis.policy.declared.timed:
        await timers.keep(conn, dict.fromkeys(customers))
    await timers.hold(conn, [one.customer_id for one in due], passed)
    return Woken(len(customers), due)


async def _one_by_one(pool: Pool, customers: Sequence[str], passed: datetime, basis: Basis) -> Woken:
    """Whoever meets an error of ours alone is put off."""

    async def look(customer: str) -> Woken:
        async with transaction(pool) as conn:
            return await _woken(conn, [customer], passed, basis)

    done, erring = await one_by_one(customers, look)
    for customer in erring:
        async with transaction(pool) as conn:
            await profiles.lock(conn, [customer])
            await timers.hold(conn, [customer], passed + PUT_OFF)
    return Woken(len(customers), [one for woken in done for one in woken.due])
