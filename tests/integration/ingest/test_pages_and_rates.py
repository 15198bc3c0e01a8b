"""What operators say of a source's pages and rates, on a real database; and keys that are replaced under load."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from integration.ingest.conftest import Ingest
from support.waiting import eventually
from tern_common.topics import EVENTS

EVENT = {"type": "page", "anonymousId": "a"}
SHOP, EVIL = "https://shop.example", "https://evil.example"


async def change(ingest: Ingest, source_id: str, **what: object) -> httpx.Response:
    return await ingest.client.patch(f"/v1/sources/{source_id}", json=what, headers=ingest.admin)


async def send(ingest: Ingest, key: str, origin: str | None = None) -> httpx.Response:
    headers = {"Origin": origin} if origin else {}
    return await ingest.client.post("/v1/page", json=EVENT, auth=(key, ""), headers=headers)


async def test_a_source_takes_every_page_until_it_lists_some(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id, "browser")
    assert (await send(ingest, key, EVIL)).status_code == 200
    made = await change(ingest, source_id, origins=[SHOP])
    assert (made.status_code, made.json()["origins"]) == (200, [SHOP])
    assert [(await send(ingest, key, origin)).status_code for origin in (SHOP, EVIL, None)] == [200, 403, 200]
    assert (await change(ingest, source_id, origins=[])).json()["origins"] == []
    assert (await send(ingest, key, EVIL)).status_code == 200


async def test_a_kind_of_key_has_the_rate_its_source_gives_it(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    _, browser = await ingest.new_key(source_id, "browser")
    _, server = await ingest.new_key(source_id)
    made = await change(ingest, source_id, browser_events_per_s=0.01)
    assert (made.json()["browser_events_per_s"], made.json()["server_events_per_s"]) == (0.01, None)
    assert (await send(ingest, browser)).status_code == 200
    slow = await send(ingest, browser, SHOP)
    assert (slow.status_code, slow.headers["access-control-allow-origin"]) == (429, SHOP)
    assert 60 <= int(slow.headers["retry-after"]) <= 100
    assert (await send(ingest, server)).status_code == 200
    assert (await change(ingest, source_id, browser_events_per_s=None)).json()["browser_events_per_s"] is None


async def test_what_is_not_named_stays(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    await change(ingest, source_id, login_needs_token=True, origins=[SHOP], server_events_per_s=5)
    last = (await change(ingest, source_id, browser_events_per_s=7)).json()
    assert (last["login_needs_token"], last["origins"]) == (True, [SHOP])
    assert (last["server_events_per_s"], last["browser_events_per_s"]) == (5, 7)
    listed = (await ingest.client.get("/v1/sources", headers=ingest.admin)).json()["sources"]
    assert last in listed


@pytest.mark.parametrize(
    "wrong",
    [
        {"origins": ["shop.example"]},
        {"origins": ["https://shop.example/"]},
        {"origins": ["*"]},
        {"origins": [SHOP] * 101},
        {"server_events_per_s": 0},
        {"server_events_per_s": -1},
        {"browser_events_per_s": 1e300},
        {"pages": []},
    ],
)
async def test_what_makes_no_sense_is_refused(ingest: Ingest, wrong: dict[str, Any]) -> None:
    assert (await change(ingest, await ingest.new_source(), **wrong)).status_code == 422


async def test_a_source_that_is_not_there_is_404(ingest: Ingest) -> None:
    assert (await change(ingest, "0" * 32, origins=[])).status_code == 404


@pytest.mark.parametrize("kind", ["server", "browser"])
async def test_a_key_is_replaced_without_a_failed_request(ingest: Ingest, kind: str) -> None:
    """A shop that sends all the time gets its second key, moves to it, and then the first one ends."""
    source_id = await ingest.new_source()
    old_id, old = await ingest.new_key(source_id, kind)
    current, sending = [old], [True]
    statuses: list[int] = []

    async def shop() -> None:
        while sending[0]:
            statuses.append((await send(ingest, current[0])).status_code)

    async with asyncio.TaskGroup() as group:
        group.create_task(shop())
        _, new = await ingest.new_key(source_id, kind)
        current[0] = new
        moved = len(statuses)
        while len(statuses) < moved + 2:
            await asyncio.wait_for(send(ingest, old), 5)
        assert (await ingest.client.delete(f"/v1/keys/{old_id}", headers=ingest.admin)).status_code == 204
        ended = len(statuses)
        assert (await send(ingest, old)).status_code == 401
        await eventually(lambda: len(statuses) >= ended + 2, 5, "the shop goes on with its new key")
        assert (await send(ingest, old)).status_code == 401
        sending[0] = False
    assert set(statuses) == {200}
    assert len(await ingest.records(EVENTS, source_id)) >= len(statuses)
