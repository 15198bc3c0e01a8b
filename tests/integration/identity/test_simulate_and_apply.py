"""Changed rules: what a simulation says is what comes, and nothing comes before they are applied."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from integration.identity.graph_in_database import KEYS, Found, Graphs
from integration.identity.graph_jobs import act, chores, done, finished
from integration.identity.shop_talk import Worker
from integration.identity.test_store_equals_specification import history
from tern_common.db import connection
from tern_common.errors import Refused
from tern_common.events import Merged, Split
from tern_identity.domain.canonical import canonical
from tern_identity.domain.comparing import Difference, Side, difference
from tern_identity.domain.ledger import Ledger
from tern_identity.domain.rules import DeclaredNamespace, Rules
from tern_identity.store.jobs import Jobs
from tern_identity.store.walks.simulating import sampled
from unit.identity.histories import HASTY, SHIPPED, TIGHT, Said

CHANGES: dict[str, tuple[Rules, dict[str, Any]]] = {
    "looser": (TIGHT, SHIPPED.model_dump() | {"version": 2}),
    "tighter": (SHIPPED, TIGHT.model_dump() | {"version": 2}),
    "hasty": (SHIPPED, HASTY.model_dump() | {"version": 2}),
    "calmer": (HASTY, SHIPPED.model_dump() | {"version": 2}),
    "distrust": (SHIPPED, {"version": 2, "distrusted": ["shop"]}),
    "blocklist": (SHIPPED, {"version": 2, "blocklist": ["email:ann1*", "phone:*2", "anonymous_id:browser-1"]}),
    "no-blocklist": (SHIPPED.model_copy(update={"blocklist": ("phone:*", "*:browser-2")}), {"version": 2}),
    "one-browser": (SHIPPED, {"version": 2, "browsers_per_account": 1}),
    "nothing": (SHIPPED, {"version": 2}),
}


def changed(rules: Rules, by: Mapping[str, Any]) -> Rules:
    base = rules.model_dump() | ({} if "blocklist" in by else {"blocklist": ()})
    return Rules.model_validate(base | dict(by))


async def shop(graphs: Graphs, rules: Rules) -> None:
    worker = Worker(graphs, rules=rules)
    random = Random(11)
    for _ in range(4):
        await worker.hear(*history(random, 25, persons=8))
    await graphs.assert_canonical(rules)


async def simulation(graphs: Graphs, live: Rules, candidate: Rules, sample: float = 1.0) -> Mapping[str, Any]:
    asked = {"rules": candidate.model_dump(mode="json"), "sample": sample}
    return (await done(graphs, live, "simulate", asked)).report


def tokens(found: Found, nodes: Any) -> list[str]:
    return [str(found.tokens[node][0]) for node in sorted(nodes)]


async def expected(graphs: Graphs, live: Rules, candidate: Rules) -> Difference:
    """By the specification, on the whole ledger: as it is, and with everybody judged by the other blocklist."""
    ledger = await graphs.ledger()
    before = canonical(ledger, live)
    after = canonical(await judged(graphs, ledger, candidate), candidate)
    return difference(Side(before.core_of, before.guards), Side(after.core_of, after.guards))


async def judged(graphs: Graphs, ledger: Ledger, rules: Rules) -> Ledger:
    async with connection(graphs.pool) as conn:
        rows = await conn.fetch("SELECT node_id, ns, original FROM node")
    blocked = frozenset(node for node, ns, original in rows if rules.blocks(ns, KEYS.sealer.open(original)))
    return replace(ledger, rulings=replace(ledger.rulings, blocked=blocked))


@pytest.mark.parametrize("change", CHANGES)
async def test_a_simulation_says_what_the_specification_does(graphs: Graphs, change: str) -> None:
    live, by = CHANGES[change]
    candidate = changed(live, by)
    await shop(graphs, live)
    before, wanted = await graphs.found(), await expected(graphs, live, candidate)
    report = await simulation(graphs, live, candidate)
    counted = report["counted"]
    assert (counted["customers_before"], counted["customers_after"]) == wanted.customers
    assert counted["merges"] == len(wanted.merged)
    assert counted["splits"] == len(wanted.parted)
    assert {one["into"]: one["of"] for one in report["merges"]} == {
        tokens(before, [core])[0]: tokens(before, of) for core, of in wanted.merged.items()
    }
    assert {one["of"]: one["into"] for one in report["splits"]} == {
        tokens(before, [core])[0]: tokens(before, into) for core, into in wanted.parted.items()
    }
    assert {one["node"]: one["guard"] for one in report["enter_quarantine"]} == {
        tokens(before, [node])[0]: guard for node, guard in wanted.enters.items()
    }
    assert {one["node"]: one["guard"] for one in report["leave_quarantine"]} == {
        tokens(before, [node])[0]: guard for node, guard in wanted.leaves.items()
    }
    sizes = sorted((len(nodes) for nodes in wanted.members.values()), reverse=True)
    assert [one["size"] for one in report["biggest"]] == sizes[:10]
    assert await graphs.found() == before


@pytest.mark.parametrize("change", CHANGES)
async def test_what_was_simulated_comes_when_it_is_applied(graphs: Graphs, change: str) -> None:
    live, by = CHANGES[change]
    candidate = changed(live, by)
    await shop(graphs, live)
    before, wanted = await graphs.found(), await expected(graphs, live, candidate)
    job = await finished(graphs, chores(graphs, live), await Jobs(graphs.pool).apply(candidate, act("because")))
    _, after = await graphs.assert_canonical(candidate)
    assert len({core for node, core in after.core_of.items() if node not in after.guards}) == wanted.customers[1]
    assert after.tokens == before.tokens
    moved = {home for home, it in after.members.items() if it.version != before.members[home].version}
    assert (job.changed > 0) == bool(moved)
    assert (await done(graphs, candidate, "check")).report["drift"] == {}
    published = Worker(graphs, rules=live)
    await published.take([])
    causes = [change.cause for change in published.changes()] + [
        notice.cause for notice in published.notices() if isinstance(notice, Merged | Split)
    ]
    assert all(cause in ({"kind": "rules", "version": 2}, {}) for cause in causes)
    assert {home.home_id for one in published.changes() for home in (*one.homes, *one.doors)} == moved


async def test_events_come_in_by_the_new_rules_while_they_are_applied(graphs: Graphs) -> None:
    await shop(graphs, SHIPPED)
    other, random = Worker(graphs, rules=SHIPPED), Random(12)
    todo = [history(random, 10, persons=8) for _ in range(12)]
    candidate = changed(SHIPPED, CHANGES["tighter"][1] | {"blocklist": ["*:*1*"]})

    async def hearing() -> None:
        while todo:
            await other.hear(*todo.pop())

    async def applying() -> None:
        job = await Jobs(graphs.pool).apply(candidate, act())
        await finished(graphs, chores(graphs, SHIPPED), job)

    await asyncio.gather(hearing(), applying())
    await graphs.assert_canonical(candidate)


async def test_a_job_that_was_killed_goes_on_in_another_process(graphs: Graphs) -> None:
    await shop(graphs, SHIPPED)
    candidate = changed(SHIPPED, CHANGES["tighter"][1])
    job = await Jobs(graphs.pool).apply(candidate, act())
    await chores(graphs, SHIPPED).step()
    await finished(graphs, chores(graphs, SHIPPED), job)
    await graphs.assert_canonical(candidate)


async def test_a_sample_takes_whole_groups_and_a_part_of_them(graphs: Graphs) -> None:
    await Worker(graphs, rules=SHIPPED).hear(*(Said(user, user, user=user, email=user) for user in range(1, 41)))
    untrusted = changed(SHIPPED, CHANGES["distrust"][1])
    whole = (await simulation(graphs, SHIPPED, untrusted))["counted"]
    part = (await simulation(graphs, SHIPPED, untrusted, sample=0.3))["counted"]
    assert (whole["customers_before"], whole["customers_after"], whole["splits"]) == (40, 80, 40)
    assert 0 < part["splits"] < 40
    assert (part["customers_before"], part["customers_after"]) == (part["splits"], 2 * part["splits"])
    assert 900 < len(sampled(range(10_000), 0.1)) < 1_100
    assert sampled(range(100), 1.0) == list(range(100))


async def test_rules_must_be_newer_and_keep_the_kind_of_a_namespace(graphs: Graphs) -> None:
    await graphs.store(SHIPPED)
    card = {"member": DeclaredNamespace(kind="strong", limit=2)}
    await Jobs(graphs.pool).apply(SHIPPED.model_copy(update={"version": 2, "namespaces": card}), act())
    with pytest.raises(Refused, match="higher"):
        await Jobs(graphs.pool).apply(SHIPPED.model_copy(update={"version": 2}), act())
    await Jobs(graphs.pool).apply(SHIPPED.model_copy(update={"version": 3}), act())
    weak = {"member": DeclaredNamespace(kind="weak")}
    with pytest.raises(Refused, match="member is strong"):
        await Jobs(graphs.pool).apply(SHIPPED.model_copy(update={"version": 4, "namespaces": weak}), act())


async def test_a_simulation_counts_accounts_that_would_hold_no_browser(graphs: Graphs) -> None:
    await Worker(graphs, rules=SHIPPED).hear(Said(1, 0, user=1, browser=1), Said(2, 1, user=1, browser=2))
    counted = (await simulation(graphs, SHIPPED, changed(SHIPPED, CHANGES["one-browser"][1])))["counted"]
    assert (counted["accounts_that_lose_browsers"], counted["accounts_that_regain_browsers"]) == (1, 0)
