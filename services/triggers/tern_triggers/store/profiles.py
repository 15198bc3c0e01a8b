"""Rows of `profile_copy`: what a decision needs of a profile."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_triggers.domain.news import ProfileNews
from tern_triggers.domain.view import Verdicts

_decoder = msgspec.json.Decoder(Verdicts)


class Copies(NamedTuple):
    """A customer's own verdicts, None without any; and those of absorbed ids that profile may not have merged yet."""

    own: Verdicts | None
    former: list[Verdicts]


async def raise_to(conn: Connection, profiles: Iterable[ProfileNews], now: datetime) -> None:
    """Keeps the highest rev of each profile. A merge leaves what was refused before it, and is stamped with `now`.

    Contact points are kept of living profiles only: whose are kept must be told of an erasure, and those are. Of the
    others it is kept that there was one.
    """
    said = sorted(profiles, key=lambda profile: profile.customer_id)
    if not said:
        return
    await conn.execute(
        """
        INSERT INTO profile_copy AS kept (customer_id, rev, merged_into, verdicts, merged_at)
        SELECT customer_id, rev, merged_into, verdicts, CASE WHEN merged_into IS NOT NULL THEN $5::timestamptz END
        FROM unnest($1::text::uuid[], $2::text::bigint[], $3::text::uuid[], $4::text::bytea[])
          AS said (customer_id, rev, merged_into, verdicts)
        ON CONFLICT (customer_id) DO UPDATE
        SET rev = excluded.rev, merged_into = excluded.merged_into, merged_at = excluded.merged_at,
            verdicts = CASE WHEN excluded.merged_into IS NULL THEN excluded.verdicts
              ELSE convert_to(json_strip_nulls(json_build_object(
                'consent', convert_from(kept.verdicts, 'UTF8')::json -> 'consent',
                'shared', convert_from(kept.verdicts, 'UTF8')::json -> 'shared',
                'contacts', (
                  SELECT json_object_agg(kind, json_build_object(
                    'value', '', 'trusted', point -> 'trusted', 'doubtful', point -> 'doubtful'))
                  FROM json_each(convert_from(kept.verdicts, 'UTF8')::json -> 'contacts') AS kinds (kind, point)
                )))::text, 'UTF8') END
        WHERE kept.rev < excluded.rev
        """,
        *columns((one.customer_id, one.rev, one.merged_into, msgspec.json.encode(one.verdicts)) for one in said),
        now,
    )


def read(verdicts: bytes) -> Verdicts:
    """What a copy says."""
    return _decoder.decode(verdicts)


async def of_customers(conn: Connection, customers: Collection[str]) -> dict[str, Copies]:
    """The copies of these customers and of all ids that they absorbed, by way of others too.

    One statement, so that nothing slips between two snapshots. What an absorbed id said counts until profile has said
    so (`merged_into`) and safe time has passed the moment at which that came: then the survivor's own record is here.
    """
    rows = await conn.fetch(
        """
        WITH RECURSIVE passed (at) AS (
          SELECT coalesce((SELECT at FROM safe_time WHERE lane = 'live'), '-infinity')
        ), trail (customer_id, id) AS (
          SELECT who, who FROM unnest($1::uuid[]) AS who
          UNION
          SELECT trail.customer_id, gone.id
          FROM trail CROSS JOIN LATERAL (
            SELECT former.customer_id AS id FROM former WHERE former.into_id = trail.id
              AND NOT EXISTS (SELECT FROM membership WHERE membership.customer_id = former.customer_id)
            UNION ALL
            SELECT copy.customer_id FROM profile_copy AS copy WHERE copy.merged_into = trail.id
          ) AS gone
        )
        SELECT trail.customer_id, trail.id = trail.customer_id, copy.verdicts
        FROM trail CROSS JOIN LATERAL (
          SELECT verdicts, merged_into, merged_at FROM profile_copy WHERE customer_id = trail.id OFFSET 0
        ) AS copy
        WHERE copy.merged_into IS NULL OR copy.merged_at > (SELECT at FROM passed)
        ORDER BY trail.customer_id, trail.id
        """,
        list(customers),
    )
    found: dict[str, Copies] = {}
    for row in rows:
        known = found.setdefault(str(row[0]), Copies(None, []))
        verdicts = read(row[2])
        if row[1]:
            found[str(row[0])] = known._replace(own=verdicts)
        else:
            known.former.append(verdicts)
    return found
