"""Each lock of the store is needed: without it, a race that is forced to happen ends otherwise than the facts say.

The same races with the store as it is end as they must. docs/adr/0014-home-placement-under-concurrency.md names them.
"""

from __future__ import annotations

import pytest
from msgspec import Raw, structs

from integration.identity.graph_in_database import Graphs
from integration.identity.tampering import (
    FAITHFUL,
    WITHOUT_BROWSER_LOCK,
    WITHOUT_GROUP_LOCK,
    WITHOUT_HOME_LOCK,
    WITHOUT_SECOND_LOOK,
    Gate,
    Race,
    Tampering,
    store,
)
from tern_common.identifiers import NAMESPACES
from tern_identity.domain.canonical import canonical
from tern_identity.domain.collapsing import Heard
from tern_identity.domain.reading import read
from tern_identity.store import browsers, crowds, facts, groups, homes
from unit.identity.histories import TIGHT, Said, event, heard


def on_an_app(said: Said) -> Heard:
    """The same, from a device."""
    told = structs.replace(event(said), context=Raw(b'{"device": {"id": "device-1"}}'))
    return Heard(read(told, NAMESPACES), told.event_time, told.message_id, told.source_id)


RACES: dict[str, tuple[Race, Tampering]] = {
    "two links of one phone, without the group lock": (
        Race(
            first=heard([Said(1, 0, user=1, phone=1)]),
            second=heard([Said(2, 1, phone=1, email=1)]),
            at=groups._WRITE_NODES,
        ),
        WITHOUT_GROUP_LOCK,
    ),
    "a phone goes into quarantine and a home of a day with it, without the group lock": (
        Race(
            stored=heard([Said(1, 0, user=1, phone=1), Said(2, 1, user=2, phone=1), Said(3, 2, phone=1, email=1)]),
            first=heard([Said(4, 30, user=3, phone=1)]),
            second=heard([Said(5, 50, phone=1, email=1)]),
            at=homes._CHANGE,
        ),
        WITHOUT_GROUP_LOCK,
    ),
    "two links of one phone, without the second look": (
        Race(
            stored=heard([Said(1, 0, user=1, email=2)]),
            first=heard([Said(2, 1, user=1, phone=1)]),
            second=heard([Said(3, 2, phone=1, email=1)]),
            at=groups._WRITE_NODES,
        ),
        WITHOUT_SECOND_LOOK,
    ),
    "two members of one browser, without its lock": (
        Race(
            stored=heard([Said(1, 0, browser=1)]),
            first=heard([Said(2, 1, user=1, browser=1)]),
            second=heard([Said(3, 2, user=2, browser=1)]),
            at=browsers._WRITE,
        ),
        WITHOUT_BROWSER_LOCK,
    ),
    "a login and a new home under its browser, without its lock": (
        Race(
            stored=heard([Said(1, 0, browser=1)]),
            first=heard([Said(2, 1, user=1, browser=1)]),
            second=heard([Said(3, 30, browser=1)]),
            at=homes._VERSIONS,
        ),
        WITHOUT_BROWSER_LOCK,
    ),
    "two browsers of one home are claimed, without the lock of homes": (
        Race(
            stored=[on_an_app(Said(1, 0, browser=1))],
            first=heard([Said(2, 1, user=1, browser=1)]),
            second=[on_an_app(Said(3, 2, user=2))],
            at=homes._CHANGE,
        ),
        WITHOUT_HOME_LOCK,
    ),
}


@pytest.mark.parametrize("name", RACES)
async def test_the_store_withstands_the_race(graphs: Graphs, name: str) -> None:
    race, _ = RACES[name]
    await race.run(graphs, TIGHT, FAITHFUL)
    assert not await misplaced(graphs)
    await graphs.assert_canonical(TIGHT)


@pytest.mark.parametrize("name", RACES)
async def test_without_the_rule_the_same_race_misplaces_a_home(graphs: Graphs, name: str) -> None:
    race, tampering = RACES[name]
    await race.run(graphs, TIGHT, tampering)
    assert await misplaced(graphs), "the race ended well"


MODELLED = [
    groups._LOCK,
    groups._LOAD_GROUPS,
    facts._KEEP_PAIRS,
    facts._KEEP_CLAIMS,
    facts._LINKS,
    groups._WRITE_NODES,
    groups._WRITE_GROUPS,
    crowds._COUNT_BROWSERS,
    browsers._CLAIMED_BY,
    browsers._LOCK,
    browsers._CLAIMS,
    browsers._WRITE,
    homes._LOCK,
    homes._BY_NUMBER,
    homes._VERSIONS,
    homes._ADD,
    homes._CHANGE,
]
"""The statements of `unit.identity.interleavings.protocol`, in its order. What the store says besides locks nothing."""


async def test_the_store_keeps_the_order_that_was_modelled(graphs: Graphs) -> None:
    gate = Gate()
    watched = await store(graphs, TIGHT, FAITHFUL, gate)
    await watched.file(heard([Said(1, 0, browser=1), Said(2, 0, phone=1), Said(5, 0, user=2, browser=2)]))
    gate.passed.clear()
    held_by_somebody_else = Said(6, 30, browser=2)
    await watched.file(heard([Said(3, 1, user=1, phone=1, browser=1), Said(4, 30, browser=1), held_by_somebody_else]))
    assert [query for query in gate.passed if query in MODELLED] == MODELLED
    locks = [query for query in gate.passed if "FOR UPDATE" in query and "SKIP LOCKED" not in query]
    assert locks == [groups._LOCK, browsers._LOCK, homes._LOCK]


async def misplaced(graphs: Graphs) -> set[str]:
    """The homes whose stored customer is not the one that follows from the facts."""
    wanted = canonical(await graphs.ledger(), TIGHT)
    found = await graphs.found()
    customers = {
        home_id: found.tokens[customer.node_id][customer.standing == "browser"]
        for home_id, customer in wanted.customers.items()
    }
    assert customers.keys() == found.members.keys()
    return {home_id for home_id, it in found.members.items() if it.customer_id != customers[home_id]}
