"""The theorem on the real tables: random shops, shuffled, copied and cut, decide as the oracle does (triggers.md §10).

Two instances take turns with the batches and the firing; what was fired is what was published, once each.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

import pytest

from integration.triggers.shop import Shop
from tern_common.db import connection
from tern_common.topics import FAMILIES
from tern_triggers.domain.agenda import Plan
from tern_triggers.domain.folds.telling import stories
from tern_triggers.domain.news import News
from tern_triggers.domain.rounds import Safe, next_looks, standing
from tern_triggers.domain.rules import ruleset
from tern_triggers.store import batch, firing, views
from tern_triggers.store.rulebook import Rulebook
from tern_triggers.store.writing import Writing
from unit.triggers.chaos import SLOTS, Scenario, expected
from unit.triggers.comparing import exactly, told
from unit.triggers.fast_rules import POLICY
from unit.triggers.saying import at


@pytest.mark.parametrize("seed", range(100, 106))
async def test_the_database_decides_what_the_oracle_says(shop: Shop, seed: int) -> None:
    scenario = Scenario(seed)
    writing = Writing(rulebook=Rulebook(ruleset(scenario.rules)), policy=POLICY, source="/tern/test")
    rnd = random.Random(seed)
    for slot in range(SLOTS):
        for items in batches(scenario, slot, rnd):
            await shop.publisher.publish_these((await batch.apply(shop.pool, writing, items, {}, at(slot))).letters)
            await check_agenda(shop, writing, at(slot))
        await fire(shop, writing, at(slot + 1))
    exact = exactly(scenario)
    wanted = {told(one, exact[one.rule], one.fired) for one in expected(scenario).verdicts if one.rule in exact}
    made = [one for one in await shop.decisions() if one.outcome != "ended" and one.rule in exact]
    assert {told(one, exact[one.rule], one.outcome in ("fired", "withdrawn")) for one in made} == wanted
    ids = [event["id"] for family in FAMILIES for event in shop.published(family)]
    assert len(ids) == len(set(ids))


def batches(scenario: Scenario, slot: int, rnd: random.Random) -> Sequence[list[News]]:
    """What is acknowledged in a slot, with copies of it and of what came before."""
    fresh = [said.news for said in scenario.said if said.slot == slot]
    old = [said.news for said in scenario.said if said.slot < slot]
    items = [*fresh, *rnd.sample(fresh, len(fresh) // 2), *(rnd.sample(old, min(2, len(old))) if fresh else [])]
    rnd.shuffle(items)
    half = rnd.randrange(len(items) + 1)
    return [part for part in (items[:half], items[half:]) if part]


async def fire(shop: Shop, writing: Writing, safe: datetime) -> None:
    await shop.safe(safe)
    while (await firing.fire_due(shop.pool, writing, Safe(safe, safe), safe)).customers:
        await shop.publisher.publish()


async def check_agenda(shop: Shop, writing: Writing, now: datetime) -> None:
    """The agenda may be early, never late."""
    async with connection(shop.pool) as conn:
        rows = await conn.fetch("SELECT customer_id, next_live, next_all FROM agenda")
        holders = {str(row[0]) for row in await conn.fetch("SELECT DISTINCT customer_id FROM membership")}
        planned = {str(row[0]): Plan(row[1], row[2]) for row in rows}
        rules = writing.ruleset
        for view in await views.load(conn, rules, holders, lock=False):
            true = next_looks(standing(rules, stories(rules, view, POLICY, now), view), POLICY)
            known = planned.get(view.customer_id, Plan())
            for ready, look in ((true.live, known.live), (true.all, known.all)):
                assert ready is None or (look is not None and look <= ready)
