"""Rows of `decision`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from tern_common.arrays import columns
from tern_common.db import Connection, Row
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.story import Gone

COLUMNS = (
    "trigger_id, rule, rule_version, key, step, home_id, customer_id, cycle_ref, started, anchor, due, round, expires,"
    " outcome, reason, decided_at, facts, retracted_at, cancelled_at,"
    " about, act, mode, channels, category, released_at"
)
STILL_OPEN = "outcome = 'fired' AND retracted_at IS NULL AND expires >= $2"
"""An exit can still end it; $2 is the time."""
_REASONS: Mapping[str, Why | Gone] = {code.value: code for codes in (Why, Gone) for code in codes}
_facts = msgspec.json.Decoder(dict[str, str | int | float | bool])


def decision_of(row: Row) -> Decision:
    """A row with `COLUMNS`, in their order."""
    reason = row[14]
    return Decision(
        trigger_id=str(row[0]),
        rule=row[1],
        rule_version=row[2],
        key=row[3],
        step=row[4],
        home_id=row[5].hex,
        customer_id=str(row[6]),
        cycle_ref=row[7],
        started=row[8],
        anchor=row[9],
        due=row[10],
        round=row[11],
        expires=row[12],
        outcome=Outcome(row[13]),
        reason=None if reason is None else _REASONS[reason],
        decided_at=row[15],
        facts=_facts.decode(row[16]),
        retracted_at=row[17],
        cancelled_at=row[18],
        about=row[19],
        act=row[20],
        mode=row[21],
        channels=tuple(row[22]),
        category=row[23],
        released_at=row[24],
    )


async def of_homes_and_keys(
    conn: Connection, homes: Collection[str], crowded: Collection[str], rules: Collection[str], keys: Collection[str]
) -> tuple[list[Decision], list[Decision]]:
    """All decisions under these homes, of the `crowded` only those about no named cart; and all of these rules about
    these carts and orders, whoever's. An order names the index: there may be millions about no cart."""
    query = f"""
        SELECT {COLUMNS}, true FROM decision WHERE home_id = ANY($1::uuid[])
        UNION ALL
        SELECT {COLUMNS}, true FROM unnest($2::uuid[]) AS crowd (home) CROSS JOIN LATERAL (
          SELECT * FROM decision WHERE home_id = home AND key = '' ORDER BY round OFFSET 0
        ) AS about_no_cart
        UNION ALL
        SELECT {COLUMNS}, false FROM decision WHERE rule = ANY($3::text[]) AND key = ANY($4::text[])
        """  # noqa: S608
    rows = await conn.fetch(query, list(homes), list(crowded), list(rules), list(keys))
    return [decision_of(row) for row in rows if row[-1]], [decision_of(row) for row in rows if not row[-1]]


async def of_rules(conn: Connection, rules: Collection[str], homes: Collection[str]) -> list[Decision]:
    """The decisions of these rules under these homes."""
    query = f"SELECT {COLUMNS} FROM decision WHERE home_id = ANY($1::uuid[]) AND rule = ANY($2::text[])"  # noqa: S608
    return [decision_of(row) for row in await conn.fetch(query, list(homes), list(rules))]


class Holders(NamedTuple):
    """Of some customers those with decisions that an exit can still end, and those for whom stock is held, or was asked
    to be."""

    of_open: list[str]
    of_stock: list[str]


async def holders(conn: Connection, customers: Collection[str], now: datetime) -> Holders:
    """Of most there is neither: so both are asked in one statement."""
    query = f"""
        SELECT customer_id, bool_or(of_open), bool_or(of_stock)
        FROM membership LEFT JOIN LATERAL (
          SELECT true AS of_open FROM decision WHERE decision.home_id = membership.home_id AND {STILL_OPEN} LIMIT 1
        ) AS decided ON true LEFT JOIN LATERAL (
          SELECT true AS of_stock FROM hold
          WHERE hold.home_id = membership.home_id AND status IN ('requested', 'confirmed', 'partial') LIMIT 1
        ) AS held ON true
        WHERE customer_id = ANY($1::uuid[]) AND (of_open OR of_stock)
        GROUP BY customer_id
        """  # noqa: S608
    rows = await conn.fetch(query, list(customers), now)
    return Holders([str(row[0]) for row in rows if row[1]], [str(row[0]) for row in rows if row[2]])


async def fired(conn: Connection, trigger_ids: Collection[str]) -> list[Decision]:
    """Those of these triggers that fired and were not withdrawn."""
    query = f"SELECT {COLUMNS} FROM decision WHERE trigger_id = ANY($1::uuid[]) AND outcome = 'fired'"  # noqa: S608
    return [decision_of(row) for row in await conn.fetch(query, list(trigger_ids))]


async def holders_of(conn: Connection, trigger_ids: Collection[str]) -> set[str]:
    """The customers that have the homes of these triggers now."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT membership.customer_id FROM decision JOIN membership USING (home_id)
        WHERE trigger_id = ANY($1::uuid[]) AND outcome = 'fired' AND membership.customer_id IS NOT NULL
        """,
        list(trigger_ids),
    )
    return {str(row[0]) for row in rows}


async def open_under(conn: Connection, homes: Collection[str], now: datetime) -> list[Decision]:
    """The decisions under these homes that somebody may still act on."""
    query = f"SELECT {COLUMNS} FROM decision WHERE home_id = ANY($1::uuid[]) AND cancelled_at IS NULL AND {STILL_OPEN}"  # noqa: S608
    return [decision_of(row) for row in await conn.fetch(query, list(homes), now)]


async def erase(conn: Connection, homes: Collection[str]) -> None:
    """Empties what led to the decisions under these homes. That they were taken stays."""
    await conn.execute("UPDATE decision SET facts = '{}', category = NULL WHERE home_id = ANY($1::uuid[])", list(homes))


async def add(conn: Connection, decisions: Iterable[Decision]) -> set[str]:
    """Adds rows; returns the row ids that were added. One that is there already, or whose trigger is, stays out."""
    said = sorted(decisions, key=lambda decision: decision.row_id)
    if not said:
        return set()
    rows = await conn.fetch(
        f"""
        INSERT INTO decision (id, {COLUMNS})
        SELECT id, trigger_id, rule, rule_version, key, step, home_id, customer_id, cycle_ref, started, anchor, due,
          round, expires, outcome, reason, decided_at, facts, retracted_at, cancelled_at, about, act, mode,
          string_to_array(channels, ','), category, released_at
        FROM unnest($1::text::uuid[], $2::text::uuid[], $3::text::text[], $4::text::int[], $5::text::text[],
          $6::text::smallint[], $7::text::uuid[], $8::text::uuid[], $9::text::text[], $10::text::timestamptz[],
          $11::text::timestamptz[], $12::text::timestamptz[], $13::text::timestamptz[], $14::text::timestamptz[],
          $15::text::text[], $16::text::text[], $17::text::timestamptz[], $18::text::bytea[], $19::text::timestamptz[],
          $20::text::timestamptz[], $21::text::text[], $22::text::text[], $23::text::text[], $24::text::text[],
          $25::text::text[], $26::text::timestamptz[])
          AS said (id, trigger_id, rule, rule_version, key, step, home_id, customer_id, cycle_ref, started, anchor, due,
            round, expires, outcome, reason, decided_at, facts, retracted_at, cancelled_at, about, act, mode, channels,
            category, released_at)
        ON CONFLICT DO NOTHING
        RETURNING id
        """,  # noqa: S608
        *columns(map(_values, said)),
    )
    return {str(row[0]) for row in rows}


def _values(decision: Decision) -> tuple[Any, ...]:
    return (
        decision.row_id,
        decision.trigger_id,
        decision.rule,
        decision.rule_version,
        decision.key,
        decision.step,
        decision.home_id,
        decision.customer_id,
        decision.cycle_ref,
        decision.started,
        decision.anchor,
        decision.due,
        decision.round,
        decision.expires,
        decision.outcome,
        decision.reason,
        decision.decided_at,
        msgspec.json.encode(decision.facts),
        decision.retracted_at,
        decision.cancelled_at,
        decision.about,
        decision.act,
        decision.mode,
        ",".join(decision.channels),
        decision.category,
        decision.released_at,
    )


async def withdraw(conn: Connection, reasons: Mapping[str, str]) -> None:
    """`fired` → `withdrawn`, by trigger id, with why: the one rewriting there is."""
    if reasons:
        await conn.execute(
            """
            UPDATE decision SET outcome = 'withdrawn', reason = said.reason
            FROM unnest($1::uuid[], $2::text[]) AS said (trigger_id, reason)
            WHERE decision.trigger_id = said.trigger_id AND outcome = 'fired'
            """,
            list(reasons),
            list(reasons.values()),
        )


async def note_revocations(
    conn: Connection, retracted: Collection[str], cancelled: Collection[str], now: datetime
) -> None:
    """Notes, by trigger id, what has been revoked."""
    if retracted or cancelled:
        await conn.execute(
            """
            UPDATE decision SET
              retracted_at = CASE WHEN trigger_id = ANY($1::uuid[]) THEN $3 ELSE retracted_at END,
              cancelled_at = CASE WHEN trigger_id = ANY($2::uuid[]) THEN $3 ELSE cancelled_at END
            WHERE trigger_id = ANY($1::uuid[] || $2::uuid[]) AND outcome = 'fired'
            """,
            list(retracted),
            list(cancelled),
            now,
        )
