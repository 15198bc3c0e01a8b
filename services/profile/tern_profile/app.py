"""The HTTP edge: one customer by any id that was ever published, or by any identifier. Knows no SQL."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from tern_common.auth import Caller, require
from tern_common.db import Pool
from tern_common.errors import Refused
from tern_common.hashing import Hasher
from tern_common.identifiers import NAMESPACES, normalise
from tern_profile.domain.whole import Whole
from tern_profile.store import lookup
from tern_profile.views import ProfileView, view

SUMMARY = "What do we know: one record per customer."

_UNKNOWN = Refused(404, "unknown-customer", "No customer has ever had this id or identifier.")

Reader = Annotated[Caller, Depends(require("read"))]


class Lookup(BaseModel):
    """An identifier in the body, so that no e-mail need stand in a URL."""

    namespace: str = Field(max_length=64, examples=["email"])
    value: str = Field(max_length=1024, examples=["ann@example.com"])


class Profiles:
    """Answers for whoever asks."""

    def __init__(self, pool: Pool, hasher: Hasher) -> None:
        self._pool = pool
        self._hasher = hasher

    async def by_customer(self, customer_id: str) -> Whole:
        """Raises `Refused` for an id that was never heard of."""
        try:
            wanted = str(UUID(customer_id))
        except ValueError:
            raise _UNKNOWN from None
        return _found(await lookup.by_customer(self._pool, wanted, self._subject_of))

    async def by_identifier(self, namespace: str, value: str) -> Whole:
        """By the identifier's door. Raises `Refused` for one that was never heard of."""
        known = normalise(namespace, value).value if namespace in NAMESPACES else ""
        if not known:
            raise _UNKNOWN
        door = bytes.fromhex(self._hasher.door(namespace, known))
        return _found(await lookup.by_home(self._pool, door, self._subject_of))

    def _subject_of(self, namespace: str, value: str) -> str:
        return self._hasher.identifier(namespace, value).hex()


def _found(whole: Whole | None) -> Whole:
    if whole is None:
        raise _UNKNOWN
    return whole


def _shown(whole: Whole, caller: Caller) -> ProfileView:
    return view(whole, hide=caller.role == "read")


def profile_router(profiles: Profiles) -> APIRouter:
    """`/v1/profiles`."""
    router = APIRouter(prefix="/v1/profiles", tags=["profiles"])

    @router.get("/{customer_id}")
    async def by_customer(customer_id: str, caller: Reader) -> ProfileView:
        """The customer that this id stands for now, also when it was absorbed."""
        return _shown(await profiles.by_customer(customer_id), caller)

    @router.get("/by/{namespace}/{value:path}")
    async def by_identifier(
        namespace: Annotated[str, Path(max_length=64)], value: Annotated[str, Path(max_length=1024)], caller: Reader
    ) -> ProfileView:
        """The customer of an identifier: `user_id`, `anonymous_id`, `email`, `phone`."""
        return _shown(await profiles.by_identifier(namespace, value), caller)

    @router.post("/lookup")
    async def by_body(wanted: Lookup, caller: Reader) -> ProfileView:
        """The same, with the identifier in the body."""
        return _shown(await profiles.by_identifier(wanted.namespace, wanted.value), caller)

    return router
