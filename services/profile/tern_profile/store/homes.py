"""Rows of `home`: memberships and fragments. A locked row keeps both still until the transaction ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from tern_common.arrays import columns
from tern_common.db import Connection
from tern_profile.domain.statements import Edge, Membership

_LOCK = """
INSERT INTO home (home_id, customer_id, version, shared)
SELECT * FROM unnest($1::text::bytea[], $2::text::uuid[], $3::text::bigint[], $4::text::boolean[])
    AS said (home_id) ORDER BY said.home_id
ON CONFLICT (home_id) DO UPDATE SET version = home.version WHERE false
RETURNING home_id
"""
"""Creates what is missing and locks what is there, in one order for all; returns only what it created."""

_LOAD = """
SELECT home_id, customer_id::text, version, shared, first_at, last_at, activity, standing, rhythm,
       (SELECT record IS NOT NULL AND published_version < profile_version FROM profile
        WHERE profile.customer_id = home.customer_id)
FROM home WHERE home_id = ANY($1::bytea[])
"""

_PLACE = """
UPDATE home SET customer_id = said.customer_id, version = said.version, shared = said.shared
FROM unnest($1::text::bytea[], $2::text::uuid[], $3::text::bigint[], $4::text::boolean[])
    AS said (home_id, customer_id, version, shared)
WHERE home.home_id = said.home_id
"""

_SAVE = """
UPDATE home
SET first_at = said.first_at, last_at = said.last_at, activity = said.activity,
    rhythm = said.rhythm, standing = coalesce(said.standing, home.standing)
FROM unnest($1::text::bytea[], $2::text::timestamptz[], $3::text::timestamptz[], $4::json[], $5::json[], $6::json[])
    AS said (home_id, first_at, last_at, activity, rhythm, standing)
WHERE home.home_id = said.home_id
"""

_MOVE = """
INSERT INTO moved (customer_id, into_customer, version)
SELECT * FROM unnest($1::text::uuid[], $2::text::uuid[], $3::text::bigint[])
    AS said (customer_id) ORDER BY said.customer_id
ON CONFLICT (customer_id) DO UPDATE SET into_customer = excluded.into_customer, version = excluded.version
WHERE excluded.version > moved.version
RETURNING customer_id::text
"""


class Home(NamedTuple):
    """A locked home: its stored membership, and its fragment as JSON text. `fresh`: it did not exist. `owed`: nobody is
    known to have got the record of its customer acknowledged."""

    membership: Membership
    fresh: bool = False
    first_at: datetime | None = None
    last_at: datetime | None = None
    activity: str | None = None
    standing: str | None = None
    rhythm: str | None = None
    owed: bool | None = None


class Saved(NamedTuple):
    """A fragment to be written. `standing` None: as it is."""

    first_at: datetime | None
    last_at: datetime | None
    activity: str
    rhythm: str
    standing: str | None


async def lock(conn: Connection, said: Mapping[bytes, Membership]) -> dict[bytes, Home]:
    """Every home of the batch, locked; those that are new are created with the membership said."""
    rows = await conn.fetch(_LOCK, *_memberships(said)) if said else []
    found = {row[0]: Home(said[row[0]], fresh=True) for row in rows}
    known = [home for home in said if home not in found]
    if known:
        for home, customer, version, shared, *fragment in await conn.fetch(_LOAD, known):
            found[home] = Home(Membership(customer, version, shared), False, *fragment)
    return found


async def place(conn: Connection, memberships: Mapping[bytes, Membership]) -> None:
    """Writes memberships of locked homes: the caller has seen that they replace the stored ones."""
    if memberships:
        await conn.execute(_PLACE, *_memberships(memberships))


async def save(conn: Connection, fragments: Mapping[bytes, Saved]) -> None:
    """Writes fragments of locked homes."""
    if not fragments:
        return
    saved = fragments.values()
    await conn.execute(
        _SAVE,
        *columns((home, one.first_at, one.last_at) for home, one in fragments.items()),
        [one.activity for one in saved],
        [one.rhythm for one in saved],
        [one.standing for one in saved],
    )


async def move(conn: Connection, edges: Mapping[str, Edge]) -> set[str]:
    """Keeps the newest edge of every customer that homes left; returns those whose edge is new."""
    if not edges:
        return set()
    said = columns((customer, edge.customer_id, edge.version) for customer, edge in edges.items())
    return {row[0] for row in await conn.fetch(_MOVE, *said)}


def _memberships(said: Mapping[bytes, Membership]) -> list[str]:
    return columns((home, one.customer_id, one.version, one.shared) for home, one in said.items())
