"""Rows of `hold`: stock that the shop was asked to hold for a reminder, and what it said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from tern_common.db import Connection
from tern_triggers.domain.reports import HoldAnswered, HoldRequested
from tern_triggers.domain.view import Hold


class Asked(NamedTuple):
    """Which trigger a request is for, and the home that it is filed under."""

    trigger_id: str
    home_id: str


class Given(NamedTuple):
    """A request that was given up: the shop is told under the key of the cart."""

    hold_id: str
    trigger_id: str
    cart_id: str


async def of_homes(conn: Connection, homes: Collection[str]) -> list[tuple[str, Hold]]:
    """(home, hold) of all under these homes."""
    rows = await conn.fetch(
        "SELECT home_id, hold_id, trigger_id, status, until, cart_id FROM hold WHERE home_id = ANY($1::uuid[])",
        list(homes),
    )
    return [(row[0].hex, Hold(str(row[1]), str(row[2]), row[3], row[4], row[5])) for row in rows]


async def requests(conn: Connection, hold_ids: Collection[str]) -> dict[str, Asked]:
    """Those of these requests that were made."""
    rows = await conn.fetch(
        "SELECT hold_id, trigger_id, home_id FROM hold WHERE hold_id = ANY($1::uuid[])", list(hold_ids)
    )
    return {str(row[0]): Asked(str(row[1]), row[2].hex) for row in rows}


async def ask(conn: Connection, made: Sequence[tuple[str, HoldRequested]], now: datetime) -> None:
    """Files requests, each under a home. One that was given up before is made again."""
    if not made:
        return
    rows = sorted(made, key=lambda pair: pair[1].hold_id)
    await conn.execute(
        """
        INSERT INTO hold (hold_id, trigger_id, home_id, customer_id, cart_id, until, status, asked_at)
        SELECT hold_id, trigger_id, home_id, customer_id, cart_id, until, 'requested', $7
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[])
          AS said (hold_id, trigger_id, home_id, customer_id, cart_id, until)
        ON CONFLICT (hold_id) DO UPDATE SET home_id = excluded.home_id, customer_id = excluded.customer_id,
          status = excluded.status, until = excluded.until, asked_at = excluded.asked_at
        """,
        [request.hold_id for _, request in rows],
        [request.trigger_id for _, request in rows],
        [home_id for home_id, _ in rows],
        [request.customer_id for _, request in rows],
        [request.cart_id or "" for _, request in rows],
        [request.expires_at for _, request in rows],
        now,
    )


async def answer(conn: Connection, answers: Mapping[str, HoldAnswered]) -> None:
    """Notes what the shop said, by request; nothing of those that were given up. It holds them for as long as it was
    asked to, unless it says otherwise."""
    if not answers:
        return
    said = [answers[hold_id] for hold_id in sorted(answers)]
    await conn.execute(
        """
        UPDATE hold SET status = said.status, until = coalesce(said.until, hold.until)
        FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS said (hold_id, status, until)
        WHERE hold.hold_id = said.hold_id AND hold.status <> 'released'
        """,
        [one.hold_id for one in said],
        [one.status for one in said],
        [one.until for one in said],
    )


async def erase(conn: Connection, homes: Collection[str]) -> None:
    """Deletes all under these homes: whoever holds something for them was told to give it up."""
    await conn.execute("DELETE FROM hold WHERE home_id = ANY($1::uuid[])", list(homes))


async def release(conn: Connection, trigger_ids: Collection[str]) -> list[Given]:
    """Gives up what is held, or asked to be, for these triggers."""
    if not trigger_ids:
        return []
    rows = await conn.fetch(
        """
        UPDATE hold SET status = 'released'
        WHERE trigger_id = ANY($1::uuid[]) AND status IN ('requested', 'confirmed', 'partial')
        RETURNING hold_id, trigger_id, cart_id
        """,
        list(trigger_ids),
    )
    return sorted(Given(str(row[0]), str(row[1]), row[2]) for row in rows)
