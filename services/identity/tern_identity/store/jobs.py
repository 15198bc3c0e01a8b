"""Jobs on the whole graph: one at a time, in the order in which they were asked for, chunk by chunk.

A job's row is locked by whoever works on it, and says how far it is; so a job goes on where it was after a crash, and
several processes never work on one chunk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

from tern_common.db import Connection, Pool, Row, connection, transaction
from tern_identity.domain.rules import Rules
from tern_identity.store.ruleset import Act, make_live, require_sound

Kind = Literal["check", "simulate", "apply", "rebuild", "reseal", "compact"]

_DAY = timedelta(days=1)

_COLUMNS = 'job_id, kind, by, reason, at, "cursor", last, changed, asked, report, ended_at'

_BEGIN = f"""
INSERT INTO job (kind, by, reason, at, "cursor", last, asked)
SELECT $1, $2, $3, $4, 0, CASE WHEN is_called THEN last_value ELSE 0 END, $5 FROM node_id
RETURNING {_COLUMNS}
"""  # noqa: S608

_TAKE = f"""
SELECT {_COLUMNS} FROM job WHERE job_id = (SELECT min(job_id) FROM job WHERE ended_at IS NULL)
FOR UPDATE SKIP LOCKED
"""  # noqa: S608

# The chunk itself is done on other connections, and may take longer than a transaction is left idle elsewhere.
_BE_PATIENT = "SET LOCAL idle_in_transaction_session_timeout = '10min'"

_ADVANCE = """
UPDATE job SET "cursor" = $2, changed = changed + $3, report = coalesce($4, report), ended_at = $5 WHERE job_id = $1
"""

_FIND = f"SELECT {_COLUMNS} FROM job WHERE job_id = $1"  # noqa: S608
_NEWEST = f"SELECT {_COLUMNS} FROM job ORDER BY job_id DESC LIMIT $1"  # noqa: S608
_ALONE = "LOCK TABLE job IN SHARE ROW EXCLUSIVE MODE"
# A ledger that has just begun has no yesterday.
_LAST_BEGUN = """
SELECT coalesce((SELECT max(at) FROM job WHERE kind = $1), (SELECT min(at) FROM ruleset))
"""


class Job(NamedTuple):
    """A job as it stands. `cursor`: the last node that is done; `last`: that at which it ends; `changed`: homes that
    it moved, or rows that it wrote. `asked` and `report` are its own."""

    job_id: int
    kind: Kind
    by: str
    reason: str
    at: datetime
    cursor: int
    last: int
    changed: int
    asked: Mapping[str, Any]
    report: Mapping[str, Any]
    ended_at: datetime | None

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        if self.ended_at is not None or self.last <= 0:
            return 1.0 if self.ended_at is not None else 0.0
        return min(self.cursor / self.last, 1.0)


class Done(NamedTuple):
    """What a chunk came to: it ends at node `upto`. `report`: the whole one, as it is by now; `refolds`: how many
    groups were folded from the ledger."""

    upto: int
    changed: int = 0
    report: Mapping[str, Any] | None = None
    refolds: int = 0


async def begin(conn: Connection, kind: Kind, act: Act, asked: Mapping[str, Any] | None = None) -> Job:
    """Asks for a job on all nodes that are born by now; it begins when those before it have ended."""
    text = None if asked is None else json.dumps(asked)
    row = await conn.fetchrow(_BEGIN, kind, act.by, act.reason, act.at, text)
    return _job(cast(Row, row))


async def take(conn: Connection) -> Job | None:
    """The job whose turn it is, locked until the transaction ends; None where there is none, or another has it."""
    await conn.execute(_BE_PATIENT)
    row = await conn.fetchrow(_TAKE)
    return None if row is None else _job(row)


async def advance(conn: Connection, job: Job, done: Done, now: datetime) -> None:
    """Writes how far a job is; it has ended when it is at its last node."""
    report = None if done.report is None else json.dumps(done.report)
    ended = now if done.upto >= job.last else None
    await conn.execute(_ADVANCE, job.job_id, done.upto, done.changed, report, ended)


class Jobs:
    """Where jobs are asked for, and looked at."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, kind: Kind, act: Act) -> Job:
        """Asks for a job that needs no more to be said."""
        async with transaction(self._pool) as conn:
            return await begin(conn, kind, act)

    async def simulate(self, rules: Rules, sample: float, act: Act) -> Job:
        """Asks what these rules would change, of a share of the groups. Raises `Refused` for what could not be applied
        whatever its version."""
        async with transaction(self._pool) as conn:
            await require_sound(conn, rules)
            return await begin(conn, "simulate", act, {"rules": rules.model_dump(mode="json"), "sample": sample})

    async def apply(self, rules: Rules, act: Act) -> Job:
        """Puts rules in force, and asks for the job that folds by them all that was there before. Raises `Refused`."""
        async with transaction(self._pool) as conn:
            await make_live(conn, rules, act)
            return await begin(conn, "apply", act)

    async def find(self, job_id: int) -> Job | None:
        """A job by its number."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_FIND, job_id)
        return None if row is None else _job(row)

    async def newest(self, limit: int) -> list[Job]:
        """The newest first."""
        async with connection(self._pool) as conn:
            return [_job(row) for row in await conn.fetch(_NEWEST, limit)]


async def begin_daily(pool: Pool, kind: Kind, act: Act) -> Job | None:
    """Asks for a job that is to be done once a day, whoever thinks of it; None when it was."""
    async with connection(pool) as conn:
        if _is_fresh(await conn.fetchval(_LAST_BEGUN, kind), act.at):
            return None
    async with transaction(pool) as conn:
        await conn.execute(_ALONE)
        fresh = _is_fresh(await conn.fetchval(_LAST_BEGUN, kind), act.at)
        return None if fresh else await begin(conn, kind, act)


def _is_fresh(begun: datetime | None, now: datetime) -> bool:
    return begun is not None and now - begun < _DAY


def _job(row: Row) -> Job:
    known = dict(row.items())
    return Job(**known | {name: json.loads(known[name] or "{}") for name in ("asked", "report")})
