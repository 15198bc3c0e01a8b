"""The numbers about what sources send, in schema `ingest`. Refuses to know what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from tern_common.arrays import array, columns
from tern_common.db import Connection, Pool, connection, transaction
from tern_common.errors import Refused
from tern_ingest.domain.tallies import Counts, Key, merge

_ADD = (
    "INSERT INTO ingest.quality AS q (source_id, day, what, name, about, how, count) SELECT * FROM unnest("
    "$1::text::text[], $2::text::date[], $3::text::text[], $4::text::text[], $5::text::text[], $6::text::text[],"
    " $7::text::bigint[]) ON CONFLICT (source_id, day, what, name, about, how)"
    " DO UPDATE SET count = q.count + excluded.count"
)
_NAMES = (
    "SELECT source_id, day, name FROM ingest.quality WHERE what = 'unknown'"
    " AND (source_id, day) IN (SELECT * FROM unnest($1::text::text[], $2::text::date[]))"
)


class QualityStore:
    """All calls raise `Transient` when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, counts: Counts, unknown_names: int) -> None:
        """Adds to what is there. Of a source and day at most so many names of unknown events are told apart.

        The sources' rows are locked in order: so many names stay so many whoever stores, and nobody waits in a circle.
        """
        async with transaction(self._pool) as conn:
            found = await conn.fetch(
                "SELECT id FROM ingest.source WHERE id = ANY($1::text::text[]) ORDER BY id FOR NO KEY UPDATE",
                array(sorted({key.source_id for key in counts})),
            )
            sources = {row[0] for row in found}
            kept = {key: number for key, number in counts.items() if key.source_id in sources}
            await _write(conn, await _bounded(conn, kept, unknown_names))

    async def counts(self, source_id: str, since: date, until: date) -> Counts:
        """The numbers of these days, both included. Raises `Refused` 404 without such a source."""
        async with connection(self._pool) as conn:
            if not await conn.fetchval("SELECT true FROM ingest.source WHERE id = $1", source_id):
                raise Refused(404, "no-such-source", "there is no source of that id")
            rows = await conn.fetch(
                "SELECT source_id, day, what, name, about, how, count FROM ingest.quality"
                " WHERE source_id = $1 AND day BETWEEN $2 AND $3",
                source_id,
                since,
                until,
            )
        return {Key(*row[:6]): row[6] for row in map(tuple, rows)}

    async def forget(self, before: date) -> None:
        """Deletes what is older."""
        async with transaction(self._pool) as conn:
            await conn.execute("DELETE FROM ingest.quality WHERE day < $1", before)


async def _bounded(conn: Connection, counts: Counts, unknown_names: int) -> Counts:
    places = sorted({(key.source_id, key.day) for key in counts if key.what == "unknown"})
    known: dict[tuple[str, date], set[str]] = {}
    for source_id, day, name in await _names(conn, places):
        known.setdefault((source_id, day), set()).add(name)
    found: Counts = {}
    merge(found, counts, known, unknown_names)
    return found


async def _names(conn: Connection, places: list[tuple[str, date]]) -> Iterable[tuple[str, date, str]]:
    return [tuple(row) for row in await conn.fetch(_NAMES, *columns(places))] if places else []


async def _write(conn: Connection, counts: Counts) -> None:
    rows = sorted((*key, number) for key, number in counts.items())
    if rows:
        await conn.execute(_ADD, *columns(rows))
