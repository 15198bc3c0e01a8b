"""Rows of `outbox`: what is to be published, in order, at least once (triggers.md §4.5).

A row is noted as attempted and leased *before* it is sent, in the transaction that writes it or in one of its own, so
that whoever finds it unattempted knows that nobody has seen it. Ages and leases are real time; the re-check is against
the safe time by which the trigger was decided: an import holds back only what waits for history anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tern_common.arrays import columns
from tern_common.db import UNHURRIED, Connection
from tern_triggers.domain.contract import FIRED
from tern_triggers.domain.policy import OutboxPolicy
from tern_triggers.domain.rounds import Safe
from tern_triggers.domain.rules import Lane


class Letter(NamedTuple):
    """A CloudEvent on its way: `message_id` is its id, `key` the customer id that was stored when it fired.

    `lane`: whose safe time the trigger's rule waits for; all else waits for none.
    """

    trigger_id: str
    type: str
    topic: str
    key: bytes
    message_id: str
    value: bytes
    lane: Lane = "live"


class HeldBack(NamedTuple):
    """The row of a trigger that was not published in time."""

    seq: int
    trigger_id: str


class Claimed(NamedTuple):
    """A letter that this process may send now: of each trigger the first that waits, and no other before it is gone."""

    seq: int
    letter: Letter


async def put(conn: Connection, letters: Sequence[Letter], lease: timedelta | None = None) -> list[Claimed]:
    """Queues letters in this order.

    With a `lease` they are noted as attempted, and returned: the caller publishes them itself once it has committed.
    """
    if not letters:
        return []
    rows = await conn.fetch(
        """
        INSERT INTO outbox (trigger_id, type, topic, key, message_id, value, lane, attempted_at, lease)
        SELECT trigger_id, type, topic, key, message_id, value, lane,
          CASE WHEN $8::interval IS NOT NULL THEN clock_timestamp() END, clock_timestamp() + $8::interval
        FROM unnest($1::text::uuid[], $2::text::text[], $3::text::text[], $4::text::bytea[], $5::text::text[],
          $6::text::bytea[], $7::text::text[])
          WITH ORDINALITY AS said (trigger_id, type, topic, key, message_id, value, lane, place)
        ORDER BY place
        RETURNING seq
        """,
        *columns(letters),
        lease,
    )
    seqs = sorted(row[0] for row in rows)
    return [] if lease is None else [Claimed(seq, letter) for seq, letter in zip(seqs, letters, strict=True)]


async def take_back(conn: Connection, trigger_ids: Collection[str]) -> set[str]:
    """Removes triggers that nobody can have seen; returns their ids. Waits for a claim that is being written."""
    rows = await conn.fetch(
        """
        WITH unseen AS (
          SELECT seq FROM outbox
          WHERE trigger_id = ANY($1::uuid[]) AND type = $2 AND attempted_at IS NULL
          ORDER BY seq FOR UPDATE
        )
        DELETE FROM outbox USING unseen WHERE outbox.seq = unseen.seq RETURNING outbox.trigger_id
        """,
        list(trigger_ids),
        FIRED,
    )
    return {str(row[0]) for row in rows}


async def stamp_stale(conn: Connection, now: datetime, after: timedelta) -> None:
    """Rows older than `after` are published only once safe time has passed this stamp. So are rows of later than now:
    the clock was set back, and nobody knows how old they are."""
    await conn.execute(
        """
        UPDATE outbox SET checked_at = $1 WHERE seq = ANY(ARRAY(
          SELECT seq FROM outbox
          WHERE type = $2 AND checked_at IS NULL
            AND created_at NOT BETWEEN clock_timestamp() - $3::interval AND clock_timestamp()
          FOR UPDATE SKIP LOCKED
        ))
        """,
        now,
        FIRED,
        after,
    )


async def shorten_leases(conn: Connection, lease: timedelta) -> None:
    """Lets no lease end later than one that begins now. One that does was given before the database's clock was set
    back, and whoever has it may be dead: others would wait for as long as the step was."""
    await conn.execute(
        """
        UPDATE outbox SET lease = clock_timestamp() + $1::interval WHERE seq = ANY(ARRAY(
          SELECT seq FROM outbox WHERE lease > clock_timestamp() + $1::interval FOR UPDATE SKIP LOCKED
        ))
        """,
        lease,
    )


async def held_back(conn: Connection, safe: Safe | None, now: datetime, limit: int) -> list[HeldBack]:
    """Old triggers that may be sent once they are asked about again, or on which nobody may act any more."""
    live, rest = (None, None) if safe is None else safe
    rows = await conn.fetch(
        """
        SELECT seq, trigger_id FROM outbox CROSS JOIN LATERAL (
          SELECT expires FROM decision WHERE decision.trigger_id = outbox.trigger_id AND outcome = 'fired' OFFSET 0
        ) AS decided
        WHERE type = $1 AND checked_at IS NOT NULL AND (lease IS NULL OR lease < clock_timestamp())
          AND (checked_at <= CASE lane WHEN 'live' THEN $2::timestamptz ELSE $3::timestamptz END
               OR decided.expires < $4)
        ORDER BY seq LIMIT $5
        """,
        FIRED,
        live,
        rest,
        now,
        limit,
    )
    return [HeldBack(row[0], str(row[1])) for row in rows]


async def put_off(conn: Connection, until: Mapping[int, datetime]) -> None:
    """Holds rows back until safe time has passed a moment; then they are asked about again."""
    if until:
        await conn.execute(
            """
            UPDATE outbox SET checked_at = said.until FROM unnest($1::bigint[], $2::timestamptz[]) AS said (seq, until)
            WHERE outbox.seq = said.seq
            """,
            list(until),
            list(until.values()),
        )


async def drop_attempted(conn: Connection, seqs: Collection[int]) -> None:
    """Removes rows that somebody may have seen, and that nobody is sending now."""
    await conn.execute(
        """
        DELETE FROM outbox WHERE seq = ANY($1::bigint[])
          AND attempted_at IS NOT NULL AND (lease IS NULL OR lease < clock_timestamp())
        """,
        list(seqs),
    )


async def claim(conn: Connection, cleared: Collection[int], policy: OutboxPolicy) -> list[Claimed]:
    """Notes an attempt at the first rows that may be sent; never past an earlier row of the same trigger. Of triggers
    that were held back only those that are `cleared`.

    Earlier rows are compared by both columns of one index, so that no other will do.
    """
    rows = await conn.fetch(
        """
        UPDATE outbox SET attempted_at = clock_timestamp(), lease = clock_timestamp() + $3::interval
        WHERE seq = ANY(ARRAY(
          SELECT seq FROM outbox AS mine
          WHERE (lease IS NULL OR lease < clock_timestamp())
            AND (type <> $5 OR seq = ANY($1::bigint[])
                 OR (checked_at IS NULL
                     AND created_at BETWEEN clock_timestamp() - $4::interval AND clock_timestamp()))
            AND NOT EXISTS (
              SELECT FROM outbox AS earlier
              WHERE earlier.trigger_id = mine.trigger_id
                AND (earlier.trigger_id, earlier.seq) < (mine.trigger_id, mine.seq) OFFSET 0
            )
          ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED
        ))
        RETURNING seq, trigger_id, type, topic, key, message_id, value, lane
        """,
        list(cleared),
        policy.batch,
        policy.lease,
        policy.recheck_after,
        FIRED,
    )
    claimed = [Claimed(row[0], Letter(str(row[1]), *list(row)[2:])) for row in rows]
    return sorted(claimed, key=lambda one: one.seq)


async def delivered(conn: Connection, seqs: Collection[int]) -> None:
    """Removes what the broker has acknowledged, and does not wait for the disk: a removal that a crash of the database
    undoes is one more copy."""
    await conn.execute(
        f"WITH {UNHURRIED} DELETE FROM outbox USING unhurried WHERE seq = ANY($1::bigint[])",  # noqa: S608
        list(seqs),
    )


async def failed(conn: Connection, seqs: Collection[int], now: datetime, rest: timedelta | None) -> None:
    """Gives rows back after a failed send, which counts as an attempt: they wait until safe time has passed `now`, and
    for as long a `rest` of real time."""
    await conn.execute(
        """
        UPDATE outbox
        SET lease = clock_timestamp() + $4::interval, checked_at = CASE WHEN type = $3 THEN $2::timestamptz END
        WHERE seq = ANY($1::bigint[])
        """,
        list(seqs),
        now,
        FIRED,
        rest,
    )


async def waiting(conn: Connection) -> tuple[int, float]:
    """How many rows wait, and the age of the oldest in real seconds."""
    row = await conn.fetchrow(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 FROM outbox"
    )
    return (0, 0.0) if row is None else (row[0], row[1])
