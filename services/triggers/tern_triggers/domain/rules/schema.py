"""The JSON Schema of a rule, derived from the models: for editors, and for programs that write rules."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from tern_common.conditions import Compare
from tern_common.durations import format_duration
from tern_triggers.domain.rules.kinds import RULE

ID = "urn:tern:schema:rule"

_ISO: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def rule_schema() -> dict[str, Any]:
    """JSON Schema 2020-12. What only the whole of a rule can tell (`after` must increase, …) is said by the lint."""
    derived = RULE.json_schema(by_alias=True)
    derived.pop("discriminator", None)  # OpenAPI's, not JSON Schema's
    found: dict[str, Any] = _as_written(_named(derived))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, "title": "A rule of Tern", **found}


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    """With conditions under their own names: pydantic adds what they join, which is the same for all."""
    named: dict[str, Any] = json.loads(json.dumps(schema).replace(f"_{Compare.__name__}_", ""))
    return named


def _as_written(part: Any) -> Any:
    """With default durations and shares as people write them: pydantic states them as ISO 8601 and as numbers."""
    if isinstance(part, list):
        return [_as_written(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {name: _as_written(one) for name, one in part.items()}
    default = made.get("default")
    if isinstance(default, str) and default.startswith("P"):
        made["default"] = format_duration(_ISO.validate_python(default))
    if isinstance(default, float):
        made["default"] = f"{default:.0%}"
    return made
