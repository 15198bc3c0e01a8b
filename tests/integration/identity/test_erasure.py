"""Erasure: nothing of the identifier is left, whoever kept something is told, and nothing brings it back."""

from __future__ import annotations

from uuid import UUID

import pytest

from integration.identity.desk import FIRST_DAY, Desk, browser, email, phone, user
from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Reader
from tern_common.db import connection
from tern_common.errors import Refused
from tern_common.identifiers import Identifier
from tern_common.topics import RESOLVED
from unit.identity.histories import SHIPPED, Said

DAY = 24
HISTORY = (
    Said(1, 0, user=1, phone=1, browser=1),
    Said(2, 1, phone=1, email=1),
    Said(3, 2, email=1),
    Said(4, 3, email=1, browser=2),
    Said(5, 4, browser=2),
)


@pytest.fixture
def desk(graphs: Graphs) -> Desk:
    return Desk(graphs)


async def everything(desk: Desk) -> str:
    """All rows of all tables as text."""
    async with connection(desk.graphs.pool) as conn:
        tables = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'identity'")
        rows = [await conn.fetch(f"SELECT it::text FROM {table[0]} AS it") for table in tables]
    return "\n".join(row[0] for found in rows for row in found)


async def originals(desk: Desk) -> set[str]:
    async with connection(desk.graphs.pool) as conn:
        rows = await conn.fetch("SELECT original FROM node WHERE original IS NOT NULL")
    return {KEYS.sealer.open(row[0]) for row in rows}


async def gone(desk: Desk, customer_id: UUID) -> bool:
    with pytest.raises(Refused) as told:
        await desk.directory.by_id(customer_id)
    return told.value.status == 410


async def test_nothing_of_the_identifier_is_left(desk: Desk) -> None:
    await desk.hear(*HISTORY)
    async with connection(desk.graphs.pool) as conn:
        sealed = await conn.fetchval("SELECT original FROM node WHERE ns = 'email'")
    await desk.do("erase", (email(1),))
    found = await everything(desk)
    plain = email(1).value
    for trace in (plain, plain.encode().hex(), sealed.hex()):
        assert trace not in found
    assert plain not in await originals(desk)


async def test_its_homes_are_told_to_be_gone_and_nothing_else_is(desk: Desk) -> None:
    await desk.hear(*HISTORY)
    before = await desk.owners()
    done = await desk.do("erase", (email(1),))
    erased = [change for change in desk.worker.changes() if change.erased]
    homes = {home.home_id for change in erased for home in (*change.homes, *change.doors)}
    assert homes == before.keys() - (await desk.owners()).keys()
    assert {one.home_id for one in desk.worker.resolved() if b'"m-1"' in bytes(one.event)}.isdisjoint(homes)
    assert all(change.cause == {"kind": "control", "control": done.control_id} for change in erased)
    assert all(change.shared for change in erased)
    assert done.moved >= len(homes)
    reader = Reader()
    reader.read(desk.worker.bus.sent(RESOLVED))
    async with connection(desk.graphs.pool) as conn:
        stored = await conn.fetch("SELECT home_id, version, customer_id::text, shared FROM home WHERE erased")
    assert {row[0].hex(): tuple(row)[1:] for row in stored} == {home: reader.members[home] for home in homes}


async def test_who_is_left_behind_is_resolved_without_it(desk: Desk) -> None:
    """She had two phones through an e-mail; without it they are two customers, and the browser nobody's."""
    await desk.hear(Said(1, 0, phone=1, email=1), Said(2, 1, phone=2, email=1), Said(3, 2, email=1, browser=1))
    assert await desk.whose(phone(1)) == await desk.whose(phone(2))
    await desk.do("erase", (email(1),))
    assert len({await desk.whose(one) for one in (phone(1), phone(2), browser(1))}) == 3


async def test_later_events_lose_it_before_they_are_read(desk: Desk) -> None:
    await desk.hear(*HISTORY)
    await desk.do("erase", (email(1),))
    await desk.hear(*HISTORY, Said(6, 9, phone=2, email=1), Said(7, 10, email=1, browser=3), Said(8, 11, email=1))
    assert email(1).value not in await originals(desk)
    assert await desk.whose(phone(2)) != await desk.whose(phone(1))
    known = await desk.directory.by_identifier(browser(3))
    assert known is not None
    assert [one.namespace for one in known.identifiers] == ["anonymous_id"]
    [alone] = [one for one in desk.worker.resolved() if b'"m-8"' in bytes(one.event)]
    own = await desk.directory.by_id(UUID(alone.customer_id))
    assert own is not None
    assert [one.value for one in own.identifiers] == ["m-8"]


@pytest.mark.parametrize("named", [user(1), phone(1), email(1), browser(1), browser(2)], ids=lambda one: one.namespace)
async def test_any_identifier_can_be_erased_and_its_id_is_gone(desk: Desk, named: Identifier) -> None:
    await desk.hear(*HISTORY)
    async with connection(desk.graphs.pool) as conn:
        token = await conn.fetchval("SELECT token FROM node WHERE hash = $1", KEYS.hasher.identifier(*named))
    await desk.do("erase", (named,))
    assert await gone(desk, token)
    with pytest.raises(Refused) as told:
        await desk.directory.by_identifier(named)
    assert told.value.code == "gone"
    await desk.hear(*HISTORY)
    assert named.value not in await originals(desk)


async def test_all_its_eras_go(desk: Desk) -> None:
    await desk.hear(Said(1, 0, user=1, phone=1), Said(2, 5 * DAY, user=2, phone=1), Said(3, 6 * DAY, phone=1))
    first = await desk.do("retire", (phone(1),), day=FIRST_DAY + 3)
    second = await desk.do("retire", (phone(1),), day=FIRST_DAY + 6)
    await desk.undo(second.control_id)
    await desk.do("erase", (phone(1),))
    assert phone(1).value not in await originals(desk)
    with pytest.raises(Refused, match="nothing to go back to"):
        await desk.undo(first.control_id)


async def test_it_cannot_be_taken_back_nor_spoken_of_again(desk: Desk) -> None:
    await desk.hear(*HISTORY)
    done = await desk.do("erase", (email(1),))
    with pytest.raises(Refused, match="cannot be taken back") as told:
        await desk.undo(done.control_id)
    assert told.value.status == 409
    for kind in ("erase", "block"):
        with pytest.raises(Refused, match="was erased") as again:
            await desk.do("erase" if kind == "erase" else "block", (email(1),))
        assert again.value.status == 410


async def test_words_about_it_end_and_their_controls_can_still_be_undone(desk: Desk) -> None:
    await desk.hear(*HISTORY)
    split = await desk.do("split", (user(1), phone(1)), (email(1),))
    await desk.do("erase", (email(1),))
    async with connection(desk.graphs.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM ruling WHERE live AND word <> 'together'") == 0
    before = await desk.owners()
    await desk.undo(split.control_id)
    assert await desk.owners() == before
    found = await desk.operators.find(split.control_id)
    assert found is not None
    assert [one.identifier for one in found.rest] == [None]


async def test_an_event_whose_message_id_is_an_erased_cookie_is_filed_all_the_same(desk: Desk) -> None:
    await desk.hear(Said(1, 0))
    await desk.do("erase", (Identifier("anonymous_id", "m-1"),))
    await desk.hear(Said(1, 0))
    [first, again] = desk.worker.resolved()
    assert first.home_id != again.home_id
    await desk.graphs.assert_canonical(SHIPPED)
