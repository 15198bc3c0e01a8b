"""Rows of `profile_copy`: what a decision needs of a profile."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from tern_common.db import Connection
from tern_triggers.domain.news import ProfileNews
from tern_triggers.domain.view import Verdicts

_decoder = msgspec.json.Decoder(Verdicts)


async def raise_to(conn: Connection, profiles: Iterable[ProfileNews]) -> None:
    """Keeps the highest rev of each profile."""
    said = sorted(profiles, key=lambda profile: profile.customer_id)
    if not said:
        return
    await conn.execute(
        """
        INSERT INTO profile_copy AS kept (customer_id, rev, merged_into, verdicts)
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[])
        ON CONFLICT (customer_id) DO UPDATE
        SET rev = excluded.rev, merged_into = excluded.merged_into, verdicts = excluded.verdicts
        WHERE kept.rev < excluded.rev
        """,
        [profile.customer_id for profile in said],
        [profile.rev for profile in said],
        [profile.merged_into for profile in said],
        [msgspec.json.encode(profile.verdicts) for profile in said],
    )


async def of_customers(conn: Connection, customers: Collection[str]) -> dict[str, tuple[Verdicts, bool]]:
    """Each customer's own verdicts, and whether its record says that it was merged into another."""
    rows = await conn.fetch(
        "SELECT customer_id, verdicts, merged_into IS NOT NULL FROM profile_copy WHERE customer_id = ANY($1::uuid[])",
        list(customers),
    )
    return {str(row[0]): (_decoder.decode(row[1]), row[2]) for row in rows}


async def of_former(conn: Connection, customers: Collection[str]) -> dict[str, list[Verdicts]]:
    """The verdicts of ids that were absorbed by these customers, where profile has not merged them yet."""
    rows = await conn.fetch(
        """
        SELECT former.into_id, copy.verdicts FROM former JOIN profile_copy AS copy USING (customer_id)
        WHERE former.into_id = ANY($1::uuid[]) AND copy.merged_into IS NULL
          AND NOT EXISTS (SELECT FROM membership WHERE membership.customer_id = former.customer_id)
        """,
        list(customers),
    )
    found: dict[str, list[Verdicts]] = {}
    for row in rows:
        found.setdefault(str(row[0]), []).append(_decoder.decode(row[1]))
    return found
