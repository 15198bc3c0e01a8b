"""Rows of `outcome`: what marketing systems report about triggers, and what follows for the slot a trigger took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from tern_common.db import Connection
from tern_triggers.domain.reports import FREES_THE_SLOT, REACHED, OutcomeReported


async def homes_of(conn: Connection, trigger_ids: Collection[str]) -> dict[str, str]:
    """The homes under which these triggers were published, as far as they were; of erased homes nothing is kept."""
    rows = await conn.fetch(
        """
        SELECT trigger_id, home_id FROM decision
        WHERE trigger_id = ANY($1::uuid[]) AND outcome = 'fired' AND mode = 'live' AND NOT EXISTS (
          SELECT FROM membership WHERE membership.home_id = decision.home_id AND customer_id IS NULL
        )
        """,
        list(trigger_ids),
    )
    return {str(row[0]): row[1].hex for row in rows}


async def hold_still(conn: Connection, trigger_ids: Collection[str]) -> set[str]:
    """Locks the decisions that are reported about, before their reports, as whoever sweeps them away does; returns the
    ids of those that are still there."""
    fired = "SELECT trigger_id FROM decision WHERE trigger_id = ANY($1::uuid[]) AND outcome = 'fired'"
    rows = await conn.fetch(f"{fired} ORDER BY id FOR UPDATE", list(trigger_ids))
    return {str(row[0]) for row in rows}


async def add(conn: Connection, reported: Iterable[OutcomeReported], homes: Mapping[str, str]) -> None:
    """Adds to the set; of reports of one status the earliest stays."""
    said: dict[tuple[str, str], OutcomeReported] = {}
    for one in reported:
        known = said.setdefault((one.trigger_id, one.status), one)
        said[one.trigger_id, one.status] = min(known, one, key=lambda each: (each.at, each.channel))
    if not said:
        return
    rows = [said[name] for name in sorted(said)]
    await conn.execute(
        """
        INSERT INTO outcome AS kept (trigger_id, status, home_id, channel, at)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[])
        ON CONFLICT (trigger_id, status) DO UPDATE SET channel = excluded.channel, at = excluded.at
        WHERE (excluded.at, excluded.channel) < (kept.at, kept.channel)
        """,
        [row.trigger_id for row in rows],
        [row.status for row in rows],
        [homes[row.trigger_id] for row in rows],
        [row.channel for row in rows],
        [row.at for row in rows],
    )


async def release(conn: Connection, trigger_ids: Collection[str]) -> set[str]:
    """Frees the slots of contacts that failed or were skipped, and of which nothing says that they reached anybody: a
    function of the set, so that the order of reports does not matter. Returns the ids of those that are free now and
    were not before."""
    if not trigger_ids:
        return set()
    rows = await conn.fetch(
        """
        UPDATE decision SET released_at = said.at
        FROM (
          SELECT trigger_id, CASE WHEN NOT bool_or(status = ANY($3::text[])) THEN
            min(at) FILTER (WHERE status = ANY($2::text[])) END AS at
          FROM outcome WHERE trigger_id = ANY($1::uuid[]) GROUP BY trigger_id
        ) AS said
        WHERE decision.trigger_id = said.trigger_id AND outcome = 'fired' AND mode = 'live'
          AND released_at IS DISTINCT FROM said.at
        RETURNING decision.trigger_id, said.at
        """,
        list(trigger_ids),
        sorted(FREES_THE_SLOT),
        sorted(REACHED),
    )
    return {str(row[0]) for row in rows if row[1] is not None}


async def erase(conn: Connection, homes: Collection[str]) -> None:
    """Deletes all under these homes."""
    await conn.execute("DELETE FROM outcome WHERE home_id = ANY($1::uuid[])", list(homes))
