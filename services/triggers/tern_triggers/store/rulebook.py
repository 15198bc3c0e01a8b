"""The rules that are in force, as every transaction reads them: one state of them from its beginning to its end.

Whoever changes them waits for all who work by the old ones, and comes before all who begin after (ADR 21).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from tern_common.db import Connection, Pool, Row, transaction
from tern_common.errors import Misconfigured
from tern_triggers.domain.rules import RULE, Rule, Ruleset

LIVE = "live"
RETIRED = "retired"

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a rule decides that has been there as long as the platform itself."""

_LOCK = 0x7465726E_72756C65
"""Key of the advisory lock: "ternrule" in ASCII. Shared by who works by the rules, exclusive for who changes them."""

_REVISION = "SELECT revision FROM ruleset WHERE name = $1"

_EVERY_VERSION = "SELECT name, version, body, mode, since, current FROM rule ORDER BY name, version"

_RISE = """
INSERT INTO ruleset (name, digest, revision) VALUES ($1, '', 1)
ON CONFLICT (name) DO UPDATE SET revision = ruleset.revision + 1
"""


class Rulebook:
    """The one reader of the rules. `latest` is what was in force when they were last read: good enough to decode by."""

    def __init__(self, latest: Ruleset | None = None) -> None:
        self.latest = latest or Ruleset(rules=())

    async def of(self, conn: Connection) -> Ruleset:
        """The rules that are in force, which stay so until the transaction ends. Ask before locking anything else."""
        await self.keep_still(conn)
        revision = await conn.fetchval(_REVISION, LIVE) or 0
        if revision != self.latest.revision:
            self.latest = _ruleset(await conn.fetch(_EVERY_VERSION), revision)
        return self.latest

    async def keep_still(self, conn: Connection) -> Ruleset:
        """The same, as they were last read: whoever goes by these sees to it that they are still of the revision that
        a later statement of the transaction finds."""
        await conn.execute("SELECT pg_advisory_xact_lock_shared($1)", _LOCK)
        return self.latest

    async def read(self, pool: Pool) -> Ruleset:
        """The same, in a transaction of its own: they may be others by the time it answers."""
        async with transaction(pool) as conn:
            return await self.of(conn)


async def hold_still(conn: Connection) -> None:
    """Until the transaction ends nobody works by the rules: who changes them asks for this before anything else."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def rise(conn: Connection) -> None:
    """Tells every process that the rules are others from the end of this transaction on."""
    await conn.execute(_RISE, LIVE)


def rule_of(name: str, version: int, body: bytes, mode: str) -> Rule:
    """A stored rule, in the mode and of the version that its row says. Raises `Misconfigured`."""
    try:
        stated = RULE.validate_json(body)
    except ValueError:
        raise Misconfigured(
            f"version {version} of the rule {name} in the database is none that this release reads"
        ) from None
    return stated.model_copy(update={"version": version, "mode": "paused" if mode == RETIRED else mode})


def _ruleset(rows: Iterable[Row], revision: int) -> Ruleset:
    rules: list[Rule] = []
    older: dict[tuple[str, int], Rule] = {}
    since: dict[str, datetime] = {}
    retired: set[str] = set()
    for name, version, body, mode, began, current in rows:
        rule = rule_of(name, version, body, mode)
        if not current:
            older[name, version] = rule
            continue
        rules.append(rule)
        if began > ALWAYS:
            since[name] = began
        if mode == RETIRED:
            retired.add(name)
    return Ruleset(rules=tuple(rules), since=since, older=older, retired=frozenset(retired), revision=revision)
