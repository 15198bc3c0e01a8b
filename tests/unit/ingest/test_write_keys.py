"""Where a write key may stand, and what a wrong one is answered."""

from __future__ import annotations

import base64
import itertools
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


PLACES = ("basic", "header", "query", "body")


def shown(place: str, key: str) -> tuple[dict[str, str], str, dict[str, str]]:
    """The headers, the query and the part of the body that hold a key in that place."""
    basic = base64.b64encode(f"{key}:".encode()).decode()
    return {
        "basic": ({"Authorization": f"Basic {basic}"}, "", {}),
        "header": ({"X-Write-Key": key}, "", {}),
        "query": ({}, f"?writeKey={key}", {}),
        "body": ({}, "", {"writeKey": key}),
    }[place]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(PLACES, 2)))
async def test_an_earlier_place_wins(door: FrontDoor, first: str, second: str) -> None:
    for keys, status in ((("wk_k1_wrong", SERVER_KEY), 401), ((SERVER_KEY, "wk_k1_wrong"), 200)):
        (ours, query, body), (theirs, other_query, other_body) = map(shown, (first, second), keys)
        answer = await door.post(
            GOOD | other_body | body, f"/v1/track{query or other_query}", key=None, headers=theirs | ours
        )
        assert answer.status_code == status


async def test_the_beacon_has_its_key_in_the_address_and_no_header(door: FrontDoor) -> None:
    path = f"/beacon/v1/batch?writeKey={SERVER_KEY.replace('_', '%5F')}"
    answer = await door.post({"batch": [GOOD]}, path, key=None, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200


async def test_each_event_of_an_analytics_js_batch_brings_its_key(door: FrontDoor) -> None:
    events = [GOOD | {"messageId": str(n), "writeKey": BROWSER_KEY} for n in range(3)]
    answer = await door.post({"batch": events, "sentAt": "2026-03-01T12:00:00Z"}, "/v1/b", key=None)
    assert answer.status_code == 200
    assert all("trusted" not in event for event in door.events())
    assert len(door.events()) == 3


@pytest.mark.parametrize("path", ["/api/s/track", "/api/s/s2s/track"])
async def test_jitsus_body_key_is_masked_and_its_header_wins(door: FrontDoor, path: str) -> None:
    answer = await door.post(
        GOOD | {"writeKey": "wk_k1:***"}, path, key=None, headers={"X-Write-Key": "wk_k1:secret-one"}
    )
    assert answer.status_code == 200
    assert "extra" not in door.event()


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
