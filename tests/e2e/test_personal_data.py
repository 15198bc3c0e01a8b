"""Personal data is in the answers to those who may ask for it, and nowhere else: no log, no metric, no error."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from support.names import unique
from support.shop import HOUR, Json, Shop
from support.waiting import eventually

SERVICES = ("ingest", "identity", "profile", "triggers")


class Person:
    """Somebody whose data can be told from everybody else's, wherever it turns up."""

    def __init__(self) -> None:
        mark = unique("zoe").replace("_", "")
        self.email = f"{mark}@shop.example"
        self.phone = "+4930" + str(int(mark[3:], 16))[:8]
        self.name = f"Name{mark}"
        self.street = f"Street{mark} 7"
        self.user_id = f"user-{mark}"
        self.anonymous_id = f"browser-{mark}"
        self.ip = "203.0.113.77"
        self.mark = mark

    @property
    def traits(self) -> Json:
        return {"email": self.email, "phone": self.phone, "name": self.name, "address": {"street": self.street}}

    def traces(self, text: str) -> list[str]:
        """What of her is in there."""
        return [secret for secret in (self.mark, self.phone, self.phone[1:], self.ip) if secret in text]


@pytest.fixture
def zoe() -> Person:
    return Person()


def good(shop: Shop, zoe: Person) -> list[Json]:
    """What she does, with all that is known of her in it."""
    who: Json = {"anonymousId": zoe.anonymous_id, "context": {"ip": zoe.ip, "traits": zoe.traits}}
    mug = {"product_id": "mug", "name": zoe.name, "price": 9.5, "quantity": 1}
    return [
        {**shop.event("", zoe.user_id, **who), "type": "identify", "traits": zoe.traits},
        shop.event("Consent Granted", zoe.user_id, {"channel": "email", "email": zoe.email}, **who),
        shop.event("Cart Updated", zoe.user_id, {"cart_id": "cart", "products": [mug], **zoe.traits}, **who),
        shop.event(f"Told {zoe.email}", zoe.user_id, {zoe.email: zoe.phone}, **who),
    ]


def bad(shop: Shop, zoe: Person) -> list[Json]:
    """What is rejected singly, or cannot be stored as it is."""
    told = shop.event("Told", zoe.user_id, zoe.traits)
    return [
        {**told, "type": zoe.email},
        {**told, "event": {zoe.email: zoe.name}},
        {**told, "messageId": zoe.email + "\0"},
        {**told, "userId": {"email": zoe.email}},
        {**told, "properties": zoe.email},
        {**told, "timestamp": zoe.email},
        {**told, "context": zoe.traits, "traits": f"{zoe.name}\0\ud800"},
        {**told, "userId": f"{zoe.user_id}\0", "anonymousId": "\ud800" + zoe.name},
        {**told, "properties": {"cart_id": "\0" + zoe.street, "products": zoe.email, "total": zoe.phone}},
    ]


async def answered(shop: Shop, zoe: Person) -> list[httpx.Response]:
    """Requests of which most are refused, with her data in every part of them."""
    ingest, http = shop.door("ingest"), shop.http
    key, text = (shop.door("write_keys")["server"], ""), json.dumps(zoe.traits)
    escaped = [json.dumps({"batch": [event]}) for event in bad(shop, zoe)]  # httpx would not send half a character
    answers = [
        *[await http.post(f"{ingest}/v1/batch", content=body, auth=key) for body in escaped],
        await http.post(f"{ingest}/v1/batch", content=text[:-1], auth=key),
        await http.post(f"{ingest}/v1/batch", json=[zoe.email], auth=key),
        await http.post(f"{ingest}/v1/batch", json={"batch": zoe.email}, auth=key),
        await http.post(f"{ingest}/v1/track", json=zoe.traits, auth=(zoe.email, zoe.phone)),
        await http.post(f"{ingest}/v1/track", content=text, auth=key, headers={"content-encoding": zoe.mark}),
        await http.post(f"{ingest}/v1/{zoe.email}", json=zoe.traits, auth=key),
        await http.put(f"{ingest}/v1/track?email={zoe.email}", json=zoe.traits, auth=key),
    ]
    bearer = {"authorization": f"Bearer {shop.door('api_token')}"}
    for service in SERVICES:
        door = shop.door(service)
        answers += [
            await http.get(f"{door}/v1/{zoe.email}/{zoe.phone}", headers=bearer),
            await http.get(f"{door}/v1/sources", headers={"authorization": f"Bearer {zoe.email}"}),
            await http.post(f"{door}/v1/sources", json={zoe.email: zoe.traits, "name": [zoe.name]}, headers=bearer),
            await http.get(f"{door}/v1/profiles/by/email/nobody-{zoe.email}", headers=bearer),
            await http.get(f"{door}/v1/profiles/by/{zoe.mark}/{zoe.email}", headers=bearer),
            await http.get(f"{door}/v1/profiles/{zoe.email}", headers=bearer),
            await http.get(f"{door}/v1/customers/by/phone/{zoe.phone}999", headers=bearer),
            await http.get(f"{door}/v1/customers/by/email/%00{zoe.email}", headers=bearer),
            await http.get(f"{door}/v1/customers/{zoe.email}", headers=bearer),
            await http.get(f"{door}/v1/decisions", params={"customer_id": zoe.email}, headers=bearer),
            await http.get(f"{door}/v1/decisions", params={"limit": zoe.email, "rule": zoe.email}, headers=bearer),
        ]
    return answers


def logs(shop: Shop) -> dict[Path, str]:
    """All that any process of the platform printed."""
    files = [shop.log, *(shop.run_file.parent / "logs").iterdir()]
    return {file: file.read_text("utf-8", "replace") for file in files}


async def test_personal_data_is_in_no_log_no_metric_and_no_error(shop: Shop, zoe: Person) -> None:
    await shop.send(good(shop, zoe))
    answers = await answered(shop, zoe)
    await shop.advance(2 * HOUR)
    profile = await eventually(lambda: shop.profile("email", zoe.email), 30, "she is known")
    assert zoe.traces(json.dumps(profile)), "who may ask is told, so a leak would be seen"

    refused = [answer for answer in answers if answer.status_code >= 400]
    assert {answer.status_code for answer in refused} >= {400, 401, 404, 405, 422}
    for answer in refused:
        assert answer.status_code < 500
        assert zoe.traces(answer.text) == [], f"{answer.request.method}: {answer.status_code} {answer.text}"
    for service in SERVICES:
        assert zoe.traces((await shop.http.get(f"{shop.door(service)}/metrics")).text) == []
    for file, text in logs(shop).items():
        assert zoe.traces(text) == [], file
