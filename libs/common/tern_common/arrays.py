"""Arrays as the text that PostgreSQL reads: `$1::text::bigint[]` in a statement.

asyncpg asks two abstract classes about each element of a list that it is given, which takes ten times as long as to
write it. Knows types, and nothing of what is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

_encode = msgspec.json.Encoder().encode


def array(values: Collection[object]) -> str:
    """Numbers, truths, texts, moments, UUIDs or bytes, each kind by itself; None is NULL."""
    elements = list(values)
    if isinstance(next((one for one in elements if one is not None), None), bytes):
        return _bytes(elements)
    written = _encode(elements)
    if b"\\" in written:  # JSON escapes what an array would not
        return "{" + ",".join(map(_quoted, elements)) + "}"
    return "{" + written[1:-1].decode() + "}"


def hex_array(digits: Collection[str]) -> str:
    """Bytes that are written as hex digits already."""
    return '{"\\\\x' + '","\\\\x'.join(digits) + '"}' if digits else "{}"


def columns(rows: Iterable[Sequence[object]]) -> list[str]:
    """Rows as the arrays that `unnest` takes. There is at least one row."""
    return [array(column) for column in zip(*rows, strict=True)]


def _bytes(elements: Sequence[object]) -> str:
    digits = [one.hex() for one in elements if isinstance(one, bytes)]
    if len(digits) == len(elements):
        return hex_array(digits)
    return "{" + ",".join(hex_array([one.hex()])[1:-1] if isinstance(one, bytes) else "NULL" for one in elements) + "}"


def _quoted(text: object) -> str:
    if text is None:
        return "NULL"
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
