"""Unknown fields pass through: what Tern does not know of a call stands on the topic as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from unit.ingest.door import GOOD, SERVER_KEY, FrontDoor

UNKNOWN: dict[str, Any] = {"channel": "web", "_metadata": {"bundled": ["a"]}, "category": None, "rudderId": 5.0}


@pytest.mark.parametrize("body", [GOOD | UNKNOWN, {"batch": [GOOD | UNKNOWN]}], ids=["one", "batch"])
async def test_members_that_are_unknown_pass_through(door: FrontDoor, body: dict[str, Any]) -> None:
    await door.post(body)
    assert door.event()["extra"] == UNKNOWN
    assert b'"rudderId":5.0' in door.bus.sent("tern.events.v1")[0].value


async def test_so_do_those_of_a_call_that_had_to_be_mended(door: FrontDoor) -> None:
    await door.post(json.dumps(GOOD | {"channel": "we\0b", "score": float("nan")}).encode())
    assert door.event()["extra"] == {"channel": "web", "score": None}


async def test_a_call_of_nothing_but_known_members_has_none(door: FrontDoor) -> None:
    await door.post({"batch": [GOOD | {"writeKey": SERVER_KEY}], "context": {"of": "the batch"}})
    assert "extra" not in door.event()


async def test_what_is_unknown_inside_the_free_form_parts_stays_where_it_is(door: FrontDoor) -> None:
    parts = {name: {"x-unknown": [1, {"deep": "ü"}]} for name in ("context", "properties", "traits", "integrations")}
    await door.post(GOOD | parts)
    event = door.event()
    assert {name: event[name] for name in parts} == parts | {"context": {"ip": "127.0.0.1"} | parts["context"]}


async def test_no_secret_hides_among_the_unknown(door: FrontDoor) -> None:
    await door.post(GOOD | {"user_token": "eyJ", "mine": {"writeKey": SERVER_KEY}, "kept": 1})
    assert door.event()["extra"] == {"mine": {}, "kept": 1}
    assert b"secret-one" not in door.bus.sent("tern.events.v1")[0].value
