"""Sends a world through the door that every shop uses: batches over HTTP, each source with a key of its own."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import httpx

from support.shop import Json, Shop
from support.world.building import World
from support.world.saying import Said

PER_REQUEST = 250


async def send_world(shop: Shop, world: World) -> None:
    """First the month as it happened, then what the tills kept until its end. Returns when all is acknowledged."""
    till = await _till_key(shop, world.population.tag)
    keys = {**shop.door("write_keys"), "till": till}
    for part in (world.live, world.monthly):
        by_door = sorted(part, key=lambda said: said.door)
        for door, said in groupby(by_door, key=lambda one: one.door):
            await _send(shop, said, keys[door])


async def _send(shop: Shop, said: Iterable[Said], key: str) -> None:
    calls = [one.call for one in said]
    for start in range(0, len(calls), PER_REQUEST):
        body = {"batch": calls[start : start + PER_REQUEST]}
        answer = await shop.http.post(f"{shop.door('ingest')}/v1/batch", json=body, auth=(key, ""))
        assert answer.status_code == httpx.codes.OK, answer.text


async def _till_key(shop: Shop, tag: str) -> str:
    """The tills are a source of their own, trusted as servers are, so that an operator can tell what they said."""
    source = await _create(shop, "/v1/sources", {"name": f"tills of {tag}"})
    key = await _create(shop, f"/v1/sources/{source['source_id']}/keys", {"kind": "server"})
    return str(key["write_key"])


async def _create(shop: Shop, path: str, body: Json) -> Json:
    bearer = {"authorization": f"Bearer {shop.door('api_token')}"}
    answer = await shop.http.post(f"{shop.door('ingest')}{path}", json=body, headers=bearer)
    assert answer.is_success, answer.text
    made: Json = answer.json()
    return made
