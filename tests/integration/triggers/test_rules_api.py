"""Rules are read and changed through the API: by whom, why, and never over somebody else's edit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from integration.triggers.operating import history, operator, put, to_mode, token
from integration.triggers.shop import NOON
from tern_common.clock import ManualClock
from tern_common.db import Pool
from tern_triggers.domain.rules import RULE
from tern_triggers.store.rulebook import Rulebook
from unit.triggers.saying import RULES

DAY = timedelta(days=1)
WELCOME = """\
rule: welcome
kind: event
family: lifecycle
purpose: marketing
channels: [email]
of: {event: Signed Up}
steps:
  - {act: contact, expires_after: 24h}
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
async def api(pool: Pool, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """An operator's client, of a service that was started with two rules."""
    async with operator(pool, clock) as client:
        yield client


async def test_the_rules_are_listed_with_what_they_wait_for(api: httpx.AsyncClient) -> None:
    told = (await api.get("/v1/rules")).json()
    assert told["waits_for"] == {"cart_abandoned": "live", "recall": "all"}
    assert [rule["rule"] for rule in told["rules"]] == ["cart_abandoned", "recall"]
    cart = (await api.get("/v1/rules/cart_abandoned")).json()
    assert (cart["mode"], cart["waits_for"]) == ("live", "live")
    assert cart["facts"] == ["carts", "checkouts", "orders"]
    assert cart["steps"][0]["earliest"].startswith("1h after it began")
    assert RULE.validate_python(cart["rule"]) == RULES[0]


async def test_a_new_rule_begins_in_shadow_whatever_its_text_says(api: httpx.AsyncClient) -> None:
    made = await put(api, WELCOME + "mode: live\n")
    assert made.status_code == 200, made.text
    assert (made.json()["mode"], made.json()["version"], made.json()["since"]) == ("shadow", 1, "2026-03-02T12:00:00Z")
    assert made.headers["ETag"] == (await api.get("/v1/rules/welcome")).headers["ETag"]
    paused = await put(api, WELCOME.replace("welcome", "hello_there") + "mode: paused\n", "hello_there")
    assert paused.json()["mode"] == "paused"


async def test_an_edit_raises_the_version_and_keeps_the_mode_and_the_older_version(
    api: httpx.AsyncClient, pool: Pool, clock: ManualClock
) -> None:
    tag = (await put(api, WELCOME)).headers["ETag"]
    await to_mode(api, "live")
    tag = (await api.get("/v1/rules/welcome")).headers["ETag"]
    clock.advance(DAY)
    edited = await put(api, WELCOME.replace("24h", "48h"), If_Match=tag)
    assert (edited.status_code, edited.json()["version"], edited.json()["mode"]) == (200, 2, "live"), edited.text
    assert edited.json()["since"] == "2026-03-02T12:00:00Z", "what was running goes on"
    rules = await Rulebook().read(pool)
    assert [rule.version for rule in rules.rules if rule.rule == "welcome"] == [2]
    assert rules.older["welcome", 1].steps[0].expires_after == DAY
    told = (await api.get("/v1/rules/welcome/versions")).json()["versions"]
    assert [version["version"] for version in told] == [2, 1]
    assert await history(api) == [(1, "created"), (1, "shadow"), (1, "live"), (2, "edited")]
    (entry, *_) = (await api.get("/v1/rules/welcome/audit")).json()["history"]
    assert entry["by"].startswith("ann (")
    assert entry["reason"] == "trying it"


async def test_an_edit_of_what_begins_it_makes_all_before_it_history(
    api: httpx.AsyncClient, clock: ManualClock
) -> None:
    tag = (await put(api, WELCOME)).headers["ETag"]
    clock.advance(DAY)
    edited = await put(api, WELCOME.replace("Signed Up", "Signed In"), If_Match=tag)
    assert edited.json()["since"] == "2026-03-03T12:00:00Z"


async def test_the_same_rule_once_more_changes_nothing(api: httpx.AsyncClient) -> None:
    tag = (await put(api, WELCOME)).headers["ETag"]
    again = await put(api, WELCOME, If_Match=tag)
    assert (again.json()["version"], again.headers["ETag"]) == (1, tag)


async def test_nobody_overwrites_what_he_has_not_seen(api: httpx.AsyncClient) -> None:
    seen = (await put(api, WELCOME)).headers["ETag"]
    blind = await put(api, WELCOME.replace("24h", "48h"))
    assert (blind.status_code, blind.json()["code"]) == (428, "say-what-you-saw")
    assert seen in blind.json()["detail"]
    await put(api, WELCOME.replace("24h", "36h"), If_Match=seen)
    late = await put(api, WELCOME.replace("24h", "48h"), If_Match=seen)
    assert (late.status_code, late.json()["code"]) == (412, "changed-meanwhile")
    assert (await to_mode(api, "live", If_Match=seen)).status_code == 412
    assert (await put(api, WELCOME.replace("24h", "48h"), If_Match="*")).status_code == 200
    unknown = await put(api, WELCOME.replace("welcome", "nobody_yet"), "nobody_yet", If_Match=seen)
    assert (unknown.status_code, unknown.json()["code"]) == (412, "unknown-rule")


async def test_a_pause_forgets_nothing_and_going_live_begins_anew(api: httpx.AsyncClient, clock: ManualClock) -> None:
    await put(api, WELCOME)
    clock.advance(DAY)
    live = (await to_mode(api, "live")).json()["since"]
    assert live == "2026-03-03T12:00:00Z"
    clock.advance(DAY)
    assert (await to_mode(api, "paused")).json()["mode"] == "paused"
    assert (await to_mode(api, "live")).json()["since"] == live
    assert (await to_mode(api, "live")).json()["since"] == live
    assert (await to_mode(api, "shadow")).json()["since"] == "2026-03-04T12:00:00Z"


async def test_a_retired_rule_decides_nothing_keeps_nothing_and_comes_back_in_shadow(
    api: httpx.AsyncClient, pool: Pool
) -> None:
    await put(api, WELCOME)
    await to_mode(api, "live")
    gone = await api.delete("/v1/rules/welcome", params={"reason": "nobody liked it"})
    assert (gone.status_code, gone.json()["mode"]) == (200, "retired")
    assert "welcome" not in (await api.get("/v1/rules")).json()["waits_for"]
    assert "welcome" in (await api.get("/v1/rules", params={"retired": True})).json()["waits_for"]
    rules = await Rulebook().read(pool)
    assert "welcome" not in [rule.rule for rule in rules.deciding]
    assert "signed up" not in rules.reads.events
    refused = await to_mode(api, "live")
    assert (refused.status_code, refused.json()["code"]) == (409, "retired")
    back = await put(api, WELCOME, If_Match=gone.headers["ETag"])
    assert (back.json()["mode"], back.json()["version"]) == ("shadow", 2)


async def test_a_wrong_rule_is_refused_with_its_lines(api: httpx.AsyncClient) -> None:
    wrong = WELCOME.replace("channels", "chanels").replace("24h", "soon")
    refused = await put(api, wrong)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert refused.json()["errors"] == [
        {"where": "chanels", "why": "there is no such key; did you mean `channels`?", "line": 5, "column": 1},
        {
            "where": "steps.0.expires_after",
            "why": "write a duration such as 30s, 5m, 1h30m or 90d",
            "line": 8,
            "column": 20,
        },
    ]
    assert (await api.get("/v1/rules/welcome")).status_code == 404


@pytest.mark.parametrize(
    ("name", "text", "kind", "code"),
    [
        ("welcome", WELCOME, "image/png", "not-a-rule"),
        ("welcome", b"\xff", "application/yaml", "not-utf-8"),
        ("welcome", "{", "application/json", "invalid-rule"),
        ("goodbye", WELCOME, "application/yaml", "other-name"),
        ("recall", WELCOME.replace("welcome", "recall"), "application/yaml", "family-is-for-life"),
    ],
)
async def test_what_is_no_rule_of_that_name_is_refused(
    api: httpx.AsyncClient, name: str, text: str | bytes, kind: str, code: str
) -> None:
    headers = {"Content-Type": kind, "If-Match": "*"}
    if name != "recall":
        headers.pop("If-Match")
    refused = await api.put(f"/v1/rules/{name}", params={"reason": "trying it"}, content=text, headers=headers)
    assert refused.json()["code"] == code, refused.text


async def test_json_is_taken_as_well(api: httpx.AsyncClient) -> None:
    shown = (await api.get("/v1/rules/recall")).json()["rule"]
    sent: dict[str, Any] = {**shown, "priority": 41}
    tag = (await api.get("/v1/rules/recall")).headers["ETag"]
    done = await api.put("/v1/rules/recall", params={"reason": "tuning"}, json=sent, headers={"If-Match": tag})
    assert (done.status_code, done.json()["rule"]["priority"]) == (200, 41), done.text


async def test_looking_needs_a_reader_and_changing_an_operator(api: httpx.AsyncClient, pool: Pool) -> None:
    reader = await token(pool, "read")
    assert (await api.get("/v1/rules/recall", headers=reader)).status_code == 200
    for method, path in (("PUT", ""), ("POST", "/mode"), ("DELETE", "")):
        refused = await api.request(
            method, f"/v1/rules/recall{path}", params={"reason": "trying it"}, json={}, headers=reader
        )
        assert refused.status_code == 403
    for address in ("/v1/rules/none_such", "/v1/rules/none_such/versions", "/v1/rules/none_such/audit"):
        assert (await api.get(address)).status_code == 404
    assert (await to_mode(api, "live", "none_such")).status_code == 404
    schema = (await api.get("/v1/rules/schema")).json()
    assert schema["$schema"].startswith("https://json-schema.org")
