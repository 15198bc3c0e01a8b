"""Looks that changed rules ask for (triggers.md §6.3): page by page, beside everything else, and never lost.

What the agenda was planned by before a change may be late for the rule as it is now. Who is looked at is computed
anew; whom the rule cannot concern is left alone.
"""

from __future__ import annotations

from uuid import UUID

from tern_common.db import Connection, Pool, connection, transaction
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.rules import Change, Date, Rule, Ruleset, reads
from tern_triggers.store.rulebook import Rulebook

PAGE = 2000

_ASK = """
INSERT INTO rule_plan (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET homes_after = NULL, customers_after = NULL
"""

_TAKE = "SELECT name, homes_after, customers_after FROM rule_plan ORDER BY name LIMIT 1 FOR UPDATE SKIP LOCKED"

_HOMES = """
SELECT DISTINCT home_id FROM fact WHERE $1::uuid IS NULL OR home_id > $1 ORDER BY home_id LIMIT $2
"""

_CONCERNED = """
SELECT DISTINCT membership.customer_id FROM membership
WHERE home_id = ANY($1::uuid[]) AND customer_id IS NOT NULL AND EXISTS (
  SELECT FROM fact WHERE fact.home_id = membership.home_id
  AND (kind = ANY($2::text[]) OR (kind = 'event' AND key = ANY($3::text[])))
)
ORDER BY customer_id
"""

_CUSTOMERS = """
SELECT customer_id FROM profile_copy
WHERE merged_into IS NULL AND ($1::uuid IS NULL OR customer_id > $1) ORDER BY customer_id LIMIT $2
"""

_LOOK = """
INSERT INTO agenda (customer_id, next_live, next_all)
SELECT customer_id, $2::timestamptz, $2::timestamptz FROM unnest($1::uuid[]) AS asked (customer_id) ORDER BY customer_id
ON CONFLICT (customer_id) DO UPDATE SET next_live = excluded.next_live, next_all = excluded.next_all
"""


_HOMES_SEEN = "UPDATE rule_plan SET homes_after = $2 WHERE name = $1"
_CUSTOMERS_SEEN = "UPDATE rule_plan SET customers_after = $2 WHERE name = $1"
_DONE = "DELETE FROM rule_plan WHERE name = $1"

_LAST = UUID(int=(1 << 128) - 1)
"""Behind every home."""


async def ask(conn: Connection, name: str) -> None:
    """Asks for a look at everybody whom the rule concerns; one that was going on begins anew."""
    await conn.execute(_ASK, name)


async def ask_about_profiles(conn: Connection, ruleset: Ruleset) -> None:
    """Asks for a look at everybody with a profile, if there are rules about profiles."""
    for rule in ruleset.deciding:
        if isinstance(rule, Date | Change):
            await ask(conn, rule.rule)


async def pending(pool: Pool) -> bool:
    """Whether some rule's customers are still to be looked at."""
    async with connection(pool) as conn:
        return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM rule_plan)"))


async def plan_page(pool: Pool, rulebook: Rulebook, limit: int = PAGE) -> bool:
    """Asks for a look at one page of those whom a changed rule concerns. False when nothing is left to ask for that no
    other process is at. A page is of `limit` homes with facts, or of `limit` profiles."""
    async with transaction(pool) as conn:
        rules = {rule.rule: rule for rule in (await rulebook.of(conn)).deciding}
        taken = await conn.fetchrow(_TAKE)
        if taken is None:
            return False
        name, homes_after, customers_after = taken
        rule = rules.get(name)
        if rule is not None and homes_after != _LAST:
            await conn.execute(_HOMES_SEEN, name, await _look_at_homes(conn, rule, homes_after, limit))
            return True
        seen = await _look_at_profiles(conn, rule, customers_after, limit) if rule is not None else None
        await conn.execute(_DONE if seen is None else _CUSTOMERS_SEEN, name, *([] if seen is None else [seen]))
        return True


async def _look_at_homes(conn: Connection, rule: Rule, after: UUID | None, limit: int) -> UUID:
    """The last home of the page, or of all."""
    read = reads([rule])
    if not (read.kinds or read.events):
        return _LAST
    homes = [row[0] for row in await conn.fetch(_HOMES, after, limit)]
    concerned = await conn.fetch(_CONCERNED, homes, sorted(read.kinds), sorted(read.events))
    await conn.execute(_LOOK, [row[0] for row in concerned], AT_ONCE)
    return homes[-1] if len(homes) == limit else _LAST


async def _look_at_profiles(conn: Connection, rule: Rule, after: UUID | None, limit: int) -> UUID | None:
    """The last customer of the page; None when there is no further one."""
    if not isinstance(rule, Date | Change):
        return None
    customers = [row[0] for row in await conn.fetch(_CUSTOMERS, after, limit)]
    await conn.execute(_LOOK, customers, AT_ONCE)
    return customers[-1] if len(customers) == limit else None
