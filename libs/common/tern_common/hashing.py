"""Keyed hashes of identifiers, and the homes made of them.

All services that share the key agree on them without asking each other, and nobody without the key can test a guess.
Knows nothing of namespaces' meaning: values come normalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from tern_common.errors import Misconfigured

HASH_BYTES = 16
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 16, 64


class Hasher:
    """Hashes under one deployment's key (16 to 64 bytes). Raises `Misconfigured` for any other length."""

    def __init__(self, key: bytes) -> None:
        if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
            raise Misconfigured(f"the hash key must have {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} bytes, has {len(key)}")
        self._identifiers = blake2b(digest_size=HASH_BYTES, key=key, person=b"tern-identifier")
        self._homes = blake2b(digest_size=HASH_BYTES, key=key, person=b"tern-home")

    def identifier(self, namespace: str, value: str) -> bytes:
        """16 bytes for (namespace, normalised value). The length in front keeps ("a", "bc") and ("ab", "c") apart."""
        name = namespace.encode()
        digest = self._identifiers.copy()
        digest.update(len(name).to_bytes(2, "big") + name + value.encode())
        return digest.digest()

    def home(self, hashes: Sequence[bytes], day: int | None) -> str:
        """32 hex digits for identifiers' hashes, in the order given, and a day (days since 1970), or no day."""
        digest = self._homes.copy()
        digest.update(b"" if day is None else b"d" + day.to_bytes(8, "big", signed=True))
        digest.update(b"".join((b"|", *hashes)))
        return digest.hexdigest()

    def door(self, namespace: str, value: str) -> str:
        """The home that holds no events and answers "whose is this identifier?"."""
        return self.home((self.identifier(namespace, value),), None)
