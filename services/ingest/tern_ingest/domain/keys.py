"""Write keys: their written form, what is kept of them, and what they are trusted with. Knows no store."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Literal, NamedTuple

from tern_ingest.domain.vouching import SourceRule

KeyKind = Literal["server", "browser"]
LIVE_KEYS_PER_KIND = 2
REVOKED_KEYS_KNOWN = 1_000
"""The last ones, of all sources."""

_PREFIX = "wk"
_LONGEST = 200
_PARTS = re.compile(_PREFIX + r"_([^_:]+)[_:](.+)", re.DOTALL)


class WriteKey(NamedTuple):
    """What ingest knows of a key. `trusted`: whether its events may say that two identifiers are one person.

    `origins`: the pages that its source takes events from; none listed means all. `events_per_s`: where its source has
    a rate of its own for keys of that kind. `revoked`: it is good for nothing but to say whose it was.
    """

    key_id: str
    source_id: str
    trusted: bool
    secret_hash: bytes
    rule: SourceRule = SourceRule()
    kind: KeyKind = "server"
    origins: tuple[str, ...] = ()
    events_per_s: float | None = None
    revoked: bool = False


class Presented(NamedTuple):
    """A key as a caller shows it."""

    key_id: str
    secret: str


def write(key_id: str, secret: str) -> str:
    """The key as it is given out, once. `key_id` holds no underscore."""
    return f"{_PREFIX}_{key_id}_{secret}"


def read(text: str) -> Presented | None:
    """The parts of `wk_<id>_<secret>`, or None when it is none.

    Also of `wk_<id>:<secret>`: Jitsu's SDK takes no key without a colon, and masks what stands behind it.
    """
    parts = _PARTS.fullmatch(text) if len(text) <= _LONGEST else None
    return Presented(parts[1], parts[2]) if parts else None


def digest(secret: str) -> bytes:
    """What is stored of a secret. It has 192 random bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def matches(key: WriteKey, presented: Presented) -> bool:
    """Whether the secret is the key's, in constant time."""
    return hmac.compare_digest(key.secret_hash, digest(presented.secret))


TRUSTED_BROWSER = (
    "Anybody who reads the page has this key, and can join and part customers with it: "
    "whatever an event under it names counts as said by the shop itself. "
    "Unless nobody outside the shop can see the page, sign the users instead (tern sources new-user-key)."
)
"""What an operator is told who trusts a key that visitors can read."""


def warning(kind: KeyKind, trusted: bool) -> str | None:
    """What trusting such a key means, where it is not the usual thing to do."""
    return TRUSTED_BROWSER if trusted and kind == "browser" else None


def trusted_by_default(kind: KeyKind) -> bool:
    """A server key is; a browser key stands in every visitor's page source, so it is not (identity.md §0)."""
    return kind == "server"
