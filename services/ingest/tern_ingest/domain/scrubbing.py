"""Secrets in what clients send, write keys and user tokens: found, read once, and taken out of what goes on.

Knows their names and shapes; not what a token says.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from tern_ingest.domain.bounds import STRING

USER_TOKEN = "user_token"  # noqa: S105  a name
_SECRETS = frozenset({USER_TOKEN, "writeKey"})
_NAMES = (b"user_token", b"writeKey")
_BACKSLASH, _ESCAPE, _NUL = b"\\", b"\\u", b"\0"
"""A name may be written with escapes, and mending takes NUL out of one. One byte is found in a tenth of the time."""


def _spelt(name: str) -> bytes:
    """A JSON string's inside, each character as it is or as an escape."""
    return b"".join(rb"(?:%c|\\u00%02x)" % (ord(char), ord(char)) for char in name)


_NAMED = re.compile(
    rb'("(?i:' + b"|".join(_spelt(name) for name in sorted(_SECRETS)) + rb')"\s*+:\s*+)(?:' + STRING + rb'|".*+)',
    re.DOTALL,
)
_SHAPED = re.compile(
    rb"(?<![\w-])(?:eyJ[\w-]*+\.[\w-]*+\.[\w-]*+|wk_[0-9a-f]{1,64}+[_:][\w-]++)",
    re.ASCII,
)
"""A signed token or a write key by its look, wherever broken JSON has put it."""

_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_value = msgspec.json.Decoder()


def may_hold_secrets(text: bytes) -> bool:
    """Whether JSON text could name one: cheap, and never wrong when it says no."""
    escaped = _BACKSLASH in text and _ESCAPE in text
    return escaped or _NAMES[0] in text or _NAMES[1] in text or _NUL in text


def user_token(context: Raw) -> object:
    """What stands under `user_token` of a context; None when nothing does, or the context is no object."""
    data = bytes(context)
    if not may_hold_secrets(data) or not data.startswith(b"{"):
        return None
    raw = _members.decode(data).get(USER_TOKEN)
    return None if raw is None else _value.decode(raw)


def scrubbed(raw: Raw) -> Raw:
    """The value without its secrets, at any depth. What holds none stays the bytes that came."""
    data = bytes(raw)
    if not may_hold_secrets(data):
        return raw
    if data.startswith(b"{"):
        return _scrubbed_object(raw, data)
    return _scrubbed_list(raw, data) if data.startswith(b"[") else raw


def _scrubbed_object(raw: Raw, data: bytes) -> Raw:
    members = _members.decode(data)
    kept = {name: scrubbed(value) for name, value in members.items() if name not in _SECRETS}
    if len(kept) == len(members) and all(kept[name] is value for name, value in members.items()):
        return raw
    return Raw(msgspec.json.encode(kept))


def _scrubbed_list(raw: Raw, data: bytes) -> Raw:
    items = _items.decode(data)
    kept = [scrubbed(item) for item in items]
    if all(new is old for new, old in zip(kept, items, strict=True)):
        return raw
    return Raw(msgspec.json.encode(kept))


def emptied(original: bytes | Raw) -> bytes:
    """Bytes that may be no JSON at all, with the secrets in them emptied: whoever reads them must not be able to send.

    Takes time in proportion to their number.
    """
    data = bytes(original)
    if not may_hold_secrets(data):
        return data
    return _SHAPED.sub(b"", _NAMED.sub(rb'\1""', data))
