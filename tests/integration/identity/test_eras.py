"""`retire(id, day)`: from that day on the identifier is another person's; its facts and homes follow, and come back."""

from __future__ import annotations

from uuid import UUID

import pytest

from integration.identity.desk import FIRST_DAY, TODAY, Desk, browser, email, phone, user
from integration.identity.graph_in_database import Graphs
from tern_common.errors import Refused
from tern_common.identifiers import Identifier
from unit.identity.histories import TIGHT, Said

DAY = 24
RECYCLED = (
    Said(1, 0, user=1, phone=1),
    Said(2, 1, phone=1),
    Said(3, 3 * DAY, user=2, phone=1),
    Said(4, 4 * DAY, phone=1),
)
SOLD = (
    Said(1, 0, user=1, browser=1),
    Said(2, 1 * DAY, browser=1),
    Said(3, 3 * DAY, user=2, browser=1),
    Said(4, 4 * DAY, browser=1),
)


@pytest.fixture
def desk(graphs: Graphs) -> Desk:
    return Desk(graphs)


def home_of(desk: Desk, message: int) -> str:
    return next(one.home_id for one in desk.worker.resolved() if f'"m-{message}"'.encode() in bytes(one.event))


async def owner(desk: Desk, message: int) -> UUID:
    return (await desk.owners())[home_of(desk, message)][0]


async def test_homes_of_that_day_and_later_follow_the_new_era(desk: Desk) -> None:
    await desk.hear(*RECYCLED)
    first, second = await desk.whose(user(1)), await desk.whose(user(2))
    assert {await owner(desk, 2), await owner(desk, 4)} == {first}
    await desk.do("retire", (phone(1),), day=FIRST_DAY + 2)
    assert (await owner(desk, 2), await owner(desk, 4)) == (first, second)
    assert await desk.whose(phone(1)) == second
    await desk.hear(Said(5, 5 * DAY, phone=1, email=1), Said(6, 2, phone=1, email=2))
    assert (await desk.whose(email(1)), await desk.whose(email(2))) == (second, first)


async def test_a_sold_device_is_the_next_persons_from_that_day_on(desk: Desk) -> None:
    await desk.hear(*SOLD)
    first, second = await desk.whose(user(1)), await desk.whose(user(2))
    shared = await owner(desk, 4)
    assert shared not in (first, second)
    done = await desk.do("retire", (browser(1),), day=FIRST_DAY + 3)
    assert (await owner(desk, 2), await owner(desk, 4)) == (first, second)
    await desk.undo(done.control_id)
    assert (await owner(desk, 2), await owner(desk, 4)) == (first, shared)


async def test_copies_of_old_events_find_their_era_and_are_known(desk: Desk) -> None:
    await desk.hear(*RECYCLED)
    await desk.do("retire", (phone(1),), day=FIRST_DAY + 2)
    before = await desk.graphs.found()
    await desk.hear(*RECYCLED)
    assert (await desk.graphs.found()).members == before.members


@pytest.mark.parametrize(("history", "named"), [(RECYCLED, phone(1)), (SOLD, browser(1))], ids=["phone", "browser"])
async def test_a_retirement_that_is_undone_leaves_no_trace_but_an_id_that_resolves(
    desk: Desk, history: tuple[Said, ...], named: Identifier
) -> None:
    await desk.hear(*history)
    before = await desk.owners()
    done = await desk.do("retire", (named,), day=FIRST_DAY + 2)
    await desk.hear(Said(9, 6 * DAY, phone=1, browser=1))
    await desk.undo(done.control_id)
    after = await desk.owners()
    assert {home: after[home] for home in before} == before
    assert await all_ids_resolve(desk)


async def all_ids_resolve(desk: Desk) -> bool:
    """Every id that was ever told stands for one that is live: asked for itself, it answers itself."""
    told = {UUID(one.customer_id) for one in desk.worker.resolved()}
    told |= {UUID(one.customer_id) for one in desk.worker.changes()}
    for customer_id in told:
        known = await desk.directory.by_id(customer_id)
        assert known is not None
        live = await desk.directory.by_id(known.customer_id)
        assert live is not None
        assert live.customer_id == known.customer_id
    return True


async def test_the_id_of_an_era_that_was_taken_back_stands_for_the_one_before(desk: Desk) -> None:
    await desk.hear(Said(1, 0, phone=1), Said(2, 3 * DAY, phone=1))
    first = await desk.whose(phone(1))
    done = await desk.do("retire", (phone(1),), day=FIRST_DAY + 2)
    second = await desk.whose(phone(1))
    assert second != first == await owner(desk, 1)
    await desk.undo(done.control_id)
    known = await desk.directory.by_id(second)
    assert known is not None
    assert known.customer_id == first == await desk.whose(phone(1))


async def test_eras_within_eras_are_taken_back_in_any_order(desk: Desk) -> None:
    await desk.hear(*(Said(number, number * DAY, phone=1, user=number) for number in (1, 2, 3)))
    before = await desk.owners()
    late = await desk.do("retire", (phone(1),), day=FIRST_DAY + 3)
    early = await desk.do("retire", (phone(1),), day=FIRST_DAY + 2)
    assert await desk.whose(phone(1)) == await desk.whose(user(3))
    found = await desk.graphs.found()
    assert len(set(found.core_of.values())) == 3
    await desk.undo(late.control_id)
    assert await desk.whose(phone(1)) == await desk.whose(user(2))
    await desk.undo(early.control_id)
    assert await desk.owners() == before
    assert await all_ids_resolve(desk)
    await desk.do("retire", (phone(1),), day=FIRST_DAY + 2)
    await desk.do("retire", (phone(1),), day=FIRST_DAY + 3)
    assert await desk.whose(phone(1)) == await desk.whose(user(3))


async def test_an_era_begins_at_most_ninety_days_back_and_at_latest_tomorrow(desk: Desk) -> None:
    await desk.hear(*RECYCLED)
    for day in (TODAY - 91, TODAY + 2):
        with pytest.raises(Refused, match="at most 90 days ago") as told:
            await desk.do("retire", (phone(1),), day=day)
        assert told.value.status == 422
    await desk.do("retire", (phone(1),), day=TODAY - 90)
    await desk.do("retire", (phone(1),), day=TODAY + 1)


async def test_what_has_no_eras_and_what_begins_already_is_refused(desk: Desk) -> None:
    await desk.hear(*RECYCLED)
    with pytest.raises(Refused, match="one person for life"):
        await desk.do("retire", (user(1),), day=TODAY)
    with pytest.raises(Refused, match="No event has named"):
        await desk.do("retire", (email(7),), day=TODAY)
    await desk.do("retire", (phone(1),), day=TODAY)
    with pytest.raises(Refused, match="begins on that day already"):
        await desk.do("retire", (phone(1),), day=TODAY)


async def test_words_speak_of_the_era_of_the_day_they_name(desk: Desk) -> None:
    await desk.hear(*RECYCLED)
    await desk.do("retire", (phone(1),), day=FIRST_DAY + 2)
    await desk.do("block", (phone(1),), day=FIRST_DAY)
    assert await owner(desk, 2) != await desk.whose(user(1))
    assert await desk.whose(phone(1)) == await desk.whose(user(2))


async def test_an_era_that_words_name_is_not_taken_back_before_them(desk: Desk) -> None:
    await desk.hear(*RECYCLED)
    era = await desk.do("retire", (phone(1),), day=FIRST_DAY + 2)
    block = await desk.do("block", (phone(1),))
    with pytest.raises(Refused, match=f"Control {block.control_id} names this era"):
        await desk.undo(era.control_id)
    await desk.undo(block.control_id)
    await desk.undo(era.control_id)
    assert await desk.whose(phone(1)) == await desk.whose(user(1))


async def test_partners_of_what_moved_are_counted_anew(graphs: Graphs) -> None:
    """A phone that too many had is two phones that few had."""
    desk = Desk(graphs, TIGHT)
    await desk.hear(*(Said(number, number * DAY, user=number, phone=1) for number in (1, 2, 3)))
    assert await desk.whose(phone(1)) not in [await desk.whose(user(number)) for number in (1, 2, 3)]
    await desk.do("retire", (phone(1),), day=FIRST_DAY + 3)
    assert await desk.whose(phone(1)) == await desk.whose(user(3))


async def test_browsers_of_an_account_are_counted_anew(graphs: Graphs) -> None:
    """One device sold to her is another device: an account may be seen on so many only."""
    desk = Desk(graphs, TIGHT)
    await desk.hear(
        *(Said(number, number * DAY, user=1, browser=number) for number in (1, 2)), Said(5, 99, 1, browser=1)
    )
    assert await desk.whose(browser(1)) == await desk.whose(user(1))
    done = await desk.do("retire", (browser(1),), day=FIRST_DAY + 3)
    assert await desk.whose(browser(2)) != await desk.whose(user(1))
    await desk.undo(done.control_id)
    assert await desk.whose(browser(2)) == await desk.whose(user(1))
