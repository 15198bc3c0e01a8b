"""Changes of rules: by people, who say why, and by the files that the service starts with. None is ever overwritten.

A change raises the revision, notes who made it, and asks for a look at everybody whom the rule concerns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from tern_common.db import Connection, Pool, transaction
from tern_common.errors import Refused
from tern_triggers.domain.rules import Mode, Rule, begins_alike
from tern_triggers.store import rule_plans
from tern_triggers.store.rulebook import RETIRED, hold_still, rise, rule_of

Standing = Literal["live", "shadow", "paused", "retired"]

_SHOWN = """
SELECT rule.name, rule.version, rule.body, rule.mode, rule.since,
       (SELECT max(seq) FROM rule_audit WHERE rule_audit.name = rule.name)
FROM rule
"""

_CURRENT = _SHOWN + "WHERE current AND name = $1"
_ALL_CURRENT = _SHOWN + "WHERE current ORDER BY name"
_VERSIONS = _SHOWN + "WHERE name = $1 ORDER BY version DESC"

_NOTE = "INSERT INTO rule_audit (name, version, act, by, reason, at) VALUES ($1, $2, $3, $4, $5, $6)"

_LAST_DECIDED_AS = "SELECT act FROM rule_audit WHERE name = $1 AND act IN ('live', 'shadow') ORDER BY seq DESC LIMIT 1"

_HISTORY = "SELECT version, act, by, reason, at FROM rule_audit WHERE name = $1 ORDER BY seq DESC LIMIT $2"


class Author(NamedTuple):
    """Who changes a rule, why, and when."""

    by: str
    reason: str
    at: datetime


class Kept(NamedTuple):
    """A version of a rule. `standing`: its mode, or retired. `since`: since when it decides so. `changed` rises with
    every change of the rule, also of its mode."""

    rule: Rule
    standing: Standing
    since: datetime
    changed: int

    @property
    def tag(self) -> str:
        """Says which state of the rule somebody has seen: an entity tag, without its quotes."""
        return f"{self.rule.version}-{self.changed}"


class Entry(NamedTuple):
    """One line of a rule's history."""

    version: int
    act: str
    by: str
    reason: str
    at: datetime


async def current(conn: Connection, name: str) -> Kept | None:
    """The rule as it stands, retired ones too."""
    row = await conn.fetchrow(_CURRENT, name)
    return None if row is None else _kept(*row)


async def all_current(conn: Connection) -> list[Kept]:
    """Every rule as it stands, retired ones too."""
    return [_kept(*row) for row in await conn.fetch(_ALL_CURRENT)]


async def versions(conn: Connection, name: str) -> list[Kept]:
    """Every version of a rule, the newest first."""
    return [_kept(*row) for row in await conn.fetch(_VERSIONS, name)]


async def history(conn: Connection, name: str, limit: int) -> list[Entry]:
    """Who did what to a rule, the newest first."""
    return [Entry(*row) for row in await conn.fetch(_HISTORY, name, limit)]


async def put(pool: Pool, rule: Rule, seen: str | None, author: Author) -> Kept:
    """Writes a rule. One that is new, or was retired, begins in shadow; another keeps its mode, and has a new version.

    `seen`: the tag of the state that was edited. Raises `Refused`. The same rule once more changes nothing.
    """
    async with transaction(pool) as conn:
        await hold_still(conn)
        kept = await current(conn, rule.rule)
        if kept is None:
            return await _create(conn, rule, seen, author)
        require_seen(kept, seen)
        if content(kept.rule) == content(rule) and kept.standing != RETIRED:
            return kept
        require_family(kept.rule, rule)
        fresh = kept.standing == RETIRED
        version, mode = max(rule.version, kept.rule.version + 1), "shadow" if fresh else kept.standing
        since = author.at if fresh or not begins_alike(kept.rule, rule) else kept.since
        await write(conn, rule, version, mode, since)
        return await done(conn, rule.rule, ["edited", "shadow"] if fresh else ["edited"], author)


async def set_mode(pool: Pool, name: str, mode: Mode | Literal["retired"], seen: str | None, author: Author) -> Kept:
    """Lets a rule decide, decide in silence, or not at all. One that goes on as it was before a pause goes on with what
    was running; any other that begins to decide so begins with what begins from now on. Raises `Refused`."""
    async with transaction(pool) as conn:
        await hold_still(conn)
        kept = await current(conn, name)
        if kept is None:
            raise unknown_rule(name)
        if seen is not None:
            require_seen(kept, seen)
        if kept.standing == mode:
            return kept
        if kept.standing == RETIRED:
            raise Refused(409, "retired", f"{name} is retired: write it anew with PUT /v1/rules/{name}.")
        goes_on = mode in ("paused", RETIRED) or await conn.fetchval(_LAST_DECIDED_AS, name) == mode
        since = kept.since if goes_on else author.at
        await conn.execute("UPDATE rule SET mode = $2, since = $3 WHERE name = $1 AND current", name, mode, since)
        return await done(conn, name, [mode], author)


async def _create(conn: Connection, rule: Rule, seen: str | None, author: Author) -> Kept:
    if seen is not None:
        raise Refused(412, "unknown-rule", f"There is no rule {rule.rule} to change: leave If-Match out to make it.")
    mode: Mode = "paused" if rule.mode == "paused" else "shadow"
    await write(conn, rule, rule.version, mode, author.at)
    return await done(conn, rule.rule, ["created", mode], author)


async def done(conn: Connection, name: str, acts: Sequence[str], author: Author) -> Kept:
    """After the change: it is noted, told to all processes, and whom it concerns is looked at."""
    kept = await current(conn, name)
    assert kept is not None, "a rule that was written is there"
    for act in acts:
        await conn.execute(_NOTE, name, kept.rule.version, act, author.by, author.reason, author.at)
    await rise(conn)
    await rule_plans.ask(conn, name)
    changed = await current(conn, name)
    assert changed is not None, "a rule that was written is there"
    return changed


async def write(conn: Connection, rule: Rule, version: int, mode: str, since: datetime) -> None:
    """Makes this version the current one. Its body says what its writer said, also of version and mode."""
    await conn.execute("UPDATE rule SET current = false WHERE name = $1 AND current", rule.rule)
    await conn.execute(
        "INSERT INTO rule (name, version, body, mode, since, current) VALUES ($1, $2, $3, $4, $5, true)",
        rule.rule,
        version,
        rule.model_dump_json(exclude_none=True).encode(),
        mode,
        since,
    )


def content(rule: Rule) -> str:
    """What a rule says, whatever its version and mode."""
    return rule.model_dump_json(exclude={"version", "mode"}, exclude_none=True)


def require_seen(kept: Kept, seen: str | None) -> None:
    """Raises `Refused` unless the state that was seen is the present one."""
    name = kept.rule.rule
    if seen is None:
        raise Refused(
            428, "say-what-you-saw", f'Send If-Match with the ETag of GET /v1/rules/{name}, now "{kept.tag}".'
        )
    if seen not in ("*", kept.tag):
        raise Refused(
            412,
            "changed-meanwhile",
            f'{name} is another by now: read it again (its ETag is "{kept.tag}"), then edit it.',
        )


def require_family(kept: Rule, rule: Rule) -> None:
    """A trigger and its retraction share a topic, in which they stay in order. Raises `Refused`."""
    if kept.family != rule.family:
        raise Refused(
            422, "family-is-for-life", f"{rule.rule} is of the family {kept.family}: give the new rule another name."
        )


def unknown_rule(name: str) -> Refused:
    """There is none of this name."""
    return Refused(404, "unknown-rule", f"There is no rule {name}: GET /v1/rules lists them.")


def _kept(name: str, version: int, body: bytes, mode: Standing, since: datetime, changed: int | None) -> Kept:
    return Kept(rule_of(name, version, body, mode), mode, since, changed or 0)
