"""The headers of records that follow from others. Those of an event are its own, and go with it."""

from __future__ import annotations

from hashlib import blake2b

from tern_common.bus import Headers

_ID_BYTES = 16


def headers_of(schema: str, value: bytes, mode: str = "live") -> Headers:
    """`message-id`, `schema` and `mode`. The id is a digest of the value: published again, a record has it again."""
    message_id = blake2b(value, digest_size=_ID_BYTES).hexdigest()
    return ("message-id", message_id.encode()), ("schema", schema.encode()), ("mode", mode.encode())
