"""Rows of `deferral`: steps that have to wait, until everything about them is checked again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from tern_common.db import Connection
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.view import Deferral


async def put(conn: Connection, deferrals: Iterable[Deferral]) -> None:
    """Writes deferrals; the newest of each step stays. The customer is locked."""
    said = {(deferral.home_id, deferral.trigger_id): deferral for deferral in deferrals}
    if not said:
        return
    rows = [said[name] for name in sorted(said)]
    await conn.execute(
        """
        INSERT INTO deferral (home_id, trigger_id, rule, until, why, enrolled)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[])
        ON CONFLICT (home_id, trigger_id) DO UPDATE
        SET until = excluded.until, why = excluded.why, enrolled = excluded.enrolled
        """,
        [row.home_id for row in rows],
        [row.trigger_id for row in rows],
        [row.rule for row in rows],
        [row.until for row in rows],
        [row.why for row in rows],
        [row.enrolled for row in rows],
    )


async def remove(conn: Connection, deferrals: Collection[Deferral]) -> None:
    """Deletes those that were decided, or that no candidate has any more."""
    if not deferrals:
        return
    await conn.execute(
        """
        DELETE FROM deferral USING unnest($1::uuid[], $2::uuid[]) AS old (home_id, trigger_id)
        WHERE (deferral.home_id, deferral.trigger_id) = (old.home_id, old.trigger_id)
        """,
        [deferral.home_id for deferral in deferrals],
        [deferral.trigger_id for deferral in deferrals],
    )


async def erase(conn: Connection, homes: Collection[str]) -> None:
    """Deletes all deferrals under these homes."""
    await conn.execute("DELETE FROM deferral WHERE home_id = ANY($1::uuid[])", list(homes))


async def free(conn: Connection, customers: Collection[str], now: datetime) -> None:
    """A slot of these customers is free: what waits for one waits no longer. They are locked, and looked at next."""
    await conn.execute(
        """
        UPDATE deferral SET until = least(until, $2) WHERE why = $3 AND home_id IN (
          SELECT home_id FROM membership WHERE customer_id = ANY($1::uuid[])
        )
        """,
        list(customers),
        now,
        Why.CAPPED,
    )


async def answered(conn: Connection, trigger_ids: Collection[str], now: datetime) -> None:
    """The shop has spoken: what waits for its answer waits no longer."""
    await conn.execute(
        "UPDATE deferral SET until = least(until, $2) WHERE why = $3 AND trigger_id = ANY($1::uuid[])",
        list(trigger_ids),
        now,
        Why.STOCK,
    )
