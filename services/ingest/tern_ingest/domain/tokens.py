"""User tokens: what a shop's backend signed about the user of a page (identity.md §0). Knows no event and no store.

A token is a JWT under HS256, for one source, for at most a day. Whatever is wrong with it is a word, not an exception.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

import jwt
import msgspec
from jwt.exceptions import InvalidAlgorithmError, InvalidSignatureError, InvalidTokenError

LIVE_KEYS_PER_SOURCE = 2
LONGEST = 4_096
LIFETIME_S = 24 * 3600
LEEWAY_S = 60
"""Two machines' clocks differ. A token may be as much too early, too late, or too long."""

Refusal = Literal[
    "algorithm", "audience", "expired", "lives-too-long", "malformed", "no-key", "not-yet-valid", "signature"
]

_ALGORITHM = "HS256"
_PREFIX = "uk"
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_jws = jwt.PyJWS(algorithms=[_ALGORITHM])


@dataclass(frozen=True, slots=True)
class Signer:
    """A live signing key of a source. Its secret is in no repr."""

    secret: bytes = field(repr=False)


class SignedUser(NamedTuple):
    """What a good token says, as it was signed."""

    user_id: str
    email: str | None
    phone: str | None


class _Claims(msgspec.Struct, frozen=True):
    sub: str
    aud: str | list[str]
    exp: int | float
    iat: int | float | None = None
    nbf: int | float | None = None
    email: str | None = None
    phone: str | None = None


_claims = msgspec.json.Decoder(_Claims)


def write(key_id: str, secret: str) -> str:
    """A signing key as it is given out, once. All of it, as UTF-8, is the key of the HMAC."""
    return f"{_PREFIX}_{key_id}_{secret}"


def verify(token: object, source_id: str, signers: Sequence[Signer], now: datetime) -> SignedUser | Refusal:
    """The user that the token speaks of, or why it counts for nothing. Never raises, whatever the token is."""
    if not isinstance(token, str) or len(token) > LONGEST or _COMPACT.fullmatch(token) is None:
        return "malformed"
    payload = _signed(token, signers)
    if isinstance(payload, str):
        return payload
    try:
        claims = _claims.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "malformed"
    refusal = _refusal(claims, source_id, now.timestamp())
    return refusal or SignedUser(claims.sub, claims.email, claims.phone)


def _signed(token: str, signers: Sequence[Signer]) -> bytes | Refusal:
    """The token's payload when one of the keys signed it."""
    refusal: Refusal = "no-key"
    for signer in signers:
        try:
            payload: bytes = _jws.decode_complete(token, signer.secret, algorithms=[_ALGORITHM])["payload"]
        except InvalidSignatureError:
            refusal = "signature"
        except InvalidAlgorithmError:
            return "algorithm"
        except InvalidTokenError:
            return "malformed"
        else:
            return payload
    return refusal


def _refusal(claims: _Claims, source_id: str, now: float) -> Refusal | None:
    """A day counts from `iat`, else from now; an `iat` yet to come would make it longer, so it counts for nothing."""
    if source_id not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
        return "audience"
    if claims.exp <= now - LEEWAY_S:
        return "expired"
    begins = [moment for moment in (claims.iat, claims.nbf) if moment is not None]
    if any(moment > now + LEEWAY_S for moment in begins):
        return "not-yet-valid"
    issued = now if claims.iat is None else claims.iat
    return "lives-too-long" if claims.exp - issued > LIFETIME_S + LEEWAY_S else None
