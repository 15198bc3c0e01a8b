"""A worker has looked identifiers up, and an operator moves or erases them before it locks anything: it reads again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from integration.identity.desk import FIRST_DAY, Desk, browser, email, phone, user
from integration.identity.graph_in_database import KEYS, Graphs
from tern_common.identifiers import Identifier
from tern_identity.consumer import EventHandler
from tern_identity.store import Numbers, Settled, Store, Work
from unit.identity.histories import SHIPPED, Said

DAY = 24
KNOWN = (Said(1, 0, user=1, phone=1, email=1, browser=1), Said(2, 0, user=2))


class Overtaken(Store):
    """Somebody else does something between the look and the locks, once."""

    overtake: Callable[[], Awaitable[object]] | None = None

    async def settle(self, work: Work) -> Settled:
        step, self.overtake = self.overtake, None
        if step is not None:
            await step()
        return await super().settle(work)


@pytest.fixture
async def desk(graphs: Graphs) -> Desk:
    found = Desk(graphs)
    await found.hear(*KNOWN)
    return found


async def overtaken(desk: Desk, step: Callable[[], Awaitable[object]], *said: Said) -> None:
    store = Overtaken(desk.graphs.pool, KEYS, Numbers(SHIPPED, 0))
    store.overtake = step
    desk.worker.handler = EventHandler(store, desk.graphs.pool, desk.worker.bus.producer)
    await desk.hear(*said)
    assert store.overtake is None


@pytest.mark.parametrize("named", [phone(1), browser(1)], ids=["phone", "browser"])
async def test_facts_of_days_after_a_new_era_began_are_the_new_eras(desk: Desk, named: Identifier) -> None:
    """Said of the second user, they would join or share what is the first one's."""
    first, second = await desk.whose(user(1)), await desk.whose(user(2))
    said = Said(3, 5 * DAY, user=2, phone=1) if named == phone(1) else Said(3, 5 * DAY, user=2, browser=1)
    await overtaken(desk, lambda: desk.do("retire", (named,), day=FIRST_DAY + 3), said)
    assert (await desk.whose(named), await desk.whose(user(1))) == (second, first)


async def test_facts_of_an_era_that_was_taken_back_are_those_of_the_one_before(desk: Desk) -> None:
    era = await desk.do("retire", (phone(1),), day=FIRST_DAY + 3)
    await overtaken(desk, lambda: desk.undo(era.control_id), Said(3, 5 * DAY, phone=1), Said(4, 5 * DAY, 2, phone=1))
    assert await desk.whose(phone(1)) == await desk.whose(user(1))


@pytest.mark.parametrize("named", [user(1), email(1), browser(1)], ids=lambda one: one.namespace)
async def test_nothing_is_filed_under_what_was_erased_meanwhile(desk: Desk, named: Identifier) -> None:
    said = Said(3, 5 * DAY, user=1, email=1, browser=1), Said(4, 6 * DAY, email=1), Said(5, 6 * DAY, browser=1)
    await overtaken(desk, lambda: desk.do("erase", (named,)), *said)
    ledger = await desk.graphs.ledger()
    filed = {node_id for home in ledger.homes.values() for node_id in home.nodes}
    facts = {node_id for key in (*ledger.pairs, *ledger.claims) for node_id in key[:2]}
    assert filed | facts <= ledger.nodes.keys()


async def test_words_that_were_said_meanwhile_are_heard(desk: Desk) -> None:
    """They move no facts, so nothing is read again: whoever locks the groups later knows them."""
    await overtaken(desk, lambda: desk.do("cannot-link", (user(2),), (phone(2),)), Said(3, 1, user=2, phone=2))
    assert await desk.whose(phone(2)) != await desk.whose(user(2))
