"""Rows of `membership` and `former`: whose a home is, and where absorbed customers went."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_triggers.domain.news import Former, Membership

HOPS = 16


async def of_homes(conn: Connection, homes: Collection[str]) -> dict[str, Membership]:
    """The memberships of these homes, as far as they are known."""
    if not homes:
        return {}
    rows = await conn.fetch(
        "SELECT home_id, customer_id, version, shared FROM membership WHERE home_id = ANY($1::uuid[])", list(homes)
    )
    return {row[0].hex: Membership(row[0].hex, None if row[1] is None else str(row[1]), row[2], row[3]) for row in rows}


async def of_customers(conn: Connection, customers: Collection[str]) -> dict[str, list[Membership]]:
    """The homes of each of these customers; none for those who were absorbed."""
    rows = await conn.fetch(
        "SELECT home_id, customer_id, version, shared FROM membership WHERE customer_id = ANY($1::uuid[])",
        list(customers),
    )
    found: dict[str, list[Membership]] = {customer: [] for customer in customers}
    for row in rows:
        found[str(row[1])].append(Membership(row[0].hex, str(row[1]), row[2], row[3]))
    return found


async def add(conn: Connection, memberships: Iterable[Membership]) -> bool:
    """Files homes seen for the first time. False: another transaction was first with one of them."""
    said = sorted(memberships)
    if not said:
        return True
    added = await conn.fetch(
        """
        INSERT INTO membership (home_id, customer_id, version, shared)
        SELECT * FROM unnest($1::text::uuid[], $2::text::uuid[], $3::text::bigint[], $4::text::bool[])
        ON CONFLICT (home_id) DO NOTHING
        RETURNING 1
        """,
        *columns(said),
    )
    return len(added) == len(said)


async def raise_to(conn: Connection, memberships: Iterable[Membership]) -> None:
    """Writes what replaces the memberships of known homes; the SQL of `Membership.replaces`.

    Whoever changes a home's holder holds both holders' locks.
    """
    said = sorted(memberships)
    if not said:
        return
    await conn.execute(
        """
        WITH locked AS (
          SELECT home_id, said.customer_id, said.version, said.shared
          FROM unnest($1::text::uuid[], $2::text::uuid[], $3::text::bigint[], $4::text::bool[])
            AS said (home_id, customer_id, version, shared) JOIN membership USING (home_id)
          ORDER BY home_id FOR UPDATE OF membership
        )
        UPDATE membership AS kept
        SET customer_id = said.customer_id, version = said.version, shared = said.shared
        FROM locked AS said
        WHERE kept.home_id = said.home_id
          AND (kept.customer_id IS NULL, kept.version) < (said.customer_id IS NULL, said.version)
        """,
        *columns(said),
    )


async def note_former(conn: Connection, former: Mapping[str, Former]) -> None:
    """Remembers where customers' homes went."""
    if not former:
        return
    said = sorted(former.values())
    await conn.execute(
        """
        INSERT INTO former AS kept (customer_id, into_id, version)
        SELECT * FROM unnest($1::text::uuid[], $2::text::uuid[], $3::text::bigint[])
        ON CONFLICT (customer_id) DO UPDATE SET into_id = excluded.into_id, version = excluded.version
        WHERE kept.version < excluded.version
        """,
        *columns(said),
    )


async def canonical(conn: Connection, customer_id: str) -> str:
    """The id under which a customer is known now, for any id it ever had."""
    found = await conn.fetchval(
        """
        WITH RECURSIVE trail (customer_id, hop) AS (
          SELECT $1::uuid, 0
          UNION ALL
          SELECT coalesce(former.into_id, copy.merged_into), trail.hop + 1
          FROM trail
          LEFT JOIN former USING (customer_id)
          LEFT JOIN profile_copy AS copy USING (customer_id)
          WHERE trail.hop < $2
            AND coalesce(former.into_id, copy.merged_into) IS NOT NULL
            AND NOT EXISTS (SELECT FROM membership WHERE membership.customer_id = trail.customer_id)
        )
        SELECT customer_id FROM trail ORDER BY hop DESC LIMIT 1
        """,
        customer_id,
        HOPS,
    )
    return str(found)
