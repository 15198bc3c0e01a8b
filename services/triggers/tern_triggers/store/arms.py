"""Rows of `arm`: the sides of hold-outs, frozen at the first evaluation."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_triggers.domain.view import Arm


async def freeze(conn: Connection, arms: Iterable[Arm]) -> None:
    """Keeps the side that each home was on first; whoever was ever treated stays treated."""
    said: dict[tuple[str, str], bool] = {}
    for arm in arms:
        said[arm.home_id, arm.rule] = said.get((arm.home_id, arm.rule), False) or arm.treated
    if not said:
        return
    await conn.execute(
        """
        INSERT INTO arm AS kept (home_id, rule, treated)
        SELECT * FROM unnest($1::text::uuid[], $2::text::text[], $3::text::bool[])
        ON CONFLICT (home_id, rule) DO UPDATE SET treated = true WHERE excluded.treated AND NOT kept.treated
        """,
        *columns((*name, said[name]) for name in sorted(said)),
    )


async def erase(conn: Connection, homes: Collection[str]) -> None:
    """Deletes all under these homes."""
    await conn.execute("DELETE FROM arm WHERE home_id = ANY($1::uuid[])", list(homes))
