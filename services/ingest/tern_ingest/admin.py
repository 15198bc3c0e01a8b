"""The operators' API: sources and their write keys. Every route needs a token with the role admin."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from tern_common.auth import require
from tern_common.clock import Clock
from tern_common.ids import new_secret, new_uuid7
from tern_ingest.domain import keys
from tern_ingest.domain.keys import KeyKind, WriteKey
from tern_ingest.keyring import Keyring
from tern_ingest.store import Source, Store

_ID = r"^[0-9a-f]{32}$"
SourceId = Annotated[str, Path(pattern=_ID)]
KeyId = Annotated[str, Path(pattern=_ID)]


class NewSource(BaseModel):
    """A source to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["web shop"])


class SourceView(BaseModel):
    """Where events come from."""

    source_id: str
    name: str
    created_at: datetime


class Sources(BaseModel):
    """All sources, oldest first."""

    sources: list[SourceView]


class NewKey(BaseModel):
    """A write key to be made. A `server` key is trusted; a `browser` key may be seen by anybody, so it is not."""

    model_config = ConfigDict(extra="forbid")

    kind: KeyKind


class IssuedKey(BaseModel):
    """A new key. `write_key` is shown this once: only a hash of it is kept."""

    key_id: str
    write_key: str


class KeyView(BaseModel):
    """A key as it can be seen later."""

    key_id: str
    kind: KeyKind
    trusted: bool
    created_at: datetime
    revoked_at: datetime | None


class Keys(BaseModel):
    """A source's keys, revoked ones too, oldest first."""

    keys: list[KeyView]


def admin_router(store: Store, keyring: Keyring, clock: Clock) -> APIRouter:
    """Changes take effect in this process at once, in others with their next read of the keys."""
    router = APIRouter(prefix="/v1", tags=["sources and keys"], dependencies=[Depends(require("admin"))])

    @router.post("/sources", status_code=201)
    async def create_source(new: NewSource) -> SourceView:
        """Makes a source. 409 when there is one of that name."""
        now = clock.now()
        source = Source(new_uuid7(now).hex, new.name, now)
        await store.add_source(source)
        return SourceView(**source._asdict())

    @router.get("/sources")
    async def list_sources() -> Sources:
        """All sources."""
        return Sources(sources=[SourceView(**source._asdict()) for source in await store.sources()])

    @router.post("/sources/{source_id}/keys", status_code=201)
    async def create_key(source_id: SourceId, new: NewKey) -> IssuedKey:
        """Makes a write key. 409 when the source has two live keys of that kind: revoke one first."""
        now = clock.now()
        secret = new_secret()
        trusted = keys.trusted_by_default(new.kind)
        key = WriteKey(new_uuid7(now).hex, source_id, trusted, keys.digest(secret))
        await store.add_key(key, new.kind, now)
        await keyring.refresh()
        return IssuedKey(key_id=key.key_id, write_key=keys.write(key.key_id, secret))

    @router.get("/sources/{source_id}/keys")
    async def list_keys(source_id: SourceId) -> Keys:
        """A source's keys."""
        return Keys(keys=[KeyView(**row._asdict()) for row in await store.keys(source_id)])

    @router.delete("/keys/{key_id}", status_code=204)
    async def revoke_key(key_id: KeyId) -> None:
        """Ends a key, for good, everywhere within ten seconds."""
        await store.revoke(key_id, clock.now())
        await keyring.refresh()

    return router
