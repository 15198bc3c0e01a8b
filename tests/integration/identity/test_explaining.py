"""Explanations and the quarantine through identity's door, over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Worker
from tern_common.access import store as access
from tern_common.access.store import Role, StoredToken
from tern_common.auth import Tokens, new_token
from tern_common.clock import SystemClock
from tern_common.db import connection
from tern_common.http import Probes, create_app
from tern_identity.app import SUMMARY
from tern_identity.app.explain import explain_router
from tern_identity.app.quarantine import quarantine_router
from tern_identity.domain.rules import Rules
from tern_identity.domain.rulings import Ruling
from tern_identity.store.explaining import Explainer
from tern_identity.store.quarantine import Quarantine
from unit.identity.histories import SHIPPED, TIGHT, Said

ANN = {"namespace": "user_id", "value": "user-1"}
BOB = {"namespace": "user_id", "value": "user-2"}
PHONE = {"namespace": "phone", "value": "13812345671"}
MAIL = {"namespace": "email", "value": "ann1@example.com"}
BROWSER = {"namespace": "anonymous_id", "value": "browser-1"}


class Desk:
    """Somebody who asks, with a token of one role."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, what: str, body: dict[str, Any]) -> Any:
        answer = await self.http.post(f"/v1/explain/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, what: str, body: dict[str, Any]) -> tuple[int, str]:
        answer = await self.http.post(f"/v1/explain/{what}", json=body)
        return answer.status_code, answer.json()["code"]


def live(rules: Rules) -> Callable[[], Awaitable[Rules]]:
    async def answer() -> Rules:
        return rules

    return answer


async def desk_of(graphs: Graphs, role: Role) -> AsyncIterator[Desk]:
    token = new_token()
    await access.create(graphs.pool, token.token_id, StoredToken(token.digest, role, "a test"), None)
    app = create_app(
        service="identity",
        summary=SUMMARY,
        probes=Probes({}),
        routers=[
            explain_router(Explainer(graphs.pool, KEYS), live(SHIPPED)),
            quarantine_router(Quarantine(graphs.pool, KEYS), live(TIGHT)),
        ],
        tokens=Tokens(graphs.pool, SystemClock()),
        clock=SystemClock(),
    )
    headers = {"Authorization": f"Bearer {token.text}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as http:
        yield Desk(http)


@pytest.fixture
async def desk(graphs: Graphs) -> AsyncIterator[Desk]:
    async for found in desk_of(graphs, "pii:read"):
        yield found


async def test_one_customer_is_explained_by_events_sources_and_times(graphs: Graphs, desk: Desk) -> None:
    worker = Worker(graphs)
    await worker.hear(Said(1, 0, user=1), Said(2, 0, email=1))
    await worker.hear(Said(3, 1, user=1, phone=1), Said(4, 2, phone=1, email=1))
    answer = await desk.ask("pair", {"a": ANN, "b": MAIL})
    assert answer["one"]
    assert [(step["event_id"], step["source"]) for step in answer["path"]] == [("m-3", "shop"), ("m-4", "shop")]
    assert answer["path"][0]["at"].startswith("2026-03-01T10:00:00")
    assert answer["path"][1]["merge_id"], "it merged two customers, and can be taken back"
    assert answer["sentences"][0].startswith("user_id user-1 and phone +8613812345671 are one person: shop said so")
    whole = await desk.ask("customer", {"identifier": MAIL})
    assert [one["namespace"] for one in whole["identifiers"]] == ["user_id", "email", "phone"]
    assert len(whole["joined"]) == 2


async def test_two_customers_are_explained_by_the_pair_that_was_refused(graphs: Graphs, desk: Desk) -> None:
    worker = Worker(graphs)
    await worker.hear(Said(1, 0, user=1, phone=1), Said(2, 5, user=2, phone=1))
    answer = await desk.ask("pair", {"a": ANN, "b": BOB})
    assert not answer["one"]
    (refused,) = answer["refused"]
    assert (refused["namespace"], refused["limit"], refused["step"]["event_id"]) == ("user_id", 1, "m-2")
    assert "at most one value of user_id" in " ".join(answer["sentences"])
    nothing = await desk.ask("pair", {"a": PHONE, "b": ANN})
    assert nothing["one"]


async def test_what_was_never_tied_is_said_to_be_so(graphs: Graphs, desk: Desk) -> None:
    await Worker(graphs).hear(Said(1, 0, user=1), Said(2, 0, email=1))
    answer = await desk.ask("pair", {"a": ANN, "b": MAIL})
    assert answer["sentences"] == [
        "No trusted event ever tied user_id user-1 and email ann1@example.com, directly or through others."
    ]
    alone = await desk.ask("customer", {"identifier": ANN})
    assert alone["sentences"] == ["user_id user-1 is all there is of this customer."]


async def test_an_operators_word_is_named_with_its_reason(graphs: Graphs, desk: Desk) -> None:
    await Worker(graphs).hear(Said(1, 0, user=1, email=1))
    async with connection(graphs.pool) as conn:
        nodes = [row[0] for row in await conn.fetch("SELECT node_id FROM node ORDER BY kind DESC")]
        await conn.execute(
            "INSERT INTO control (kind, nodes, rest, by, reason, at)"
            " VALUES ('revert', $1, '{}', 'tests', 'two sisters', now())",
            nodes,
        )
        for word in ("revoke", "cannot"):
            ruling = Ruling(1, "revoke" if word == "revoke" else "cannot", *nodes)
            await conn.execute("INSERT INTO ruling (control_id, word, a, b) VALUES ($1, $2, $3, $4)", *ruling)
        await conn.execute("UPDATE node SET core = node_id, grp = node_id")
    answer = await desk.ask("pair", {"a": ANN, "b": MAIL})
    assert [step["event_id"] for step in answer["revoked"]] == ["m-1"]
    assert "taken back (control 1: two sisters)" in answer["sentences"][0]


async def test_a_browser_of_two_members_is_explained_by_both_sign_ins(graphs: Graphs, desk: Desk) -> None:
    day = 24
    worker = Worker(graphs)
    await worker.hear(Said(1, 0, user=1, browser=1), Said(2, 2 * day, user=2, browser=1))
    answer = await desk.ask("browser", BROWSER)
    assert (answer["holder"]["value"], answer["shared_from"], answer["nobodys"]) == ("us***-1", "2026-03-03", False)
    assert [(one["identifier"]["value"], one["day"], one["event_id"]) for one in answer["claims"]] == [
        ("us***-1", "2026-03-01", "m-1"),
        ("us***-2", "2026-03-03", "m-2"),
    ]
    assert "from that day on it is nobody's" in answer["sentences"][0]
    await worker.hear(Said(3, 1, user=2, browser=1))
    assert (await desk.ask("browser", BROWSER))["nobodys"]


async def test_a_contact_goes_behind_a_sign_in(graphs: Graphs, desk: Desk) -> None:
    await Worker(graphs).hear(Said(1, 0, phone=1, browser=1), Said(2, 24, user=1, browser=1))
    answer = await desk.ask("browser", BROWSER)
    assert answer["holder"]["value"] == "us***-1"
    assert [one["rank"] for one in answer["claims"]] == [1, 2]
    assert answer["sentences"][-1].endswith("a sign-in goes before that.")


async def test_a_blocked_browser_is_nobodys_and_says_so(graphs: Graphs, desk: Desk) -> None:
    await Worker(graphs).hear(Said(1, 0, browser=1))
    assert "Nobody ever signed in" in (await desk.ask("browser", BROWSER))["sentences"][0]
    async with connection(graphs.pool) as conn:
        await conn.execute("UPDATE node SET blocked = true")
    answer = await desk.ask("browser", BROWSER)
    assert (answer["blocked"], answer["nobodys"]) == (True, True)


async def test_questions_that_make_no_sense_say_what_to_ask_instead(graphs: Graphs, desk: Desk) -> None:
    await Worker(graphs).hear(Said(1, 0, user=1, browser=1))
    assert await desk.refused("pair", {"a": ANN, "b": BROWSER}) == (422, "weak-identifier")
    assert await desk.refused("browser", ANN) == (422, "strong-identifier")
    assert await desk.refused("pair", {"a": ANN, "b": BOB}) == (404, "unknown-identifier")
    assert await desk.refused("pair", {"a": ANN, "b": {"namespace": "shoe_size", "value": "forty-two"}}) == (
        404,
        "unknown-identifier",
    )
    assert await desk.refused("pair", {"a": ANN, "b": {"namespace": "Shoe Size", "value": "forty-two"}}) == (
        422,
        "unknown-namespace",
    )
    assert await desk.refused("pair", {"a": ANN, "b": {"namespace": "email", "value": "null"}}) == (
        422,
        "invalid-identifier",
    )
    assert await desk.refused("customer", {}) == (422, "invalid-request")
    unknown = {"customer_id": "018f0000-0000-7000-8000-000000000000"}
    assert await desk.refused("customer", unknown) == (404, "unknown-customer")


async def test_a_customer_is_found_by_any_of_its_ids(graphs: Graphs, desk: Desk) -> None:
    await Worker(graphs).hear(Said(1, 0, user=1, email=1, browser=1), Said(2, 0, browser=2))
    async with connection(graphs.pool) as conn:
        tokens = [row[0] for row in await conn.fetch("SELECT token FROM node ORDER BY node_id")]
    answers = [await desk.ask("customer", {"customer_id": str(token)}) for token in tokens[:3]]
    assert all(answer == answers[0] for answer in answers)
    lonely = str(tokens[-1])
    assert await desk.refused("customer", {"customer_id": lonely}) == (422, "weak-identifier")


async def test_without_the_right_to_personal_data_values_are_masked(graphs: Graphs) -> None:
    await Worker(graphs).hear(Said(1, 0, user=1, email=1, browser=1))
    texts: list[str] = []
    async for desk in desk_of(graphs, "read"):
        texts += [
            str(await desk.ask("pair", {"a": ANN, "b": MAIL})),
            str(await desk.ask("customer", {"identifier": ANN})),
            str(await desk.ask("browser", BROWSER)),
        ]
    assert not any(plain in text for text in texts for plain in ("user-1", "ann1@", "browser-1"))


async def test_a_shared_value_is_listed_with_counts_examples_and_advice(graphs: Graphs, desk: Desk) -> None:
    worker = Worker(graphs, rules=TIGHT)
    for user in (1, 2, 3):
        await worker.hear(Said(user, user * 30, user=user, phone=1))
    page = (await desk.http.get("/v1/quarantine")).json()
    (shared,) = page["values"]
    assert shared["identifier"] == {"namespace": "phone", "value": "+8613812345671"}
    assert (shared["guard"], shared["persons"], shared["others"], shared["capped"]) == ("partners", 3, 0, False)
    assert [one["event_id"] for one in shared["examples"]] == ["m-1", "m-2", "m-3"]
    assert shared["suggested"] in ("block", "retire")
    assert page["next"] is None
    through = await desk.ask("pair", {"a": ANN, "b": BOB})
    assert [one["guard"] for one in through["shared"]] == ["partners"]


async def test_the_quarantine_is_read_page_by_page(graphs: Graphs, desk: Desk) -> None:
    worker = Worker(graphs, rules=TIGHT)
    for phone in (1, 2, 3):
        for user in (1, 2, 3):
            await worker.hear(Said(10 * phone + user, user * 30, user=user, phone=phone))
    seen, after = [], 0
    while after is not None:
        page = (await desk.http.get("/v1/quarantine", params={"after": after, "limit": 2})).json()
        seen += [one["identifier"]["value"] for one in page["values"]]
        after = page["next"]
    assert len(seen) == len(set(seen))
    assert {"+8613812345671", "+8613812345672", "+8613812345673"} <= set(seen)


async def test_a_giant_group_is_listed_with_its_best_connected_values(graphs: Graphs, desk: Desk) -> None:
    await Worker(graphs).hear(Said(1, 0, user=1, email=1), Said(2, 1, user=1, phone=1))
    async with connection(graphs.pool) as conn:
        await conn.execute(
            "UPDATE grp SET deferred = true WHERE grp = (SELECT min(grp) FROM node WHERE grp IS NOT NULL)"
        )
    (giant,) = (await desk.http.get("/v1/quarantine")).json()["giants"]
    assert giant["size"] == 3
    assert giant["best_connected"][0] == {"identifier": ANN, "partners": 2}
