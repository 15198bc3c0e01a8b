"""The rules that are live: one version at a time, the same for every process (identity.md §12, "rules change")."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tern_common.db import Connection, Pool, transaction
from tern_common.errors import Refused
from tern_identity.domain.rules import Rules
from tern_identity.store.errors import Misread

# Held to the end of a transaction that settles: whoever applies new rules waits for it, and comes after it everywhere.
HOLD_LIVE = "SELECT version FROM ruleset WHERE live FOR SHARE"

_LIVE = "SELECT rules FROM ruleset WHERE live"

_SEED = """
INSERT INTO ruleset (version, rules, by, reason, at, live)
SELECT $1, $2, 'policy.yaml', 'the first rules', $3, true WHERE NOT EXISTS (SELECT 1 FROM ruleset)
ON CONFLICT DO NOTHING
"""

# Waits in line: row locks alone would let those that settle pass by for ever.
_LOCK = "LOCK TABLE ruleset IN EXCLUSIVE MODE"

_RETIRE = "UPDATE ruleset SET live = false WHERE live RETURNING version"

_EVER = "SELECT rules FROM ruleset"

_ADD = "INSERT INTO ruleset (version, rules, by, reason, at, live) VALUES ($1, $2, $3, $4, $5, true)"


class Act(NamedTuple):
    """Who does something, why, and when."""

    by: str
    reason: str
    at: datetime


async def require_live(conn: Connection, rules: Rules) -> None:
    """Raises `Misread` when other rules are live by now. They stay live until the transaction ends."""
    if await conn.fetchval(HOLD_LIVE) != rules.version:
        raise Misread


async def live_rules(pool: Pool, shipped: Rules, now: datetime) -> Rules:
    """The rules that are live; the `shipped` ones become so where there are none yet."""
    async with transaction(pool) as conn:
        await conn.execute(_SEED, shipped.version, shipped.model_dump_json(), now)
        return Rules.model_validate_json(await conn.fetchval(_LIVE))


async def require_sound(conn: Connection, rules: Rules) -> None:
    """Raises `Refused` where a namespace has another kind than it had in any rules before: nodes have it for life."""
    for (text,) in await conn.fetch(_EVER):
        known = Rules.model_validate_json(text).namespaces
        wrong = sorted(name for name, own in rules.namespaces.items() if name in known and own.kind != known[name].kind)
        if wrong:
            raise Refused(422, "kind-is-for-life", f"{wrong[0]} is {known[wrong[0]].kind}: declare another namespace.")


async def make_live(conn: Connection, rules: Rules, act: Act) -> None:
    """Puts a new version in force. Raises `Refused` unless it is sound, and higher than the one that is live."""
    await require_sound(conn, rules)
    await conn.execute(_LOCK)
    before = await conn.fetchval(_RETIRE)
    if before is None or rules.version <= before:
        raise Refused(409, "version-not-new", f"Version {before} is live: give the new rules a higher one.")
    await conn.execute(_ADD, rules.version, rules.model_dump_json(), act.by, act.reason, act.at)
