"""The HTTP edge: one customer by any id that was ever published, or by any identifier. Knows no SQL."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from tern_common.db import Pool
from tern_common.hashing import Hasher
from tern_common.http import customers_router
from tern_common.identifiers import Identifier
from tern_profile.domain.policy import Policy
from tern_profile.domain.whole import Whole
from tern_profile.store import lookup
from tern_profile.store.records import Basis
from tern_profile.views import ProfileView, view

SUMMARY = "What do we know: one record per customer."


class Profiles:
    """Answers for whoever asks."""

    def __init__(self, pool: Pool, hasher: Hasher, policy: Policy) -> None:
        self._pool = pool
        self._hasher = hasher
        self._basis = Basis(self._subject_of, policy)

    async def by_id(self, customer_id: UUID) -> Whole | None:
        """The customer that this id stands for now, also when it was absorbed; None for one never heard of."""
        return await lookup.by_customer(self._pool, str(customer_id), self._basis)

    async def by_identifier(self, identifier: Identifier) -> Whole | None:
        """By the door of a normalised identifier; None for one that was never heard of."""
        door = bytes.fromhex(self._hasher.door(*identifier))
        return await lookup.by_home(self._pool, door, self._basis)

    def _subject_of(self, namespace: str, value: str) -> str:
        return self._hasher.identifier(namespace, value).hex()


def profile_router(profiles: Profiles) -> APIRouter:
    """`/v1/profiles`."""
    return customers_router("profiles", profiles, ProfileView, view)
