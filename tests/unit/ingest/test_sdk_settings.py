"""What SDKs ask before they send: the answers that analytics.js and RudderStack's SDK need, behind any proxy."""

from __future__ import annotations

import pytest

from tern_ingest.callers import Callers
from tern_ingest.domain.addresses import networks
from unit.ingest.door import BROWSER_KEY, FrontDoor

SEGMENT = f"/v1/projects/{BROWSER_KEY}/settings"
RUDDER = f"/sourceConfig/?p=cdn&v=3.2.1&writeKey={BROWSER_KEY}"
PEER = "127.0.0.1"


def believing(door: FrontDoor, proxies: str) -> FrontDoor:
    door.serve(callers=Callers(networks(proxies)))
    return door


@pytest.mark.parametrize("path", [SEGMENT, SEGMENT + "/"])
async def test_the_settings_answer_that_analytics_js_needs(door: FrontDoor, path: str) -> None:
    answer = await door.client.get(path, headers={"Origin": "https://shop.example"})
    assert answer.status_code == 200
    assert answer.json() == {
        "integrations": {"Segment.io": {"apiKey": BROWSER_KEY, "apiHost": "ingest/v1", "protocol": "http"}},
        "metrics": {"sampleRate": 0},
    }
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "public" not in answer.headers["cache-control"]


@pytest.mark.parametrize("path", [RUDDER, RUDDER.replace("/?", "?")])
async def test_the_source_config_that_rudderstack_needs(door: FrontDoor, path: str) -> None:
    answer = await door.client.get(path, headers={"Origin": "https://shop.example"})
    assert (answer.status_code, answer.json()) == (200, {"source": {"id": "shop", "config": {}, "destinations": []}})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def test_the_source_config_takes_the_key_wherever_keys_stand(door: FrontDoor) -> None:
    assert (await door.client.get("/sourceConfig/", auth=(BROWSER_KEY, ""))).status_code == 200
    assert (await door.client.get("/sourceConfig/", headers={"X-Write-Key": BROWSER_KEY})).status_code == 200


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cdp.shop.example"}


async def test_host_and_protocol_are_those_a_trusted_proxy_names(door: FrontDoor) -> None:
    answer = await believing(door, f"{PEER}/32").client.get(SEGMENT, headers=FORWARDED)
    said = answer.json()["integrations"]["Segment.io"]
    assert (said["apiHost"], said["protocol"]) == ("cdp.shop.example/v1", "https")


async def test_nobody_else_says_where_events_are_sent(door: FrontDoor) -> None:
    answer = await believing(door, "10.0.0.0/8").client.get(SEGMENT, headers=FORWARDED)
    said = answer.json()["integrations"]["Segment.io"]
    assert (said["apiHost"], said["protocol"]) == ("ingest/v1", "http")


async def test_a_request_without_a_host_is_400(door: FrontDoor) -> None:
    answer = await door.client.get(SEGMENT, headers={"Host": 'a"b'})
    assert (answer.status_code, answer.json()["code"]) == (400, "host-missing")


@pytest.mark.parametrize("path", ["/v1/projects/wk_k1_wrong/settings", "/sourceConfig/?writeKey=x", "/sourceConfig/"])
async def test_an_unknown_key_is_401_for_settings_too(door: FrontDoor, path: str) -> None:
    answer = await door.client.get(path, headers={"Origin": "https://shop.example"})
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message"}
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize("path", [SEGMENT, RUDDER])
async def test_the_key_store_away_is_503_for_settings_too(door: FrontDoor, path: str) -> None:
    door.store.away = True
    answer = await door.client.get(path)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", [SEGMENT, RUDDER])
async def test_settings_are_read_with_get_and_asked_for_with_options(door: FrontDoor, path: str) -> None:
    refused = await door.client.post(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, OPTIONS")
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "authorization"}
    answer = await door.client.options(path, headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-methods"]) == (200, "GET, OPTIONS")
    assert "authorization" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("path", [SEGMENT, RUDDER])
async def test_a_page_that_is_not_listed_is_told_nothing(door: FrontDoor, path: str) -> None:
    door.list_origins("https://shop.example")
    await door.keyring.refresh()
    elsewhere = {"Origin": "https://evil.example"}
    for answer in (await door.client.get(path, headers=elsewhere), await door.client.options(path, headers=elsewhere)):
        assert "access-control-allow-origin" not in answer.headers
    assert (await door.client.get(path, headers=elsewhere)).status_code == 403
    assert (await door.client.get(path, headers={"Origin": "https://shop.example"})).status_code == 200
