"""New rules are applied chunk by chunk while events come: what is between the chunks must not be forgotten."""

from __future__ import annotations

from integration.identity.graph_in_database import KEYS, Graphs
from tern_common.db import transaction
from tern_identity.domain.rules import Rules
from tern_identity.store import jobs
from tern_identity.store.ruleset import Act, make_live
from tern_identity.store.walks.desk import Desk, Sizes
from tern_identity.store.walks.steps import Chores
from unit.identity.histories import TIGHT, Said, heard


def one_phone_only() -> Rules:
    changed = {"version": 2, "values_per_customer": {**TIGHT.values_per_customer, "phone": 1}}
    return Rules.model_validate(TIGHT.model_dump() | changed)


async def test_a_group_of_the_old_rules_that_joins_one_of_the_new_is_folded_by_the_new(graphs: Graphs) -> None:
    """Its number is behind the job by then, so the event that joins them has to."""
    rules, store = one_phone_only(), await graphs.store(TIGHT)
    await store.file(heard([Said(1, 0, phone=3, email=3), Said(2, 1, user=1, phone=1), Said(3, 2, user=1, phone=2)]))
    act = Act("tests", "one phone each", KEYS.clock.now())
    async with transaction(graphs.pool) as conn:
        await make_live(conn, rules, act)
        await jobs.begin(conn, "apply", act)
    await store.refresh()
    chores = Chores(Desk(graphs.pool, KEYS.sealer, KEYS.clock, TIGHT, 0, Sizes(folding=2)))
    await chores.step()
    await store.file(heard([Said(4, 9, phone=1, email=3)]))
    while await chores.step() is not None:
        pass
    await graphs.assert_canonical(rules)
