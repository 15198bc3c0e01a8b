"""Watching events come in, on a real broker."""

from __future__ import annotations

from typing import Any

import httpx

from integration.ingest.conftest import Ingest, token
from support.watching import watching
from tern_common.db import open_pool


def app_of(ingest: Ingest) -> Any:
    transport: Any = ingest.client._transport
    return transport.app


async def test_one_who_watches_a_source_sees_each_of_its_events_live_and_why_one_was_not_taken(
    ingest: Ingest,
) -> None:
    source_id, other = await ingest.new_source(), await ingest.new_source()
    (_, key), (_, others_key) = await ingest.new_key(source_id), await ingest.new_key(other)
    order = {"type": "track", "event": "Größe gewählt", "userId": "ann@example.com"}
    await ingest.send({"batch": [order | {"messageId": "before"}]}, key)
    async with watching(app_of(ingest), "/v1/tail", {"source": source_id}, ingest.admin) as watch:
        await watch.told("watching")
        await ingest.send({"batch": [order | {"messageId": "another's"}]}, others_key)
        await ingest.send({"batch": [order | {"messageId": "mine"}, {"type": "trak", "messageId": "bad"}]}, key)
        (seen,), (refused,) = await watch.told("accepted"), await watch.told("rejected")
        assert (seen["message_id"], seen["name"], seen["user_id"]) == ("mine", "Größe gewählt", "ann@example.com")
        assert (refused["message_id"], refused["reason"], refused["type"]) == ("bad", "type-unknown", "trak")
        assert len(watch.lines) == 3
    assert watch.ended


async def test_who_may_not_see_personal_data_watches_it_masked_and_only_with_a_token(
    ingest: Ingest, database: str
) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    pool = await open_pool(database, service="ingest", size=1)
    reader = {"Authorization": f"Bearer {await token(pool, 'read')}"}
    await pool.close()
    async with watching(app_of(ingest), "/v1/tail", {"source": source_id}, reader) as watch:
        await watch.told("watching")
        await ingest.send({"batch": [{"type": "identify", "userId": "ann@example.com"}]}, key)
        (seen,) = await watch.told("accepted")
        assert seen["user_id"] == "a***@e***.com"
    refused: httpx.Response = await ingest.client.post("/v1/tail", json={})
    assert refused.status_code == 401
    unknown = await ingest.client.post("/v1/tail", json={"source": "nobody's"}, headers=reader)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-source")


async def test_only_rejected_events_are_shown_when_only_they_are_asked_for(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    _, key = await ingest.new_key(source_id)
    async with watching(app_of(ingest), "/v1/tail", {"source": source_id, "rejected": True}, ingest.admin) as watch:
        await watch.told("watching")
        await ingest.send({"batch": [{"type": "identify", "userId": "u"}, {"type": "trak"}]}, key)
        await watch.told("rejected")
        assert [line["kind"] for line in watch.lines] == ["watching", "rejected"]
