"""Operators' controls through the door: who may, what is answered, what is refused, and what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from integration.identity.desk import CLOCK, Desk, email, phone, user
from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Worker
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.clock import SystemClock
from tern_common.db import Pool
from tern_common.errors import Transient
from tern_common.http import Probes, create_app
from tern_common.identifiers import Identifier
from tern_identity.app.controls import controls_router
from tern_identity.app.customers import customer_router
from tern_identity.store.lookup import Directory
from unit.identity.histories import Said

REASON = "she called the shop"
HISTORY = (Said(1, 0, user=1, phone=1), Said(2, 1, email=1), Said(3, 2, user=1, email=1))


@pytest.fixture
async def desk(graphs: Graphs) -> Desk:
    found = Desk(graphs)
    await found.hear(*HISTORY[:2])
    await found.hear(*HISTORY[2:])
    return found


async def token(pool: Pool, role: Role) -> dict[str, str]:
    made = new_token()
    await access.create(pool, made.token_id, StoredToken(made.digest, role, f"a {role}"), None)
    return {"Authorization": f"Bearer {made.text}"}


@pytest.fixture
async def api(desk: Desk, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        service="identity",
        summary="",
        probes=Probes({}),
        routers=[
            controls_router(desk.operators, desk.store, CLOCK),
            customer_router(Directory(pool, KEYS.hasher, KEYS.sealer)),
        ],
        tokens=Tokens(pool, SystemClock()),
    )
    headers = await token(pool, "admin")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://identity", headers=headers) as client:
        yield client


def spoken(identifier: Identifier) -> dict[str, str]:
    return {"namespace": identifier.namespace, "value": identifier.value}


def body(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "reason": REASON, **more}


REVERT = body("revert", a=spoken(user(1)), b=spoken(email(1)))


async def test_an_act_answers_what_changed_and_is_kept_with_who_and_why(api: httpx.AsyncClient, desk: Desk) -> None:
    answer = await api.post("/v1/controls", json=REVERT)
    assert answer.status_code == 201
    done = answer.json()
    ann, guest = str(await desk.whose(user(1))), str(await desk.whose(email(1)))
    assert done["customers"] == [{"from": ann, "to": guest}]
    assert done["moved"] == 2
    kept = (await api.get(f"/v1/controls/{done['control_id']}")).json()
    assert (kept["kind"], kept["reason"], kept["undone"]) == ("revert", REASON, None)
    assert kept["by"].startswith("a admin (")
    assert {one["value"] for one in (*kept["subjects"], *kept["rest"])} == {"user-1", "ann1@example.com"}


async def test_taking_back_is_kept_beside_it(api: httpx.AsyncClient, desk: Desk) -> None:
    control_id = (await api.post("/v1/controls", json=REVERT)).json()["control_id"]
    undone = await api.post(f"/v1/controls/{control_id}/undo", json={"reason": "it was her after all"})
    assert undone.json()["moved"] == 2
    assert await desk.whose(user(1)) == await desk.whose(email(1))
    kept = (await api.get(f"/v1/controls/{control_id}")).json()
    assert kept["undone"]["reason"] == "it was her after all"
    again = await api.post(f"/v1/controls/{control_id}/undo", json={"reason": "once more"})
    assert (again.status_code, again.json()["code"]) == (409, "already-undone")


async def test_every_kind_of_act_can_be_asked_for(api: httpx.AsyncClient) -> None:
    sides = {"group": [spoken(user(1)), spoken(phone(1))], "rest": [spoken(email(1))]}
    for asked in (
        body("split", **sides),
        body("cannot-link", a=spoken(user(1)), b=spoken(email(2))),
        body("block", identifier=spoken(phone(2)), day="2026-03-01"),
        body("allow", identifier=spoken(phone(1))),
        body("retire", identifier=spoken(phone(1)), day="2026-03-05"),
        body("erase", identifier=spoken(email(1))),
    ):
        answer = await api.post("/v1/controls", json=asked)
        assert answer.status_code == 201, answer.text
    listed = (await api.get("/v1/controls")).json()["controls"]
    assert [one["kind"] for one in listed] == ["erase", "retire", "allow", "block", "cannot-link", "split"]
    assert [one["value"] for one in listed[0]["subjects"]] == [None]
    assert (listed[1]["day"], listed[1]["subjects"][0]["from_day"]) == ("2026-03-05", "2026-03-05")


async def test_controls_are_listed_page_by_page_the_newest_first(api: httpx.AsyncClient) -> None:
    for number in (1, 2, 3):
        await api.post("/v1/controls", json=body("block", identifier=spoken(phone(number))))
    first = (await api.get("/v1/controls", params={"limit": 2})).json()
    second = (await api.get("/v1/controls", params={"limit": 2, "before": first["next"]})).json()
    assert [len(page["controls"]) for page in (first, second)] == [2, 1]
    assert second["next"] is None
    assert first["controls"][0]["control_id"] > second["controls"][0]["control_id"]
    assert (await api.get("/v1/controls", params={"kind": "allow"})).json() == {"controls": [], "next": None}


async def test_only_an_admin_acts_and_a_reader_sees_no_personal_data(api: httpx.AsyncClient, pool: Pool) -> None:
    reader, clerk = await token(pool, "read"), await token(pool, "pii:read")
    for headers in (reader, clerk):
        assert (await api.post("/v1/controls", json=REVERT, headers=headers)).status_code == 403
    control_id = (await api.post("/v1/controls", json=REVERT)).json()["control_id"]
    masked = (await api.get(f"/v1/controls/{control_id}", headers=reader)).json()
    plain = (await api.get(f"/v1/controls/{control_id}", headers=clerk)).json()
    assert {one["value"] for one in (*masked["subjects"], *masked["rest"])} == {"us***-1", "a***@e***.com"}
    assert {one["value"] for one in (*plain["subjects"], *plain["rest"])} == {"user-1", "ann1@example.com"}


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (body("revert"), 422, "invalid-request"),
        (body("revert", a=spoken(user(1))), 422, "invalid-request"),
        (body("split", group=[spoken(user(1))], rest=[]), 422, "invalid-request"),
        ({**REVERT, "reason": ""}, 422, "invalid-request"),
        (body("dance"), 422, "invalid-request"),
        (body("cannot-link", a=spoken(user(1)), b=spoken(user(1))), 422, "named-twice"),
        (body("block", identifier={"namespace": "shoe", "value": "4444"}), 404, "unknown-identifier"),
        (body("block", identifier={"namespace": "Shoe!", "value": "4444"}), 422, "unknown-namespace"),
        (body("block", identifier={"namespace": "email", "value": "nobody"}), 422, "invalid-identifier"),
        (body("retire", identifier=spoken(phone(1)), day="0001-01-01"), 422, "day-out-of-reach"),
        (body("revert", merge_id="00000000-0000-0000-0000-000000000007"), 404, "unknown-merge"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    api: httpx.AsyncClient, asked: dict[str, Any], status: int, code: str
) -> None:
    answer = await api.post("/v1/controls", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await api.get("/v1/controls")).json()["controls"] == []


async def test_a_control_that_is_not_there_is_not_found(api: httpx.AsyncClient) -> None:
    assert (await api.get("/v1/controls/7")).status_code == 404
    assert (await api.post("/v1/controls/7/undo", json={"reason": REASON})).status_code == 404


async def test_an_id_of_what_was_erased_is_gone(api: httpx.AsyncClient, desk: Desk) -> None:
    customer_id = await desk.whose(user(1))
    await api.post("/v1/controls", json=body("erase", identifier=spoken(user(1))))
    answer = await api.get(f"/v1/customers/{customer_id}")
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")


async def test_an_act_stands_also_while_the_broker_is_away(api: httpx.AsyncClient, desk: Desk) -> None:
    """What it has to tell waits in the outbox for the next batch."""
    told = len(desk.worker.changes())
    desk.worker.bus.fail_with(Transient("the broker is away"))
    assert (await api.post("/v1/controls", json=REVERT)).status_code == 201
    assert len(desk.worker.changes()) == told
    heir = Worker(desk.graphs)
    await heir.take([])
    assert heir.changes()
