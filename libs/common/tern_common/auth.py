"""Bearer tokens of people and programs that read or operate the platform. Write keys of sources are not its business.

A token is `tt_<id>_<secret>`; only the secret's SHA-256 is stored. When the database is away the answer is 503: a token
must never be called wrong by a service that could not look.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, NamedTuple

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tern_common.access import store
from tern_common.access.store import Role, StoredToken
from tern_common.clock import Clock
from tern_common.db import Pool
from tern_common.errors import Refused
from tern_common.ids import new_bytes, new_secret

KEEP_S = 10.0
_MOST_KEPT = 10_000
_RANKS: dict[Role, int] = {"read": 0, "pii:read": 1, "admin": 2}
_FORM = re.compile(r"tt_([a-z0-9]{1,32})_([A-Za-z0-9_-]{16,128})\Z", re.ASCII)

_UNKNOWN = Refused(401, "unauthorized", "Send a valid token: Authorization: Bearer tt_...")

BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="A token made by `tern tokens create`.")


class Caller(NamedTuple):
    """Who asks: the token's id, its role and the label its maker gave it."""

    token_id: str
    role: Role
    label: str


class NewToken(NamedTuple):
    """A token at its birth: `text` is shown once and stored nowhere."""

    token_id: str
    text: str
    digest: bytes


def new_token() -> NewToken:
    """Draws a token."""
    token_id, secret = new_bytes(6).hex(), new_secret(24)
    return NewToken(token_id, f"tt_{token_id}_{secret}", digest(secret))


def digest(secret: str) -> bytes:
    """What is stored of a secret. Plain SHA-256 is enough for 192 random bits."""
    return sha256(secret.encode()).digest()


class Tokens:
    """Looks tokens up, and remembers what it found (or not) for ten real seconds."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._kept: dict[str, tuple[float, StoredToken | None]] = {}

    async def find(self, text: str) -> Caller | None:
        """The caller behind a token, or None. Raises `Transient` when the database is away."""
        form = _FORM.match(text)
        if form is None:
            return None
        token_id, secret = form.groups()
        stored = await self._stored(token_id)
        if stored is None or not hmac.compare_digest(stored.digest, digest(secret)):
            return None
        return Caller(token_id, stored.role, stored.label)

    async def _stored(self, token_id: str) -> StoredToken | None:
        until, stored = self._kept.get(token_id, (0.0, None))
        now = self._clock.monotonic()
        if now < until:
            return stored
        stored = await store.find(self._pool, token_id)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[token_id] = (now + KEEP_S, stored)
        return stored


class Guard:
    """Lets a request pass when its token has the role, or one above it."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.rank = _RANKS[role]

    async def __call__(
        self, request: Request, sent: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
    ) -> Caller:
        tokens: Tokens = request.app.state.tokens
        caller = await tokens.find(sent.credentials) if sent else None
        if caller is None:
            raise _UNKNOWN
        if _RANKS[caller.role] < self.rank:
            raise Refused(403, "forbidden", f"This needs a token with the role {self.role}.")
        return caller


def require(role: Role) -> Callable[..., object]:
    """A dependency for routes: `Depends(require("read"))`. Roles: read < pii:read < admin."""
    return Guard(role)
