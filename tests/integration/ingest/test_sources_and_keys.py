"""The operators' API on a real database."""

from __future__ import annotations

import asyncio
from time import monotonic

import asyncpg
import pytest

from integration.ingest.conftest import Ingest, ingest_on
from support.waiting import eventually
from tern_common.migrate import differences

EVENT = {"batch": [{"type": "page", "anonymousId": "a"}]}


async def test_the_tables_are_as_declared(database: str) -> None:
    assert await differences(database, "ingest") == []


async def test_a_source_has_a_name_of_its_own(ingest: Ingest) -> None:
    made = await ingest.client.post("/v1/sources", json={"name": "web shop"}, headers=ingest.admin)
    assert made.status_code == 201
    again = await ingest.client.post("/v1/sources", json={"name": "web shop"}, headers=ingest.admin)
    assert (again.status_code, again.json()["code"]) == (409, "source-exists")
    listed = await ingest.client.get("/v1/sources", headers=ingest.admin)
    assert made.json() in listed.json()["sources"]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a\x00b"}, {"name": "x" * 101}, {"name": "a", "b": 1}])
async def test_a_nameless_source_is_refused(ingest: Ingest, body: object) -> None:
    answer = await ingest.client.post("/v1/sources", json=body, headers=ingest.admin)
    assert answer.status_code == 422


async def test_a_new_key_works_at_once_and_is_shown_once(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    key_id, key = await ingest.new_key(source_id, "browser")
    assert key.startswith(f"wk_{key_id}_")
    assert (await ingest.send(EVENT, key)).status_code == 200
    listed = await ingest.client.get(f"/v1/sources/{source_id}/keys", headers=ingest.admin)
    assert key.removeprefix(f"wk_{key_id}_") not in listed.text
    (row,) = listed.json()["keys"]
    assert (row["key_id"], row["kind"], row["trusted"], row["revoked_at"]) == (key_id, "browser", False, None)


async def test_no_secret_is_in_the_database(ingest: Ingest, database: str) -> None:
    _, key = await ingest.new_key(await ingest.new_source())
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("SELECT w::text FROM ingest.write_key w")
    finally:
        await connection.close()
    assert key.split("_", 2)[2] not in str(rows)


async def test_a_source_has_at_most_two_live_keys_of_a_kind(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    path = f"/v1/sources/{source_id}/keys"
    asked = [ingest.client.post(path, json={"kind": "server"}, headers=ingest.admin) for _ in range(6)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    assert (await ingest.new_key(source_id, "browser"))[0]
    revoked = next(answer.json()["key_id"] for answer in answers if answer.status_code == 201)
    assert (await ingest.client.delete(f"/v1/keys/{revoked}", headers=ingest.admin)).status_code == 204
    assert (await ingest.new_key(source_id))[0]


async def test_a_revocation_is_effective_within_ten_seconds_in_every_process(
    ingest: Ingest, database: str, kafka_bootstrap: str
) -> None:
    key_id, key = await ingest.new_key(await ingest.new_source())
    async with ingest_on(database, kafka_bootstrap) as other:
        following = asyncio.ensure_future(other.keyring.follow())
        assert (await other.send(EVENT, key)).status_code == 200
        assert (await ingest.client.delete(f"/v1/keys/{key_id}", headers=ingest.admin)).status_code == 204
        begun = monotonic()
        assert (await ingest.send(EVENT, key)).status_code == 401

        async def refused() -> bool:
            return (await other.send(EVENT, key)).status_code == 401

        await eventually(refused, 12, "the other process refuses the key")
        assert monotonic() - begun <= 10
        following.cancel()


async def test_revoking_twice_changes_nothing(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    key_id, _ = await ingest.new_key(source_id)
    rows = []
    for _ in range(2):
        assert (await ingest.client.delete(f"/v1/keys/{key_id}", headers=ingest.admin)).status_code == 204
        rows.append((await ingest.client.get(f"/v1/sources/{source_id}/keys", headers=ingest.admin)).json()["keys"])
    assert rows[0] == rows[1]
    assert rows[0][0]["revoked_at"]


async def test_what_is_not_there_is_404(ingest: Ingest) -> None:
    nobody = "0" * 32
    path = f"/v1/sources/{nobody}/keys"
    for answer in (
        await ingest.client.post(path, json={"kind": "server"}, headers=ingest.admin),
        await ingest.client.get(path, headers=ingest.admin),
        await ingest.client.delete(f"/v1/keys/{nobody}", headers=ingest.admin),
    ):
        assert answer.status_code == 404


async def test_nobody_but_an_admin_gets_in(ingest: Ingest) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        assert (await ingest.client.get("/v1/sources", headers=headers)).status_code == 401
