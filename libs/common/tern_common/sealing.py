"""Encryption of personal values at rest. Knows keys by name, so that they can be rotated; knows no meaning."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tern_common.errors import Misconfigured, Unusable
from tern_common.ids import new_bytes

_FORMAT = 1
_NONCE_BYTES = 12
_KEY_BYTES = (16, 24, 32)


class Sealer:
    """AES-GCM under named keys: seals with `current`, opens with any of them.

    Sealed: one byte of format, one of the key name's length, the name, 12 bytes of nonce, the ciphertext with its
    tag. All before the ciphertext is authenticated with it.
    """

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        for name, key in keys.items():
            if not name.isascii() or not 0 < len(name) < 256 or len(key) not in _KEY_BYTES:
                raise Misconfigured(f"sealing key {name!r}: needs an ASCII name and {_KEY_BYTES} bytes")
        if current not in keys:
            raise Misconfigured(f"sealing key {current!r} is not among the keys")
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self._current = self._keys[current]
        self._head = bytes((_FORMAT, len(current))) + current.encode()

    @classmethod
    def parse(cls, text: str) -> Sealer:
        """From `name:base64,name:base64`; the first one is current. Raises `Misconfigured`, and shows no key."""
        keys: dict[str, bytes] = {}
        for part in text.split(","):
            name, _, encoded = part.strip().partition(":")
            keys[name] = _decoded(name, encoded)
        return cls(keys, next(iter(keys)))

    @property
    def head(self) -> bytes:
        """What every value that is sealed with the current key begins with, and no other."""
        return self._head

    def seal(self, text: str) -> bytes:
        return self.seal_all([text])[0]

    def seal_all(self, texts: Sequence[str]) -> list[bytes]:
        """Each under a nonce of its own; all of them are one draw of randomness."""
        head, encrypt, drawn = self._head, self._current.encrypt, new_bytes(_NONCE_BYTES * len(texts))
        sealed: list[bytes] = []
        for nth, text in enumerate(texts):
            nonce = drawn[nth * _NONCE_BYTES : (nth + 1) * _NONCE_BYTES]
            sealed.append(head + nonce + encrypt(nonce, text.encode(), head))
        return sealed

    def open(self, sealed: bytes) -> str:
        """Raises `Unusable` when it was changed or is none of ours, `Misconfigured` when its key is not here."""
        if len(sealed) < 2 or sealed[0] != _FORMAT:
            raise Unusable("not-sealed-text")
        split = 2 + sealed[1]
        head, nonce, rest = sealed[:split], sealed[split : split + _NONCE_BYTES], sealed[split + _NONCE_BYTES :]
        if len(nonce) < _NONCE_BYTES:
            raise Unusable("not-sealed-text")
        key = self._keys.get(head[2:].decode("ascii", "replace"))
        if key is None:
            raise Misconfigured(
                "a stored value is sealed with a key that is not configured: add it to the sealing keys"
            )
        try:
            return key.decrypt(nonce, rest, head).decode()
        except InvalidTag:
            raise Unusable("sealed-text-was-changed") from None


def _decoded(name: str, encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise Misconfigured(f"sealing key {name!r}: is not base64") from None
