"""What browsers are told, so that SDKs can send and can read the answer."""

from __future__ import annotations

from unit.ingest.door import GOOD, FrontDoor


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
    assert {"authorization", "content-type", "x-write-key", "x-retry-count", "anonymousid", "sentat"} <= set(allowed)
    assert "rsa-custom" in allowed
    assert not {"rsa-bad!", "x-other"} & set(allowed)
    assert answer.headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert answer.headers["access-control-max-age"] == "7200"
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
