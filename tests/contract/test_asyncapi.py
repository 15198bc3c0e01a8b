"""The AsyncAPI document names every public topic, hangs together, and describes the bytes that are really written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from contract.test_wire import GOLDENS as RECORDS
from contract.test_wire_reports import GOLDENS as REPORTS
from contract.test_wire_triggers import GOLDENS as TRIGGERS
from tern_common.topics import FAMILIES, IDENTITY, OUTCOMES, PROFILES, STOCK, triggers_topic
from tern_triggers.domain.contract.asyncapi import document
from tern_triggers.domain.contract.schemas import MESSAGES, schema_of

SCHEMAS = {message.name: schema_of(message) for message in MESSAGES}
WRITTEN = [
    *((golden.event.type, golden.value) for golden in TRIGGERS.values()),
    ("tern.identity.merged.v1", RECORDS["merged"].value),
    ("tern.identity.split.v1", RECORDS["split"].value),
    ("tern.identity.violation.v1", RECORDS["violation"].value),
    ("tern.profile.v1", RECORDS["profile"].value),
    ("tern.profile.v1", RECORDS["profile, absorbed"].value),
    ("tern.outcome.v1", REPORTS["outcome"].value),
    ("tern.outcome.v1", REPORTS["outcome of a ticket"].value),
    *(
        (f"tern.stock.{name.replace(' ', '.')}.v1", one.value)
        for name, one in REPORTS.items()
        if name.startswith("hold")
    ),
]


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in it."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(whole: Any, reference: str) -> Any:
    found = whole
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_every_public_topic_is_described() -> None:
    families = {triggers_topic(family) for family in FAMILIES}
    described = {channel["address"] for channel in document()["channels"].values()}
    assert described == {*families, PROFILES, IDENTITY, OUTCOMES, STOCK}


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    assert all(resolved(whole, reference) for reference in references(whole))
    assert all(resolved(schema, reference) for schema in SCHEMAS.values() for reference in references(schema))


def test_tern_sends_triggers_and_receives_outcomes_and_answers() -> None:
    operations = document()["operations"]
    assert {name for name, one in operations.items() if one["action"] == "receive"} == {
        f"receive-{OUTCOMES}",
        f"receive-{STOCK}",
    }
    assert [one["$ref"].rsplit("/", 1)[-1] for one in operations["send-tern.triggers.cart.v1"]["messages"]] == [
        "tern.trigger.fired.v1",
        "tern.trigger.retracted.v1",
        "tern.trigger.cancelled.v1",
    ]


def test_every_schema_is_one() -> None:
    for schema in SCHEMAS.values():
        jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize(("name", "value"), WRITTEN)
def test_what_is_written_is_what_its_schema_says(name: str, value: bytes) -> None:
    validator = jsonschema_rs.validator_for(SCHEMAS[name], validate_formats=True)
    validator.validate(json.loads(value))


@pytest.mark.parametrize(("name", "value"), WRITTEN)
def test_its_schema_misses_what_is_required(name: str, value: bytes) -> None:
    said = json.loads(value)
    for field in SCHEMAS[name]["required"]:
        less = {key: inner for key, inner in said.items() if key != field}
        assert not jsonschema_rs.is_valid(SCHEMAS[name], less)
