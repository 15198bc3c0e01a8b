"""The contract as it was promised, in `frozen/`, and what may be done to it: `python tests/contract/freezing.py`.

The command takes up what was added. It refuses a change that breaks somebody who reads or writes by the promised one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tern_triggers.domain.contract.schemas import MESSAGES, schema_of

FROZEN = Path(__file__).parent / "frozen"
_CONSTRAINTS = ("type", "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")

Schema = Mapping[str, Any]


class Side:
    """One schema, with the parts that its references name."""

    def __init__(self, whole: Schema) -> None:
        self._parts = whole.get("$defs", {})

    def meant(self, schema: Schema) -> Schema:
        """What a reference stands for."""
        while "$ref" in schema:
            schema = self._parts[schema["$ref"].rsplit("/", 1)[-1]]
        return schema


def breaks(before: Schema, after: Schema) -> list[str]:
    """What stands in `before` and does not hold in `after`, each as a path and a word. Empty: only additions."""
    return list(_breaks(Side(before), Side(after), before, after, "$"))


def _breaks(old: Side, new: Side, before: Schema, after: Schema, path: str) -> Iterator[str]:
    before, after = old.meant(before), new.meant(after)
    for name in _CONSTRAINTS:
        if before.get(name) != after.get(name):
            yield f"{path}: {name} was {before.get(name)!r}, is {after.get(name)!r}"
    if set(before.get("enum", ())) - set(after.get("enum", ())) or ("enum" in before) != ("enum" in after):
        yield f"{path}: a code is gone"
    if set(before.get("required", ())) != set(after.get("required", ())):
        yield f"{path}: other fields are required"
    yield from _fields(old, new, before, after, path)
    for name in ("items", "additionalProperties"):
        yield from _inner(old, new, before.get(name), after.get(name), f"{path}.{name}")
    yield from _alternatives(old, new, before.get("anyOf", ()), after.get("anyOf", ()), path)


def _fields(old: Side, new: Side, before: Schema, after: Schema, path: str) -> Iterator[str]:
    kept = after.get("properties", {})
    for name, schema in before.get("properties", {}).items():
        if name not in kept:
            yield f"{path}.{name}: is gone"
        else:
            yield from _breaks(old, new, schema, kept[name], f"{path}.{name}")


def _inner(old: Side, new: Side, before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _breaks(old, new, before, after, path)
    elif before != after:
        yield f"{path}: was {before!r}, is {after!r}"


def _alternatives(old: Side, new: Side, before: Any, after: Any, path: str) -> Iterator[str]:
    if len(before) != len(after):
        yield f"{path}: had {len(before)} forms, has {len(after)}"
    for place, schema in enumerate(before):
        if not any(not list(_breaks(old, new, schema, other, path)) for other in after):
            yield f"{path}: form {place} is not what it was"


def frozen() -> dict[str, Schema]:
    """The promised schemas, by message."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(FROZEN.glob("*.json"))}


def current() -> dict[str, Schema]:
    """The schemas that the models have now, by message, without words: those may be said better at any time."""
    return {message.name: _wordless(schema_of(message)) for message in MESSAGES}


def _wordless(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_wordless(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _wordless(inner) for name, inner in schema.items() if not isinstance(inner, str) or name != "description"
    }


def main() -> None:
    """Freezes what was added; ends with the faults where that was not all that changed."""
    promised, now = frozen(), current()
    broken = [f"{name} {fault}" for name in promised for fault in breaks(promised[name], now.get(name, {}))]
    if broken:
        sys.exit("\n".join(broken))
    for name, schema in now.items():
        (FROZEN / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n")


if __name__ == "__main__":
    main()
