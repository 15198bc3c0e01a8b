"""Reads one customer for the API: who an id or a home stands for now, and everything known about him."""

from __future__ import annotations

from typing import NamedTuple

from tern_common.db import Connection, Pool, connection
from tern_common.events import PublicProfile, decode_profile
from tern_profile.domain import fragment
from tern_profile.domain.fragment import Fragment
from tern_profile.domain.policy import Policy
from tern_profile.domain.record import Known, subjects, verdicts
from tern_profile.domain.standing import Standing
from tern_profile.domain.whole import Whole
from tern_profile.store import consents, profiles
from tern_profile.store.records import Basis

_EXISTS = """
SELECT EXISTS (SELECT 1 FROM home WHERE customer_id = $1::uuid)
    OR EXISTS (SELECT 1 FROM profile WHERE customer_id = $1::uuid AND record IS NOT NULL)
    OR EXISTS (SELECT 1 FROM moved WHERE customer_id = $1::uuid)
"""

_OWNER = "SELECT customer_id::text FROM home WHERE home_id = $1"
_PUBLISHED = "SELECT profile_version, record FROM profile WHERE customer_id = $1::uuid"

_HOMES = "SELECT shared, first_at, last_at, activity, rhythm, standing FROM home WHERE customer_id = $1::uuid"


class _Homes(NamedTuple):
    """The fold of a customer's homes; `filled` counts those with events: doors have none."""

    filled: int
    shared: bool
    fragment: Fragment


async def by_customer(pool: Pool, customer_id: str, basis: Basis) -> Whole | None:
    """The customer that this id stands for now; None for an id that was never heard of, or whose was all erased."""
    async with connection(pool) as conn:
        if not await conn.fetchval(_EXISTS, customer_id):
            return None
        return await _whole(conn, customer_id, basis)


async def by_home(pool: Pool, home: bytes, basis: Basis) -> Whole | None:
    """The customer that this home (or door) belongs to; None for one that was never heard of, or was erased."""
    async with connection(pool) as conn:
        owner = await conn.fetchval(_OWNER, home)
        return None if owner is None else await _whole(conn, owner, basis)


async def _whole(conn: Connection, customer_id: str, basis: Basis) -> Whole | None:
    canonical = (await profiles.survivors(conn, [customer_id]))[customer_id]
    if canonical is None:
        return None
    public = await _published(conn, canonical)
    homes = await _homes(conn, canonical, basis.policy)
    folded = homes.fragment
    standing = folded.standing or Standing()
    named = [bytes.fromhex(subject) for subject in subjects(standing, basis.subject_of).values()]
    known = Known(canonical, folded.first_at, folded.last_at, homes.shared, standing, rhythm=folded.rhythm)
    verdict = verdicts(known, await consents.read(conn, named), basis.subject_of)
    return Whole(known, folded.activity, verdict, public.profile_version, homes.filled, public, basis.policy.computed)


async def _published(conn: Connection, customer_id: str) -> PublicProfile:
    """Version 0, and nothing else, where nothing was published yet."""
    found = await conn.fetch(_PUBLISHED, customer_id)
    if not found or found[0][1] is None:
        return PublicProfile(customer_id=customer_id, profile_version=0)
    return decode_profile(found[0][1].encode())


async def _homes(conn: Connection, customer_id: str, policy: Policy) -> _Homes:
    rows = await conn.fetch(_HOMES, customer_id)
    parts = [
        Fragment(
            first,
            last,
            fragment.decode_activity(activity),
            fragment.decode_standing(standing),
            fragment.decode_rhythm(rhythm),
        )
        for _, first, last, activity, rhythm, standing in rows
    ]
    filled = sum(part.first_at is not None for part in parts)
    return _Homes(filled, any(row[0] for row in rows), fragment.fold(parts, policy))
