"""The operators' API: sources, their write keys and signing keys. Every route needs a token with the role admin."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tern_common.auth import require
from tern_common.clock import Clock
from tern_common.ids import new_secret, new_uuid7
from tern_ingest.domain import flags, keys, origins, tokens
from tern_ingest.domain.keys import KeyKind, WriteKey
from tern_ingest.keyring import Keyring
from tern_ingest.store import Source, Store

_ID = r"^[0-9a-f]{32}$"
SourceId = Annotated[str, Path(pattern=_ID)]
KeyId = Annotated[str, Path(pattern=_ID)]

_SIGNING_KEY_BYTES = 32
"""As many as HS256 can use."""


class NewSource(BaseModel):
    """A source to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["web shop"])


class SourceView(BaseModel):
    """Where events come from. `login_needs_token`: an unsigned user id of its untrusted keys is no identifier.

    `origins`: the pages it takes events from; none listed means all. The rates are of each of its keys of that kind;
    null means the policy's. `testers`: e-mail addresses, and domains from their `@` on, whose events are tests.
    """

    source_id: str
    name: str
    created_at: datetime
    login_needs_token: bool
    origins: list[str]
    server_events_per_s: float | None
    browser_events_per_s: float | None
    testers: list[str]


def _spelt_well(origin: str) -> str:
    """Raises `ValueError`."""
    if not origins.is_spelt_well(origin):
        raise ValueError("write it as browsers do: https://shop.example, or https://*.shop.example")
    return origin


Origin = Annotated[str, AfterValidator(_spelt_well)]


def _tester(written: str) -> str:
    """Raises `ValueError`."""
    found = flags.tester(written)
    if found is None:
        raise ValueError("write an e-mail address, or a domain from its @ on: qa@shop.example, @test.shop.example")
    return found


Tester = Annotated[str, AfterValidator(_tester)]
PerSecond = Annotated[float, Field(ge=0.01, le=10_000_000, allow_inf_nan=False)]


class SourceChange(BaseModel):
    """What of a source is to change; what is not named stays. A rate of null is the policy's again."""

    model_config = ConfigDict(extra="forbid")

    login_needs_token: bool = False
    origins: list[Origin] = Field(default=[], max_length=origins.MOST, examples=[["https://shop.example"]])
    server_events_per_s: PerSecond | None = None
    browser_events_per_s: PerSecond | None = None
    testers: list[Tester] = Field(
        default=[], max_length=flags.MOST_TESTERS, examples=[["qa@shop.example", "@test.shop.example"]]
    )


class Sources(BaseModel):
    """All sources, oldest first."""

    sources: list[SourceView]


class NewKey(BaseModel):
    """A write key to be made. A `server` key is trusted; a `browser` key may be seen by anybody, so it is not.

    `trusted` says otherwise: a partner's server that is not believed; a page that nobody outside the shop can see.
    """

    model_config = ConfigDict(extra="forbid")

    kind: KeyKind
    trusted: bool | None = None


class IssuedKey(BaseModel):
    """A new key. `write_key` is shown this once: only a hash of it is kept. `warning`: what its trust means."""

    key_id: str
    write_key: str
    trusted: bool
    warning: str | None = None


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


class IssuedUserKey(BaseModel):
    """A new signing key. `user_key` is shown this once, and kept encrypted."""

    key_id: str
    user_key: str


class UserKeyView(BaseModel):
    """A signing key as it can be seen later."""

    key_id: str
    created_at: datetime
    revoked_at: datetime | None


class UserKeys(BaseModel):
    """A source's signing keys, revoked ones too, oldest first."""

    user_keys: list[UserKeyView]


def admin_router(store: Store, keyring: Keyring, clock: Clock) -> APIRouter:
    """Changes take effect in this process at once, in others with their next read of the keys."""
    router = APIRouter(prefix="/v1", tags=["sources and keys"], dependencies=[Depends(require("admin"))])
    _add_sources(router, store, keyring, clock)
    _add_write_keys(router, store, keyring, clock)
    _add_user_keys(router, store, keyring, clock)
    return router


def _add_sources(router: APIRouter, store: Store, keyring: Keyring, clock: Clock) -> None:
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

    @router.patch("/sources/{source_id}")
    async def change_source(source_id: SourceId, change: SourceChange) -> SourceView:
        """Says which logins count, which pages may send, how fast, and who tests. For events that come from now on."""
        source = await store.change_source(source_id, change.model_dump(exclude_unset=True))
        await keyring.refresh()
        return SourceView(**source._asdict())


def _add_write_keys(router: APIRouter, store: Store, keyring: Keyring, clock: Clock) -> None:
    @router.post("/sources/{source_id}/keys", status_code=201)
    async def create_key(source_id: SourceId, new: NewKey) -> IssuedKey:
        """Makes a write key. 409 when the source has two live keys of that kind: revoke one first."""
        now = clock.now()
        secret = new_secret()
        trusted = keys.trusted_by_default(new.kind) if new.trusted is None else new.trusted
        key = WriteKey(new_uuid7(now).hex, source_id, trusted, keys.digest(secret))
        await store.add_key(key, new.kind, now)
        await keyring.refresh()
        written, warning = keys.write(key.key_id, secret), keys.warning(new.kind, trusted)
        return IssuedKey(key_id=key.key_id, write_key=written, trusted=trusted, warning=warning)

    @router.get("/sources/{source_id}/keys")
    async def list_keys(source_id: SourceId) -> Keys:
        """A source's keys."""
        return Keys(keys=[KeyView(**row._asdict()) for row in await store.keys(source_id)])

    @router.delete("/keys/{key_id}", status_code=204)
    async def revoke_key(key_id: KeyId) -> None:
        """Ends a key, for good, everywhere within ten seconds."""
        await store.revoke(key_id, clock.now())
        await keyring.refresh()


def _add_user_keys(router: APIRouter, store: Store, keyring: Keyring, clock: Clock) -> None:
    @router.post("/sources/{source_id}/user-keys", status_code=201)
    async def create_user_key(source_id: SourceId) -> IssuedUserKey:
        """Makes a key for the shop's backend to sign its users with. 409 when two are live: revoke one first."""
        now = clock.now()
        key_id = new_uuid7(now).hex
        written = tokens.write(key_id, new_secret(_SIGNING_KEY_BYTES))
        await store.add_user_key(source_id, key_id, written, now)
        await keyring.refresh()
        return IssuedUserKey(key_id=key_id, user_key=written)

    @router.get("/sources/{source_id}/user-keys")
    async def list_user_keys(source_id: SourceId) -> UserKeys:
        """A source's signing keys."""
        return UserKeys(user_keys=[UserKeyView(**row._asdict()) for row in await store.user_keys(source_id)])

    @router.delete("/sources/{source_id}/user-keys/{key_id}", status_code=204)
    async def revoke_user_key(source_id: SourceId, key_id: KeyId) -> None:
        """Ends a signing key, for good, everywhere within ten seconds: tokens under it count for nothing."""
        await store.revoke_user_key(source_id, key_id, clock.now())
        await keyring.refresh()
