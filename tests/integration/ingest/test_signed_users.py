"""Signed users: their keys on a real database, and what identity makes of a browser's login, signed or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import asyncpg
import httpx

from integration.ingest.conftest import SEALING_KEYS, Ingest, ingest_on
from support.names import unique
from support.running import running
from support.waiting import eventually
from tern_common.clock import SystemClock
from tern_common.sealing import Sealer
from tern_common.topics import EVENTS
from tern_identity.__main__ import serve
from tern_identity.settings import IdentitySettings
from unit.ingest.signing import token

Json = dict[str, Any]
OLD, NEW = ("old", bytes(32)), ("new", b"\1" * 32)


def signing(source_id: str, key: str) -> Callable[..., str]:
    """Makes tokens of that source, good ones but for what is changed."""

    def sign(**changed: Any) -> str:
        return token(key, SystemClock().now(), **{"aud": source_id, **changed})

    return sign


def login(user_id: str, user_token: str | None = None, browser: str = "", **traits: str) -> Json:
    """A browser's identify."""
    context = {} if user_token is None else {"context": {"user_token": user_token}}
    return {"type": "identify", "userId": user_id, "anonymousId": browser or f"b-{user_id}", "traits": traits} | context


async def last_event(ingest: Ingest, source_id: str) -> Json:
    """The newest by its own count."""
    events = [json.loads(record.value) for record in await ingest.records(EVENTS, source_id)]
    return max(events, key=lambda event: int(event["message_id"]))


class Counting:
    """Sends one event after the other, and tells what ingest made of each."""

    def __init__(self, ingest: Ingest, source_id: str, key: str) -> None:
        self._ingest, self._source_id, self._key = ingest, source_id, key
        self._sent = 0

    async def made_of(self, event: Json, by: Ingest | None = None) -> Json:
        """The record of an event that is sent now."""
        self._sent += 1
        answer = await (by or self._ingest).send({"batch": [event | {"messageId": str(self._sent)}]}, self._key)
        assert answer.status_code == 200
        return await last_event(self._ingest, self._source_id)


async def test_a_signing_key_works_at_once_is_shown_once_and_is_stored_encrypted(ingest: Ingest, database: str) -> None:
    source_id = await ingest.new_source()
    _, write_key = await ingest.new_key(source_id, "browser")
    key_id, key = await ingest.new_user_key(source_id)
    made = await Counting(ingest, source_id, write_key).made_of(login("ann-1", signing(source_id, key)()))
    assert made["vouched"] == ["user_id"]
    listed = await ingest.client.get(f"/v1/sources/{source_id}/user-keys", headers=ingest.admin)
    assert [row["key_id"] for row in listed.json()["user_keys"]] == [key_id]
    assert key not in listed.text
    (row,) = await rows(database)
    assert key.encode() not in row["sealed"]
    assert Sealer.parse(SEALING_KEYS).open(row["sealed"]) == key


async def rows(database: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database)
    try:
        return list(await connection.fetch("SELECT * FROM ingest.user_key ORDER BY created_at"))
    finally:
        await connection.close()


async def test_a_source_has_at_most_two_live_signing_keys(ingest: Ingest, database: str) -> None:
    source_id = await ingest.new_source()
    path = f"/v1/sources/{source_id}/user-keys"
    answers = await asyncio.gather(*(ingest.client.post(path, headers=ingest.admin) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    made = [answer.json()["key_id"] for answer in answers if answer.status_code == 201]
    for _ in range(2):
        assert (await ingest.client.delete(f"{path}/{made[0]}", headers=ingest.admin)).status_code == 204
    assert [row["sealed"] is None for row in await rows(database)] == [
        row["id"] == made[0] for row in await rows(database)
    ]
    assert (await ingest.client.post(path, headers=ingest.admin)).status_code == 201
    assert (await ingest.new_user_key(await ingest.new_source()))[0]


async def test_a_key_can_be_replaced_while_both_work(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    shop = Counting(ingest, source_id, (await ingest.new_key(source_id, "browser"))[1])
    old_id, old = await ingest.new_user_key(source_id)
    _, new = await ingest.new_user_key(source_id)
    for key in (old, new):
        assert "vouched" in await shop.made_of(login("ann-1", signing(source_id, key)()))
    path = f"/v1/sources/{source_id}/user-keys/{old_id}"
    assert (await ingest.client.delete(path, headers=ingest.admin)).status_code == 204
    assert "vouched" not in await shop.made_of(login("ann-1", signing(source_id, old)()))
    assert "vouched" in await shop.made_of(login("ann-1", signing(source_id, new)()))


async def test_a_signing_key_is_revoked_within_ten_seconds_in_every_process(
    ingest: Ingest, database: str, kafka_bootstrap: str
) -> None:
    source_id = await ingest.new_source()
    shop = Counting(ingest, source_id, (await ingest.new_key(source_id, "browser"))[1])
    key_id, key = await ingest.new_user_key(source_id)
    signed = login("ann-1", signing(source_id, key)())
    async with ingest_on(database, kafka_bootstrap) as other, running(other.keyring.follow()):
        assert "vouched" in await shop.made_of(signed, by=other)
        path = f"/v1/sources/{source_id}/user-keys/{key_id}"
        assert (await ingest.client.delete(path, headers=ingest.admin)).status_code == 204
        begun = monotonic()

        async def refused() -> bool:
            return "vouched" not in await shop.made_of(signed, by=other)

        await eventually(refused, 12, "the other process refuses the token")
        assert monotonic() - begun <= 10


async def test_what_is_not_there_is_404(ingest: Ingest) -> None:
    nobody, somebody = "0" * 32, await ingest.new_source()
    key_id, _ = await ingest.new_user_key(somebody)
    change = {"login_needs_token": True}
    for answer in (
        await ingest.client.post(f"/v1/sources/{nobody}/user-keys", headers=ingest.admin),
        await ingest.client.get(f"/v1/sources/{nobody}/user-keys", headers=ingest.admin),
        await ingest.client.delete(f"/v1/sources/{somebody}/user-keys/{nobody}", headers=ingest.admin),
        await ingest.client.delete(f"/v1/sources/{nobody}/user-keys/{key_id}", headers=ingest.admin),
        await ingest.client.patch(f"/v1/sources/{nobody}", json=change, headers=ingest.admin),
    ):
        assert answer.status_code == 404


async def test_an_operator_may_trust_a_browser_key_and_is_told_what_it_means(ingest: Ingest) -> None:
    source_id = await ingest.new_source()
    path = f"/v1/sources/{source_id}/keys"
    asked = ({"kind": "browser", "trusted": True}, {"kind": "server", "trusted": False}, {"kind": "server"})
    made = [(await ingest.client.post(path, json=new, headers=ingest.admin)).json() for new in asked]
    assert [answer["trusted"] for answer in made] == [True, False, True]
    assert [bool(answer["warning"]) for answer in made] == [True, False, False]
    assert "join and part customers" in made[0]["warning"]
    listed = (await ingest.client.get(path, headers=ingest.admin)).json()["keys"]
    assert [row["trusted"] for row in listed] == [True, False, True]
    assert (await Counting(ingest, source_id, made[0]["write_key"]).made_of(login("ann-1")))["trusted"] is True


async def test_a_restart_with_a_new_sealing_key_first_frees_the_old_one(
    ingest: Ingest, database: str, kafka_bootstrap: str
) -> None:
    async def vouched(sealer: Sealer) -> bool:
        async with ingest_on(database, kafka_bootstrap, sealer) as process:
            return "vouched" in await shop.made_of(signed, by=process)

    source_id = await ingest.new_source()
    shop = Counting(ingest, source_id, (await ingest.new_key(source_id, "browser"))[1])
    async with ingest_on(database, kafka_bootstrap, Sealer(dict([OLD]), "old")) as process:
        _, key = await process.new_user_key(source_id)
    signed = login("ann-1", signing(source_id, key)())
    assert not await vouched(Sealer(dict([NEW]), "new")), "a key that cannot be opened costs no event"
    assert await vouched(Sealer(dict([NEW, OLD]), "new"))
    assert await vouched(Sealer(dict([NEW]), "new"))


# --- with identity behind it ---


@dataclass
class Identity:
    """A running identity's door."""

    client: httpx.AsyncClient

    async def customer(self, namespace: str, value: str) -> str | None:
        """Whose an identifier is."""
        answer = await self.client.post("/v1/customers/lookup", json={"namespace": namespace, "value": value})
        return str(answer.json()["customer_id"]) if answer.is_success else None

    async def has_seen(self, browser: str) -> None:
        """Waits for a browser's event."""

        async def seen() -> bool:
            return await self.customer("anonymous_id", browser) is not None

        await eventually(seen, 30, f"identity has seen {browser}")


@asynccontextmanager
async def identity_on(database: str, kafka: str, ingest: Ingest, port: int) -> AsyncIterator[Identity]:
    """The whole identity service on the same database and broker."""
    settings = IdentitySettings.model_validate(
        {
            "database_url": database,
            "kafka_bootstrap": kafka,
            "http_port": port,
            "hash_key": "a key for tests only",
            "sealing_keys": SEALING_KEYS,
        }
    )
    async with (
        running(serve(settings)),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=ingest.admin) as client,
    ):

        async def ready() -> bool:
            try:
                return (await client.get("/ready")).is_success
            except httpx.TransportError:
                return False

        await eventually(ready, 30, "identity is ready")
        yield Identity(client)


async def test_a_signed_login_pairs_what_is_signed_and_an_unsigned_one_pairs_nothing(
    ingest: Ingest, database: str, kafka_bootstrap: str, unused_tcp_port: int
) -> None:
    source_id = await ingest.new_source()
    _, write_key = await ingest.new_key(source_id, "browser")
    _, key = await ingest.new_user_key(source_id)
    sign = signing(source_id, key)
    forge = signing(source_id, "uk_0_a-key-that-this-source-has-never-been-given")
    ann, bob, cat, dan = (unique(name) for name in ("ann", "bob", "cat", "dan"))
    events = [
        login(ann, sign(sub=ann, email=f"{ann}@example.com"), email=f"{ann}@example.com", phone="13800138001"),
        login(bob, email=f"{bob}@example.com"),
        login(cat, forge(sub=cat, email=f"{cat}@example.com"), email=f"{cat}@example.com"),
        login(dan, sign(sub=ann, email=f"{dan}@example.com"), email=f"{dan}@example.com"),
        {"type": "page", "anonymousId": f"end-{ann}"},
    ]
    async with identity_on(database, kafka_bootstrap, ingest, unused_tcp_port) as identity:
        for event in events:
            assert (await ingest.send({"batch": [event]}, write_key)).status_code == 200
        for browser in (f"b-{ann}", f"b-{bob}", f"b-{cat}", f"b-{dan}", f"end-{ann}"):
            await identity.has_seen(browser)
        customers = {name: await identity.customer("user_id", name) for name in (ann, bob, cat, dan)}
        assert len(set(customers.values())) == 4
        mails = {name: await identity.customer("email", f"{name}@example.com") for name in customers}
        assert mails[ann] == customers[ann] is not None
        assert await identity.customer("phone", "13800138001") != customers[ann], "it was not signed"
        assert not {mails[name] for name in (bob, cat, dan)} & set(customers.values())


async def test_where_logins_are_signed_a_forged_one_claims_no_browser(
    ingest: Ingest, database: str, kafka_bootstrap: str, unused_tcp_port: int
) -> None:
    source_id = await ingest.new_source()
    await ingest.needs_token(source_id)
    _, write_key = await ingest.new_key(source_id, "browser")
    _, server_key = await ingest.new_key(source_id, "server")
    _, key = await ingest.new_user_key(source_id)
    sign = signing(source_id, key)
    ann = unique("ann")
    own, forged, bare, told = (f"{what}-{ann}" for what in ("own", "forged", "bare", "told"))
    async with identity_on(database, kafka_bootstrap, ingest, unused_tcp_port) as identity:
        for event in (
            login(ann, sign(sub=ann), own),
            login(ann, sign(sub=ann, exp=1), forged),
            {"type": "page", "userId": ann, "anonymousId": bare},
        ):
            assert (await ingest.send({"batch": [event]}, write_key)).status_code == 200
        assert (await ingest.send({"batch": [login(ann, None, told)]}, server_key)).status_code == 200
        for browser in (own, forged, bare, told):
            await identity.has_seen(browser)
        customer = await identity.customer("user_id", ann)
        assert customer is not None
        assert [await identity.customer("anonymous_id", browser) == customer for browser in (own, told)] == [True] * 2
        strangers = {await identity.customer("anonymous_id", browser) for browser in (forged, bare)}
        assert len(strangers) == 2
        assert customer not in strangers
