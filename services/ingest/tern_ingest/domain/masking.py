"""How a rejected event is shown to those who may not see personal data: its shape, and none of its words."""

from __future__ import annotations

import re

from tern_ingest.domain.calls import Call

_FIELDS = frozenset(Call.__struct_encode_fields__)
_WORD = re.compile(r"[^\W_]+")
_DIGIT = re.compile(r"\d")


def masked(text: str) -> str:
    """Letters become x and digits 0, but for the names of an event's own fields: what is wrong is mostly to be seen."""
    return _WORD.sub(_mask, text)


def _mask(word: re.Match[str]) -> str:
    said, text = word[0], word.string
    if said in _FIELDS and text[word.start() - 1 : word.start()] == '"' and text[word.end() : word.end() + 2] == '":':
        return said
    return "".join("0" if _DIGIT.match(char) else "x" for char in said)
