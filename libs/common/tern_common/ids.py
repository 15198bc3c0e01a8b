"""Ids and randomness: the only place that draws either."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime

_RANDOM_BITS = 74
_RANDOM_BYTES = 10
_SPARE_BITS = 8 * _RANDOM_BYTES - _RANDOM_BITS


def uuid7(at: datetime, random_bits: int) -> uuid.UUID:
    """A UUID of version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    millis = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    rand_a, rand_b = random_bits >> 62 & 0xFFF, random_bits & ((1 << 62) - 1)
    return uuid.UUID(int=millis << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)


def new_uuid7(at: datetime) -> uuid.UUID:
    """A fresh UUIDv7 born at `at`."""
    return uuid7(at, secrets.randbits(_RANDOM_BITS))


def new_uuid7s(at: datetime, count: int) -> list[uuid.UUID]:
    """So many, with one draw of randomness."""
    drawn = secrets.token_bytes(count * _RANDOM_BYTES)
    parts = (drawn[start : start + _RANDOM_BYTES] for start in range(0, len(drawn), _RANDOM_BYTES))
    return [uuid7(at, int.from_bytes(part) >> _SPARE_BITS) for part in parts]


def new_secret(n_bytes: int = 24) -> str:
    """URL-safe random text for keys and tokens."""
    return secrets.token_urlsafe(n_bytes)


def new_bytes(n_bytes: int) -> bytes:
    """Random bytes for nonces and salts."""
    return secrets.token_bytes(n_bytes)
