"""What is wrong with a rule, where, and what to write instead. Knows no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a part of what was written."""

Severity = Literal["error", "warning"]

ALIKE, LIKELY = 0.8, 0.6
"""Words of which so much is the same are taken for one word, misspelt; or may be, where one of them is wrong anyway."""


class Wrong(ValueError):
    """Raised in models: `words` say what to write; `at` is the part, seen from the model, where that is not itself."""

    def __init__(self, words: str, *at: str | int) -> None:
        super().__init__(words)
        self.at: Place = at


class Finding(NamedTuple):
    """One thing to tell a rule's writer. An error refuses the rule."""

    place: Place
    words: str
    severity: Severity = "error"

    @property
    def where(self) -> str:
        """The place as people write it."""
        return ".".join(map(str, self.place)) or "the rule"


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` where a known word is like this one, else nothing."""
    found = closest(word, known, LIKELY)
    return "" if found is None else f"; did you mean `{found}`?"


def closest(word: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known word that is most like this one, if one is alike at all. Case does not matter."""
    words = {one.casefold(): one for one in sorted(known, reverse=True)}
    found = get_close_matches(word.casefold(), words, 1, alike)
    return words[found[0]] if found else None


def findings_of(error: ValidationError, written: object, fields: Fields) -> list[Finding]:
    """What the models say, in the places where it was written. One finding a place: the first."""
    found: dict[Place, str] = {}
    faults = error.errors()
    for fault in faults:
        if fault["type"] == "too_short" and any(_is_inside(other["loc"], fault["loc"]) for other in faults):
            continue  # what is wrong itself was not counted
        place = _place(fault["loc"], written, ends=fault["type"] == "missing")
        raised = fault.get("ctx", {}).get("error")
        at = raised.at if isinstance(raised, Wrong) else ()
        found.setdefault((*place, *at), _words(fault, place, fields))
    return [Finding(place, words) for place, words in found.items()]


class Fields(NamedTuple):
    """The models' own words: the keys that a place may have, and an example of what to write for a key."""

    of_kind: Mapping[str, Sequence[str]]
    of_part: Mapping[str, Sequence[str]]
    examples: Mapping[str, str]

    def at(self, place: Place, kind: str) -> Sequence[str]:
        """The keys that a mapping there may have."""
        names = [part for part in place if isinstance(part, str)]
        return self.of_part.get(names[-1], ()) if names else self.of_kind.get(kind, ())


def _is_inside(loc: Place, around: Place) -> bool:
    return len(loc) > len(around) and loc[: len(around)] == around


def _place(loc: Iterable[str | int], written: object, *, ends: bool) -> Place:
    """Without the parts that only tell which of several models was tried, the kind before all: nobody wrote those."""
    parts = list(loc)[1:]
    found = list(_followed(parts, written))
    return (*found, parts[-1]) if ends else tuple(found)


def _followed(parts: Iterable[str | int], written: Any) -> Iterator[str | int]:
    for part in parts:
        if _leads_on(part, written):
            written = written[part]
            yield part


def _leads_on(part: str | int, written: Any) -> bool:
    if isinstance(written, Mapping):
        return part in written
    return isinstance(written, list | tuple) and isinstance(part, int) and part < len(written)


def _words(fault: Any, place: Place, fields: Fields) -> str:
    context = fault.get("ctx", {})
    match fault["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return "is missing" + _example(place, fields)
        case "extra_forbidden":
            return f"there is no such key{meant(str(place[-1]), fields.at(place[:-1], str(fault['loc'][0])))}"
        case "union_tag_not_found":
            return f"`kind` is missing: write one of {context.get('tag', ', '.join(fields.of_kind))}"
        case "union_tag_invalid":
            return f"`kind` is one of {', '.join(fields.of_kind)}{meant(context['tag'], fields.of_kind)}"
        case "literal_error":
            return f"write {context['expected']}"
        case "string_pattern_mismatch":
            return "cannot be written so" + _example(place, fields)
        case _:
            said = str(fault["msg"])
            return said[:1].lower() + said[1:] + _example(place, fields)


def _example(place: Place, fields: Fields) -> str:
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    example = fields.examples.get(name)
    return "" if example is None else f": write for example `{example}`"
