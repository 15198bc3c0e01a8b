"""The store keeps the graph that the specification makes of its own ledger, whatever comes, in whatever batches."""

from __future__ import annotations

from random import Random

import pytest

from integration.identity.graph_in_database import Graphs
from tern_identity.domain.rules import Rules
from unit.identity.histories import HASTY, SHIPPED, TIGHT, Said, hear, heard
from unit.identity.promises import shuffled_in_batches

SEEDS = 8


def history(random: Random, length: int, persons: int) -> list[Said]:
    """Sayings by chance: one in two names a person, one in three a phone, an e-mail or a browser that others use."""
    return [
        Said(
            message=random.randint(1, length * 2),
            hours=random.choice([0, 1, 2, 20, 24, 30, 50, 75]),
            user=random.choice([0, random.randint(1, persons)]),
            phone=random.choice([0, 0, random.randint(1, 9)]),
            email=random.choice([0, 0, random.randint(1, persons)]),
            browser=random.choice([0, random.randint(1, persons)]),
            trusted=random.random() < 0.8,
        )
        for _ in range(length)
    ]


@pytest.mark.parametrize("rules", [TIGHT, HASTY, SHIPPED], ids=["tight", "hasty", "shipped"])
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_store_equals_canonical_after_every_batch(graphs: Graphs, rules: Rules, seed: int) -> None:
    random = Random(seed)
    store = await graphs.store(rules)
    for batch in shuffled_in_batches(history(random, 40, persons=random.choice([3, 8])), random):
        await store.file(heard(batch))
        await graphs.assert_canonical(rules)


async def test_a_value_that_leaves_quarantine_meets_all_who_waited(graphs: Graphs) -> None:
    """The groups of those who waited were not locked at first: the store begins again with them."""
    store = await graphs.store(HASTY)
    for said in (Said(1, 50, user=1, phone=1), Said(2, 50, phone=1, email=1), Said(3, 0, user=1, browser=1)):
        await store.file([hear(said)])
    _, before = await graphs.assert_canonical(HASTY)
    assert set(before.guards.values()) == {"velocity"}
    await store.file([hear(Said(4, 0, phone=1, email=1))])
    _, after = await graphs.assert_canonical(HASTY)
    assert after.guards == {}
    assert len(set(after.core_of.values())) == 1
