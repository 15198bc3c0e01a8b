"""What browsers are told, so that SDKs can send and can read the answer."""

from __future__ import annotations

import pytest

from tern_ingest.app import PATHS
from unit.ingest.door import BROWSER_KEY, GOOD, SERVER_KEY, FrontDoor

SHOP, EVIL = {"Origin": "https://shop.example"}, {"Origin": "https://evil.example"}


async def test_every_answer_to_another_origin_can_be_read(door: FrontDoor) -> None:
    origin = {"Origin": "https://shop.example"}
    for answer in (
        await door.post(GOOD, headers=origin),
        await door.post(b"x", headers=origin),
        await door.post(GOOD, key="x", headers=origin),
        await door.client.get("/v1/track", headers=origin),
    ):
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["access-control-expose-headers"] == "Retry-After"


async def test_a_preflight_allows_what_sdks_send(door: FrontDoor) -> None:
    asked = "authorization,content-type,x-retry-count,rsa-custom,rsa-bad!,x-other"
    answer = await door.client.options(
        "/v1/batch", headers={"Origin": "https://a.example", "Access-Control-Request-Headers": asked}
    )
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert answer.status_code == 200
    for name in (
        "authorization",
        "content-type",
        "x-write-key",
        "x-retry-count",
        "anonymousid",
        "sentat",
        "x-ip-policy",
    ):
        assert name in allowed
    assert "rsa-custom" in allowed
    assert not {"rsa-bad!", "x-other"} & set(allowed)
    assert answer.headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert answer.headers["access-control-max-age"] == "7200"
    assert answer.headers["access-control-allow-origin"] == "https://a.example"


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_every_path_answers_a_preflight_without_a_key(door: FrontDoor, path: str) -> None:
    answer = await door.client.options(path, headers=SHOP)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SHOP["Origin"])
    assert door.store.reads == 0


@pytest.mark.parametrize("key", [SERVER_KEY, BROWSER_KEY])
@pytest.mark.parametrize("in_body", [False, True])
async def test_only_origins_the_source_lists_when_it_lists_any(door: FrontDoor, key: str, in_body: bool) -> None:
    door.list_origins("https://shop.example", "https://*.shop.example")
    body, shown = (GOOD | {"writeKey": key}, None) if in_body else (GOOD, key)
    for origin in ("https://shop.example", "https://m.shop.example"):
        answer = await door.post(body, key=shown, headers={"Origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
    refused = await door.post(body, key=shown, headers=EVIL)
    assert (refused.status_code, refused.json()["code"]) == (403, "origin-not-allowed")
    assert "access-control-allow-origin" not in refused.headers
    assert refused.headers["vary"] == "Origin"
    assert (await door.post(body, key=shown)).status_code == 200
    assert len(door.events()) == 3


async def test_a_preflight_whose_address_names_the_key_is_told_at_once(door: FrontDoor) -> None:
    door.list_origins("https://shop.example")
    await door.keyring.refresh()
    path = f"/beacon/v1/batch?writeKey={BROWSER_KEY}"
    assert "access-control-allow-origin" in (await door.client.options(path, headers=SHOP)).headers
    assert "access-control-allow-origin" not in (await door.client.options(path, headers=EVIL)).headers
    assert "access-control-allow-origin" in (await door.client.options("/v1/batch", headers=EVIL)).headers


async def test_without_an_origin_nothing_is_echoed(door: FrontDoor) -> None:
    for answer in (await door.post(GOOD), await door.client.options("/v1/batch")):
        assert "access-control-allow-origin" not in answer.headers
