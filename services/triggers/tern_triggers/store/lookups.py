"""What the database knows of a batch: looked at before anybody is locked, and again by whoever holds the locks.

One statement each: what a batch of a handful of records costs is how often it asks. Knows no profile, and decides
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from tern_common.db import Connection, Row
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.news import Batch, Membership
from tern_triggers.domain.touched import CartKnown, Known
from tern_triggers.store import decisions
from tern_triggers.store.rulebook import LIVE

_LOCKED = ' ORDER BY cart_id COLLATE "C" FOR UPDATE'


def _statement(locked: str = "") -> str:
    return f"""
        WITH cart AS MATERIALIZED (
          SELECT cart_id, newest_at, newest_message, newest_home, order_at, order_message
          FROM cart_key WHERE cart_id = ANY($1::text[]){locked}
        )
        SELECT cart_id, newest_at, newest_message, newest_home, order_at, order_message,
          NULL::uuid AS customer_id, NULL::bigint AS number, NULL::boolean AS shared FROM cart
        UNION ALL
        SELECT NULL, NULL, NULL, home_id, NULL, NULL, customer_id, version, shared
        FROM membership WHERE home_id = ANY($2::uuid[])
        UNION ALL
        SELECT NULL, NULL, NULL, home_id, NULL, NULL, customer_id, version, shared
        FROM membership WHERE home_id IN (SELECT newest_home FROM cart EXCEPT SELECT * FROM unnest($2::uuid[]))
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, revision, NULL FROM ruleset WHERE name = $3
        """  # noqa: S608 - one of two constants


_LOOK, _LOCK = _statement(), _statement(_LOCKED)


class Seen(NamedTuple):
    """What is known of a batch, and of which revision the rules were when that was asked."""

    known: Known
    revision: int


async def look(conn: Connection, batch: Batch, now: datetime) -> Seen:
    """What stands there now, locked by nobody."""
    return await _ask(conn, _LOOK, batch, now)


async def lock(conn: Connection, batch: Batch, known: Known, now: datetime) -> Known:
    """Locks the batch's carts, ascending; what stands there since. The batch's customers are locked by the caller.

    A cart that moved while it was waited for may be of a home that is younger than the statement: then it asks again.
    """
    found = await _ask(conn, _LOCK, batch, now)
    return found.known if found.known.carts == known.carts else (await look(conn, batch, now)).known


async def _ask(conn: Connection, statement: str, batch: Batch, now: datetime) -> Seen:
    open_homes = await decisions.open_homes(conn, list(batch.ordered), now)
    homes = {*batch.memberships, *(home for found in open_homes.values() for home in found)}
    seen = _read(await conn.fetch(statement, batch.cart_ids, list(homes), LIVE))
    return seen._replace(known=msgspec.structs.replace(seen.known, open_homes=open_homes)) if open_homes else seen


def _read(rows: Iterable[Row]) -> Seen:
    carts: dict[str, CartKnown] = {}
    memberships: dict[str, Membership] = {}
    revision = 0
    for cart_id, at, message, home, order_at, order_message, customer, number, shared in rows:
        if cart_id is not None:
            newest = None if at is None else Newest(at, message, home.hex)
            carts[cart_id] = CartKnown(newest, None if order_at is None else Ordered(order_at, order_message))
        elif home is not None:
            memberships[home.hex] = Membership(home.hex, None if customer is None else str(customer), number, shared)
        else:
            revision = number
    return Seen(Known(memberships=memberships, carts=carts), revision)
