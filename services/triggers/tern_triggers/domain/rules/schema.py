"""The JSON Schema of a rule, derived from the models: for editors, and for programs that write rules."""

from __future__ import annotations

from typing import Any

from tern_triggers.domain.rules.kinds import RULE

ID = "urn:tern:schema:rule"


def rule_schema() -> dict[str, Any]:
    """JSON Schema 2020-12. What only the whole of a rule can tell (`after` must increase, …) is said by the lint."""
    derived = RULE.json_schema(by_alias=True)
    derived.pop("discriminator", None)  # OpenAPI's, not JSON Schema's
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "A rule of Tern",
        **derived,
    }
