"""Reads the decision log, for people and programs that ask why."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tern_common.db import Connection
from tern_triggers.domain.decisions import Decision
from tern_triggers.domain.explaining import Question
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Ruleset
from tern_triggers.store import memberships, positions, views
from tern_triggers.store.decisions import COLUMNS, decision_of


class Count(NamedTuple):
    """How many decisions of a kind there are."""

    rule: str
    outcome: str
    reason: str | None
    decisions: int


async def newest(
    conn: Connection, customer_id: str | None, rule: str | None, since: datetime | None, limit: int
) -> list[Decision]:
    """Decisions, newest first: of all homes that the customer has now, of a rule, taken since."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM decision
        WHERE ($1::uuid IS NULL OR home_id IN (SELECT home_id FROM membership WHERE customer_id = $1))
          AND ($2::text IS NULL OR rule = $2)
          AND ($3::timestamptz IS NULL OR decided_at >= $3)
        ORDER BY decided_at DESC, id LIMIT $4
        """,  # noqa: S608
        customer_id,
        rule,
        since,
        limit,
    )
    return [decision_of(row) for row in rows]


async def summary(conn: Connection, since: datetime | None) -> list[Count]:
    """Counts by rule, outcome and reason."""
    rows = await conn.fetch(
        """
        SELECT rule, outcome, reason, count(*) FROM decision
        WHERE $1::timestamptz IS NULL OR decided_at >= $1
        GROUP BY rule, outcome, reason ORDER BY rule, outcome, reason
        """,
        since,
    )
    return [Count(row[0], row[1], row[2], row[3]) for row in rows]


async def addressee(conn: Connection, trigger_id: str) -> str | None:
    """The customer id under which a trigger was published; None where it never was."""
    found = await conn.fetchval(
        "SELECT customer_id FROM decision WHERE trigger_id = $1 AND outcome = 'fired' AND mode = 'live'", trigger_id
    )
    return None if found is None else str(found)


async def key_of_hold(conn: Connection, hold_id: str) -> str | None:
    """The key of all records about one request for stock: the cart's id, or its own where the cart has none."""
    found: str | None = await conn.fetchval(
        "SELECT coalesce(nullif(cart_id, ''), hold_id::text) FROM hold WHERE hold_id = $1", hold_id
    )
    return found


async def known(conn: Connection, ruleset: Ruleset, customer_id: str, policy: Policy, now: datetime) -> Question | None:
    """All that is known of a customer, to be explained; None of whom nothing is known."""
    canonical = await memberships.canonical(conn, customer_id)
    (view,) = await views.load(conn, ruleset, [canonical], lock=False)
    if not view.homes:
        return None
    return Question(view=view, ruleset=ruleset, policy=policy, safe=await positions.safe(conn), now=now)
