"""Rules from files: the first versions of those that are not in the database yet, and new ones of those that files own.

A rule that people edited, or retired, is theirs: a file takes it back only with a version above theirs (ADR 21).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tern_common.db import Connection, Pool, transaction
from tern_common.errors import Misconfigured
from tern_triggers.domain.rules import RULE, Rule, begins_alike
from tern_triggers.store.rule_edits import Author, Kept, current, done, write
from tern_triggers.store.rulebook import ALWAYS, RETIRED, hold_still

FILES = "rules files"

_KNOWS_ANYBODY = "SELECT EXISTS (SELECT FROM rule) OR EXISTS (SELECT FROM agenda)"

_BODY = "SELECT body FROM rule WHERE name = $1 AND current"

_WRITER = """
SELECT by FROM rule_audit WHERE name = $1 AND act IN ('created', 'edited', 'retired') ORDER BY seq DESC LIMIT 1
"""


class Skipped(NamedTuple):
    """A file whose rule was not taken, and what to do if it should be."""

    rule: str
    why: str


async def seed(pool: Pool, rules: Iterable[Rule], now: datetime) -> list[Skipped]:
    """Brings the rules of the files in; returns those that were not taken. Raises `Misconfigured` and `Transient`.

    Rules that are there from a database's first moment have always decided; what began before any other is history.
    """
    async with transaction(pool) as conn:
        await hold_still(conn)
        began = now if await conn.fetchval(_KNOWS_ANYBODY) else ALWAYS
        found = [await _seed(conn, rule, began, now) for rule in rules]
    return [one for one in found if one is not None]


async def _seed(conn: Connection, rule: Rule, began: datetime, now: datetime) -> Skipped | None:
    kept = await current(conn, rule.rule)
    if kept is None:
        await write(conn, rule, rule.version, rule.mode, began)
        await done(conn, rule.rule, ["created", rule.mode], _author(now))
        return None
    stated = RULE.validate_json(await conn.fetchval(_BODY, rule.rule))
    if stated == rule and kept.standing != RETIRED:
        return None
    if await conn.fetchval(_WRITER, rule.rule) == FILES:
        least, why = stated.version, "another file had a higher version: raise this one's to {}"
    else:
        least, why = (
            kept.rule.version + 1,
            "people changed the rule since: raise the file's version to {} to take it back",
        )
    if rule.version < least:
        return Skipped(rule.rule, why.format(least))
    await _replace(conn, rule, stated, kept, now)
    return None


async def _replace(conn: Connection, rule: Rule, stated: Rule, kept: Kept, now: datetime) -> None:
    """A mode that the file does not change stays what people made of it."""
    if kept.rule.family != rule.family:
        raise Misconfigured(
            f"rule {rule.rule} is of the family {kept.rule.family}, for life: give the new one another name"
        )
    changes_mode = kept.standing == RETIRED or rule.mode != stated.mode
    mode = rule.mode if changes_mode else kept.standing
    goes_on = begins_alike(kept.rule, rule) and (not changes_mode or mode == "paused")
    await write(conn, rule, max(rule.version, kept.rule.version + 1), mode, kept.since if goes_on else now)
    await done(conn, rule.rule, ["edited", mode] if changes_mode else ["edited"], _author(now))


def _author(now: datetime) -> Author:
    return Author(FILES, "as the file says", now)
