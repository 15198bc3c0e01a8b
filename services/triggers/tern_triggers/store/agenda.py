"""Rows of `agenda`: each customer's lock, and the next moments at which something may have to be decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import zip_longest

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.moments import AT_ONCE, earliest
from tern_triggers.domain.rounds import Safe
from tern_triggers.store import positions


async def lock_and_plan(conn: Connection, plans: Mapping[str, Plan]) -> None:
    """Locks, creates and plans the rows of these customers, ascending; the SQL of `domain.agenda.replanned`."""
    if not plans:
        return
    await conn.execute(
        """
        INSERT INTO agenda AS kept (customer_id, next_live, next_all, oldest_at, newest_at)
        SELECT * FROM unnest($1::text::uuid[], $2::text::timestamptz[], $3::text::timestamptz[],
          $4::text::timestamptz[], $5::text::timestamptz[])
          AS said (customer_id, next_live, next_all, oldest_at, newest_at)
        ORDER BY customer_id
        ON CONFLICT (customer_id) DO UPDATE SET
          next_live = CASE WHEN excluded.oldest_at <= kept.newest_at THEN $6
                           ELSE least(kept.next_live, excluded.next_live) END,
          next_all  = CASE WHEN excluded.oldest_at <= kept.newest_at THEN $6
                           ELSE least(kept.next_all, excluded.next_all) END,
          oldest_at = least(kept.oldest_at, excluded.oldest_at),
          newest_at = greatest(kept.newest_at, excluded.newest_at)
        """,
        *_columns(plans),
        AT_ONCE,
    )


async def safe_if_due(conn: Connection) -> Safe | None:
    """Safe time, where it has passed the next look at anybody, locked or not. Asked ten times a second by whoever has
    nothing to do: so it is one statement."""
    rows = await conn.fetch(
        "SELECT lane, at, (SELECT min(next_live) FROM agenda), (SELECT min(next_all) FROM agenda) FROM safe_time"
    )
    safe = positions.safe_of(rows)
    if safe is None:
        return None
    live, rest = rows[0][2], rows[0][3]
    return safe if _passed(live, safe.live) or _passed(rest, safe.all) else None


async def take_due(conn: Connection, safe: Safe, limit: int) -> list[str]:
    """Locks customers that are due, leaving out those that are locked; returns up to `limit`, longest due first.

    The lanes take turns, so that neither waits while the other is backed up.
    """
    live = await _take(conn, "next_live", safe.live, limit)
    rest = await _take(conn, "next_all", safe.all, limit)
    turns = (customer for pair in zip_longest(live, rest) for customer in pair if customer is not None)
    return list(dict.fromkeys(turns))[:limit]


async def _take(conn: Connection, column: str, safe: datetime, limit: int) -> list[str]:
    rows = await conn.fetch(
        f"""
        SELECT customer_id FROM agenda WHERE {column} <= $1
        ORDER BY {column} LIMIT $2 FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 - the column is one of two constants
        safe,
        limit,
    )
    return [str(row[0]) for row in rows]


async def longest_overdue(conn: Connection, safe: Safe, by: timedelta) -> str | None:
    """The customer that is overdue the longest, by more than `by`, locked or not.

    A look that was asked for at once has no moment by which it could be measured: it is skipped while it is locked.
    """
    found = await conn.fetchval(
        """
        SELECT customer_id FROM (
          (SELECT customer_id, next_live AS due FROM agenda
           WHERE next_live > $3 AND next_live < $1 ORDER BY next_live LIMIT 1)
          UNION ALL
          (SELECT customer_id, next_all FROM agenda
           WHERE next_all > $3 AND next_all < $2 ORDER BY next_all LIMIT 1)
        ) AS overdue ORDER BY due LIMIT 1
        """,
        safe.live - by,
        safe.all - by,
        AT_ONCE,
    )
    return None if found is None else str(found)


async def wait_for(conn: Connection, customer: str, safe: Safe) -> list[str]:
    """Locks one due customer, waiting for whoever holds it. Only for a transaction that holds nothing else."""
    row = await conn.fetchrow("SELECT next_live, next_all FROM agenda WHERE customer_id = $1 FOR UPDATE", customer)
    due = row is not None and (_passed(row[0], safe.live) or _passed(row[1], safe.all))
    return [customer] if due else []


def _passed(at: datetime | None, safe: datetime) -> bool:
    return at is not None and at <= safe


async def plan_next(conn: Connection, plans: Mapping[str, Plan]) -> None:
    """Sets the next looks of customers whose rows are locked. The span of facts only grows."""
    if not plans:
        return
    await conn.execute(
        """
        UPDATE agenda AS kept SET
          next_live = said.next_live,
          next_all = said.next_all,
          oldest_at = least(kept.oldest_at, said.oldest_at),
          newest_at = greatest(kept.newest_at, said.newest_at)
        FROM unnest($1::text::uuid[], $2::text::timestamptz[], $3::text::timestamptz[],
          $4::text::timestamptz[], $5::text::timestamptz[])
          AS said (customer_id, next_live, next_all, oldest_at, newest_at)
        WHERE kept.customer_id = said.customer_id
        """,
        *_columns(plans),
    )


def _columns(plans: Mapping[str, Plan]) -> list[str]:
    """By customer, which is the order in which rows are locked."""
    return columns((customer, *plans[customer]) for customer in sorted(plans))


async def next_look(conn: Connection) -> datetime | None:
    """The smallest moment of all rows; at once while something that was decided is not published yet, unless it waits
    for a moment itself, or while somebody whom a changed rule concerns is still to be planned for."""
    row = await conn.fetchrow(
        "SELECT (SELECT min(next_live) FROM agenda), (SELECT min(next_all) FROM agenda),"
        " (SELECT min(coalesce(checked_at, $1)) FROM outbox), EXISTS (SELECT FROM rule_plan)",
        AT_ONCE,
    )
    return earliest(row[0], row[1], row[2], AT_ONCE if row[3] else None) if row else None


async def look_at_all(conn: Connection, after: str | None, limit: int) -> str | None:
    """Plans a look at once for a page of the homes that have facts. The last home of the page; None when done.

    For rules that changed: whatever was planned with the old ones may be late.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT home_id FROM fact WHERE $1::uuid IS NULL OR home_id > $1 ORDER BY home_id LIMIT $2
        """,
        after,
        limit,
    )
    homes = [row[0] for row in rows]
    await conn.execute(
        """
        INSERT INTO agenda (customer_id, next_live, next_all)
        SELECT DISTINCT customer_id, $2::timestamptz, $2::timestamptz FROM membership
        WHERE home_id = ANY($1::uuid[]) AND customer_id IS NOT NULL ORDER BY customer_id
        ON CONFLICT (customer_id) DO UPDATE SET next_live = excluded.next_live, next_all = excluded.next_all
        """,
        homes,
        AT_ONCE,
    )
    return homes[-1].hex if len(homes) == limit else None
