"""Where a write key may stand, and what a wrong one is answered."""

from __future__ import annotations

from typing import Any

import pytest

from unit.ingest.door import BROWSER_KEY, GOOD, SERVER_KEY, FrontDoor


async def test_the_key_is_the_user_name_of_basic_auth(door: FrontDoor) -> None:
    assert (await door.post(GOOD, key=BROWSER_KEY)).status_code == 200
    assert "trusted" not in door.event()


@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        ({"X-Write-Key": SERVER_KEY}, "", {}),
        ({"X-Write-Key": SERVER_KEY}, "?writeKey=wk_k9_wrong", {"writeKey": "wk_k9_wrong"}),
        ({}, f"?writeKey={SERVER_KEY}", {"writeKey": "wk_k9_wrong"}),
        ({}, "", {"writeKey": SERVER_KEY}),
        ({}, "", {"batch": [GOOD | {"writeKey": SERVER_KEY}]}),
        ({"Authorization": "Bearer x"}, "?writeKey=", {"batch": [5, GOOD, GOOD | {"writeKey": SERVER_KEY}]}),
        ({"Authorization": "Basic Og=="}, "", {"writeKey": SERVER_KEY}),
        ({"Authorization": "basic d2tfazFfc2VjcmV0LW9uZTo="}, "?writeKey=x", {}),
    ],
)
async def test_the_key_is_found_in_every_place_in_order(
    door: FrontDoor, headers: dict[str, str], query: str, body: dict[str, Any]
) -> None:
    answer = await door.post(GOOD | body, "/v1/track" + query, key=None, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "key", ["wk_k1_wrong", "wk_k9_secret-one", "k1", "wk_k1", "wk__", "wk_" + "x" * 500, "ä", "  "]
)
async def test_an_unknown_key_is_401(door: FrontDoor, key: str) -> None:
    answer = await door.post(GOOD, key=key)
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown-write-key")
    assert "www-authenticate" not in answer.headers
    assert door.events() == []


async def test_garbage_in_the_authorization_header_is_401(door: FrontDoor) -> None:
    answer = await door.post(GOOD, key=None, headers={"Authorization": "Basic x"})
    assert answer.status_code == 401


async def test_no_key_is_401(door: FrontDoor) -> None:
    answer = await door.post({"batch": [GOOD, 5]}, key=None)
    assert (answer.status_code, answer.json()["code"]) == (401, "write-key-missing")
