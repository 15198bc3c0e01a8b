"""What the database knows of a batch: looked at before anybody is locked, and again by whoever holds the locks.

One statement each: what a batch of a handful of records costs is how often it asks. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tern_common.arrays import array
from tern_common.db import Connection, Row
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.news import Batch, Membership
from tern_triggers.domain.rules import Ruleset
from tern_triggers.domain.touched import CartKnown, Known, counts_from_profiles
from tern_triggers.domain.view import Verdicts
from tern_triggers.store import profiles
from tern_triggers.store.decisions import STILL_OPEN
from tern_triggers.store.rulebook import LIVE

_CART, _HOME, _OPEN, _PROFILE, _REVISION = range(5)
_LOCKED = ' ORDER BY cart_id COLLATE "C" FOR UPDATE'


def _statement(locked: str = "") -> str:
    """What a row is of comes first. Profiles are of interest of whom there is news, and of whom a home is new to.

    What is open is asked for in an order, which names the index by which it is found.
    """
    return f"""
        WITH cart AS MATERIALIZED (
          SELECT cart_id, newest_at, newest_message, newest_home, order_at, order_message
          FROM cart_key WHERE cart_id = ANY($1::text[]){locked}
        ), held AS MATERIALIZED (
          SELECT home_id, customer_id, version, shared FROM membership WHERE home_id = ANY($3::uuid[])
        ), decided AS MATERIALIZED (
          SELECT DISTINCT said.key, home_id FROM unnest($4::text[]) AS said (key) CROSS JOIN LATERAL (
            SELECT home_id FROM decision WHERE key = said.key AND key <> '' AND {STILL_OPEN} ORDER BY expires OFFSET 0
          ) AS found
        ), asked (customer_id) AS (
          SELECT * FROM unnest($5::text::uuid[])
          UNION
          SELECT customer_id FROM unnest($3::uuid[], $6::text::uuid[]) AS said (home_id, customer_id)
          WHERE home_id NOT IN (SELECT home_id FROM held)
        )
        SELECT {_CART}, cart_id, newest_at, newest_message, newest_home, order_at, order_message,
          NULL::uuid AS customer_id, NULL::bigint AS number, NULL::boolean AS shared, NULL::bytea AS verdicts FROM cart
        UNION ALL
        SELECT {_HOME}, NULL, NULL, NULL, home_id, NULL, NULL, customer_id, version, shared, NULL FROM held
        UNION ALL
        SELECT {_HOME}, NULL, NULL, NULL, home_id, NULL, NULL, customer_id, version, shared, NULL
        FROM membership WHERE home_id IN (
          (SELECT newest_home FROM cart UNION SELECT home_id FROM decided) EXCEPT SELECT * FROM unnest($3::uuid[])
        )
        UNION ALL
        SELECT {_OPEN}, key, NULL, NULL, home_id, NULL, NULL, NULL, NULL, NULL, NULL FROM decided
        UNION ALL
        SELECT {_PROFILE}, NULL, NULL, NULL, NULL, NULL, NULL, asked.customer_id, NULL, NULL, copy.verdicts
        FROM asked CROSS JOIN LATERAL (
          SELECT verdicts FROM profile_copy WHERE customer_id = asked.customer_id OFFSET 0
        ) AS copy
        UNION ALL
        SELECT {_REVISION}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, revision, NULL, NULL
        FROM ruleset WHERE name = $7
        """  # noqa: S608 - one of two constants


_LOOK, _LOCK = _statement(), _statement(_LOCKED)


class Seen(NamedTuple):
    """What is known of a batch, and of which revision the rules were when that was asked."""

    known: Known
    revision: int


async def look(conn: Connection, batch: Batch, ruleset: Ruleset, now: datetime) -> Seen:
    """What stands there now, locked by nobody."""
    return await _ask(conn, _LOOK, batch, ruleset, now)


async def lock(conn: Connection, batch: Batch, ruleset: Ruleset, known: Known, now: datetime) -> Known:
    """Locks the batch's carts, ascending; what stands there since. The batch's customers are locked by the caller.

    A cart that moved while it was waited for may be of a home that is younger than the statement: then it asks again.
    """
    found = await _ask(conn, _LOCK, batch, ruleset, now)
    return found.known if found.known.carts == known.carts else (await look(conn, batch, ruleset, now)).known


async def _ask(conn: Connection, statement: str, batch: Batch, ruleset: Ruleset, now: datetime) -> Seen:
    homes, news, holders = list(batch.memberships), array([]), array([])
    if counts_from_profiles(ruleset):
        news, holders = array(batch.profiles), array([home.customer_id for home in batch.memberships.values()])
    return _read(await conn.fetch(statement, batch.cart_ids, now, homes, list(batch.ordered), news, holders, LIVE))


def _read(rows: Iterable[Row]) -> Seen:
    carts: dict[str, CartKnown] = {}
    memberships: dict[str, Membership] = {}
    open_homes: dict[str, list[str]] = {}
    copies: dict[str, Verdicts] = {}
    revision = 0
    for what, key, at, message, home, order_at, order_message, customer, number, shared, verdicts in rows:
        if what == _HOME:
            memberships[home.hex] = Membership(home.hex, None if customer is None else str(customer), number, shared)
        elif what == _CART:
            newest = None if at is None else Newest(at, message, home.hex)
            carts[key] = CartKnown(newest, None if order_at is None else Ordered(order_at, order_message))
        elif what == _PROFILE:
            copies[str(customer)] = profiles.read(verdicts)
        elif what == _OPEN:
            open_homes.setdefault(key, []).append(home.hex)
        else:
            revision = number
    homes = {key: sorted(found) for key, found in open_homes.items()}
    return Seen(Known(memberships=memberships, carts=carts, open_homes=homes, profiles=copies), revision)
