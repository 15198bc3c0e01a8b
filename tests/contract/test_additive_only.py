"""Inside a version the contract only grows: a subscriber of the first day reads and writes what there is today."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from contract.freezing import breaks, current, frozen

FIRED = "tern.trigger.fired.v1"
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> list[str]:
    before = deepcopy(dict(frozen()[FIRED]))
    after = deepcopy(before)
    change(after)
    return breaks(before, after)


def fields(schema: dict[str, Any], part: str = "Fired") -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][part]["properties"]
    return found


@pytest.mark.parametrize("name", sorted({*frozen(), *current()}))
def test_what_was_promised_still_holds_and_what_was_added_is_promised_too(name: str) -> None:
    promised, now = frozen().get(name, {}), current().get(name, {})
    assert breaks(promised, now) == [], "a field or code was removed, retyped or made required"
    assert promised == now, "an addition: promise it too, by `.venv/bin/python tests/contract/freezing.py`"


ADDITIONS: dict[str, Change] = {
    "an optional field": lambda schema: fields(schema).update(extra={"type": "string", "default": ""}),
    "a code": lambda schema: fields(schema)["act"]["enum"].append("call"),
    "words": lambda schema: schema.update(description="said better"),
}
BREAKS: dict[str, Change] = {
    "a field is removed": lambda schema: fields(schema).pop("cart"),
    "a field of a part is removed": lambda schema: fields(schema, "CartLine").pop("price"),
    "a number becomes a text": lambda schema: fields(schema)["step"].update(type="string"),
    "an optional field becomes required": lambda schema: schema["$defs"]["Fired"]["required"].append("cart"),
    "a required field becomes optional": lambda schema: schema["$defs"]["Fired"]["required"].remove("rule"),
    "a code is removed": lambda schema: fields(schema)["act"]["enum"].remove("task"),
    "a free text becomes a list of codes": lambda schema: fields(schema)["rule"].update(enum=["cart_abandoned"]),
    "a value may be nothing": lambda schema: fields(schema).update(
        rule={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "an optional part is another": lambda schema: fields(schema)["cart"]["anyOf"][0].update({"$ref": "#/$defs/Held"}),
    "what a list holds is another": lambda schema: fields(schema, "CartContent")["items"].update(
        items={"type": "string"}
    ),
    "a map becomes something else": lambda schema: fields(schema, "ReasonFacts")["facts"].update(
        additionalProperties=True
    ),
    "a moment is any text": lambda schema: fields(schema, "Timing")["due_at"].pop("format"),
}


@pytest.mark.parametrize("change", ADDITIONS.values(), ids=ADDITIONS)
def test_additions_break_nobody(change: Change) -> None:
    assert changed(change) == []


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_whatever_would_break_a_subscriber_is_found(change: Change) -> None:
    assert changed(change)


def test_the_frozen_contract_names_no_workplace_and_no_person() -> None:
    assert "@" not in json.dumps(frozen())
