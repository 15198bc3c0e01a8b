"""Operators' words (identity.md §6): a test for each sentence. After every act the graph follows from the ledger."""

from __future__ import annotations

from uuid import UUID

import pytest

from integration.identity.desk import ACT, TODAY, Desk, browser, email, phone, user
from integration.identity.graph_in_database import Graphs
from tern_common.db import transaction
from tern_common.errors import Refused, Transient
from tern_common.events import Merged
from tern_common.identifiers import Identifier
from tern_identity.store import NO_WORK, Numbers, Step, Store, T, Work
from tern_identity.store.acting import Wish
from tern_identity.store.controls import Kind
from tern_identity.store.errors import GroupsMoved
from tern_identity.store.operators import Operators
from tern_identity.store.ruleset import make_live
from unit.identity.histories import TIGHT, Said

DAY = 24
TWO = (Said(1, 0, user=1, phone=1, browser=1), Said(2, 1, email=1), Said(3, 2, phone=2, email=1))
WRONG = Said(4, 3, user=1, email=1)


@pytest.fixture
def desk(graphs: Graphs) -> Desk:
    return Desk(graphs)


def merge_id(desk: Desk) -> str:
    [merged] = [one for one in desk.worker.notices() if isinstance(one, Merged) and one.cause["kind"] == "pair"]
    return merged.merge_id


async def refused(
    desk: Desk, code: str, kind: Kind, group: tuple[Identifier, ...], rest: tuple[Identifier, ...] = ()
) -> None:
    with pytest.raises(Refused) as told:
        await desk.do(kind, group, rest)
    assert told.value.code == code


async def test_merge_then_revert_gives_back_partition_and_ids(desk: Desk) -> None:
    await desk.hear(*TWO)
    before = await desk.owners()
    await desk.hear(WRONG)
    assert await desk.owners() != before
    done = await desk.revert(merge_id(desk))
    assert await desk.owners() == before
    assert done.moved > 0
    assert {turn[::-1] for turn in done.turned} == {(await desk.whose(email(1)), await desk.whose(user(1)))}


async def test_a_reverted_pair_never_meets_again_by_any_path(desk: Desk) -> None:
    await desk.hear(*TWO, WRONG)
    await desk.do("revert", (user(1),), (email(1),))
    ids = {await desk.whose(user(1)), await desk.whose(email(1))}
    await desk.hear(WRONG._replace(message=5, hours=9), Said(6, 10, user=1, phone=2))
    assert {await desk.whose(user(1)), await desk.whose(email(1))} == ids
    assert len(ids) == 2


async def test_a_revert_that_is_undone_joins_again(desk: Desk) -> None:
    await desk.hear(*TWO)
    await desk.hear(WRONG)
    joined = await desk.owners()
    done = await desk.revert(merge_id(desk))
    await desk.undo(done.control_id)
    assert await desk.owners() == joined


async def test_every_move_of_an_act_names_the_control(desk: Desk) -> None:
    await desk.hear(*TWO)
    await desk.hear(WRONG)
    told = desk.worker.changes()
    done = await desk.revert(merge_id(desk))
    new = [change for change in desk.worker.changes() if change not in told]
    assert new
    assert all(change.cause == {"kind": "control", "control": done.control_id} for change in new)


async def test_a_merge_that_was_never_told_and_a_pair_that_was_never_said_cannot_be_reverted(desk: Desk) -> None:
    await desk.hear(*TWO)
    with pytest.raises(Refused, match=r"tern\.identity\.v1") as told:
        await desk.revert(str(UUID(int=7)))
    assert told.value.status == 404
    await refused(desk, "never-paired", "revert", (user(1),), (email(1),))
    await refused(desk, "unknown-identifier", "revert", (user(1),), (email(9),))


async def test_a_split_keeps_the_sides_apart_and_each_together(desk: Desk) -> None:
    await desk.hear(*TWO, WRONG)
    done = await desk.do("split", (user(1), phone(1)), (email(1), phone(2)))
    ours, theirs = await desk.whose(user(1)), await desk.whose(email(1))
    assert ours == await desk.whose(phone(1)) != theirs == await desk.whose(phone(2))
    await desk.hear(Said(7, 5, user=1, email=1), Said(8, 6, user=1, phone=2))
    assert [await desk.whose(one) for one in (user(1), email(1), phone(2))] == [ours, theirs, theirs]
    await desk.undo(done.control_id)
    assert {await desk.whose(one) for one in (user(1), phone(1), email(1), phone(2))} == {ours}


async def test_each_side_keeps_together_though_only_the_other_joined_it(desk: Desk) -> None:
    """Both were hers through a third, which goes to the other side."""
    await desk.hear(Said(1, 0, user=1, phone=1), Said(2, 1, user=1, email=1))
    await desk.do("split", (user(1),), (phone(1), email(1)))
    assert await desk.whose(phone(1)) == await desk.whose(email(1)) != await desk.whose(user(1))


async def test_a_split_names_every_identifier_of_one_customer(desk: Desk) -> None:
    await desk.hear(*TWO)
    await refused(desk, "not-one-customer", "split", (user(1),), (email(1),))
    await desk.hear(WRONG)
    with pytest.raises(Refused, match=r"1 more \(phone \+8\*\*\*72\)") as told:
        await desk.do("split", (user(1), phone(1)), (email(1),))
    assert told.value.code == "not-all-named"
    await refused(desk, "side-of-browsers", "split", (user(1), phone(1), phone(2), email(1)), (browser(1),))


async def test_a_browser_on_one_side_is_kept_from_the_other(desk: Desk) -> None:
    await desk.hear(*TWO, WRONG, Said(5, 4, email=1, browser=1))
    await desk.do("split", (user(1), phone(1)), (email(1), phone(2), browser(1)))
    assert await desk.whose(browser(1)) == await desk.whose(email(1))


async def test_a_browser_is_kept_apart_from_a_person_whoever_she_joins(desk: Desk) -> None:
    await desk.hear(Said(1, 0, user=1, browser=1), Said(2, 1, phone=1), Said(3, 1, browser=1))
    visitor = (await desk.graphs.found()).tokens
    done = await desk.do("cannot-link", (phone(1),), (browser(1),))
    assert await desk.whose(browser(1)) == await desk.whose(user(1))
    await desk.hear(Said(4, 2, user=1, phone=1))
    assert await desk.whose(browser(1)) in {token for token, _ in visitor.values()} - {await desk.whose(user(1))}
    await desk.undo(done.control_id)
    assert await desk.whose(browser(1)) == await desk.whose(user(1))


async def test_two_who_are_kept_apart_never_become_one(desk: Desk) -> None:
    done = await desk.do("cannot-link", (user(1),), (email(1),))
    await desk.hear(*TWO, WRONG)
    assert await desk.whose(user(1)) != await desk.whose(email(1))
    await refused(desk, "already-in-force", "cannot-link", (email(1),), (user(1),))
    await desk.undo(done.control_id)
    assert await desk.whose(user(1)) == await desk.whose(email(1))


async def test_a_blocked_value_joins_nobody_until_it_is_unblocked(desk: Desk) -> None:
    """Also one that nobody has named yet."""
    early = await desk.do("block", (phone(1),))
    await desk.hear(*TWO, WRONG)
    assert await desk.whose(phone(1)) != await desk.whose(user(1))
    late = await desk.do("block", (email(1),))
    assert await desk.whose(phone(2)) != await desk.whose(user(1))
    await desk.undo(early.control_id)
    await desk.undo(late.control_id)
    assert {await desk.whose(one) for one in (phone(1), phone(2), email(1))} == {await desk.whose(user(1))}


async def test_a_blocked_browser_is_nobodys(desk: Desk) -> None:
    await desk.hear(*TWO, Said(5, 5, browser=1))
    done = await desk.do("block", (browser(1),))
    known = await desk.directory.by_identifier(browser(1))
    assert known is not None
    assert known.shared
    await desk.undo(done.control_id)
    assert await desk.whose(browser(1)) == await desk.whose(user(1))


async def test_waiting_pairs_of_an_allowed_value_apply_at_their_own_times(graphs: Graphs) -> None:
    desk = Desk(graphs, TIGHT)
    await desk.hear(*(Said(number, number * DAY, user=number, phone=1) for number in (3, 2, 1)))
    assert len({await desk.whose(one) for one in (phone(1), user(1), user(2), user(3))}) == 4
    done = await desk.do("allow", (phone(1),))
    assert await desk.whose(phone(1)) == await desk.whose(user(1))
    await desk.undo(done.control_id)
    assert await desk.whose(phone(1)) != await desk.whose(user(1))


async def test_an_account_with_too_many_partners_can_be_allowed(graphs: Graphs) -> None:
    desk = Desk(graphs, TIGHT)
    await desk.hear(*(Said(number, number * DAY, user=1, phone=number) for number in (1, 2, 3, 4)))
    assert await desk.whose(phone(1)) != await desk.whose(user(1))
    await desk.do("allow", (user(1),))
    assert await desk.whose(phone(1)) == await desk.whose(phone(2)) == await desk.whose(user(1))


async def test_what_means_nothing_is_refused(graphs: Graphs) -> None:
    desk = Desk(graphs, TIGHT.model_copy(update={"blocklist": ("phone:*4",)}))
    await refused(desk, "not-counted", "allow", (browser(1),))
    await refused(desk, "on-blocklist", "allow", (phone(4),))
    await refused(desk, "two-browsers", "cannot-link", (browser(1),), (browser(2),))


async def test_what_is_said_already_or_the_opposite_is_refused_and_names_the_control(desk: Desk) -> None:
    done = await desk.do("block", (phone(1),))
    with pytest.raises(Refused, match=f"Control {done.control_id} says so already") as again:
        await desk.do("block", (phone(1),))
    with pytest.raises(Refused, match=f"Control {done.control_id} says the opposite") as contrary:
        await desk.do("allow", (phone(1),))
    assert again.value.status == contrary.value.status == 409
    await desk.undo(done.control_id)
    await desk.do("allow", (phone(1),))


async def test_nothing_is_taken_back_twice_and_nothing_that_is_not_there(desk: Desk) -> None:
    done = await desk.do("block", (phone(1),))
    await desk.undo(done.control_id)
    with pytest.raises(Refused, match="already"):
        await desk.undo(done.control_id)
    with pytest.raises(Refused, match="no control"):
        await desk.undo(999)


async def test_two_acts_about_one_pair_are_taken_back_singly(desk: Desk) -> None:
    await desk.hear(*TWO, WRONG)
    first = await desk.do("revert", (user(1),), (email(1),))
    second = await desk.do("cannot-link", (user(1),), (email(1),))
    await desk.undo(first.control_id)
    assert await desk.whose(user(1)) != await desk.whose(email(1))
    await desk.undo(second.control_id)
    assert await desk.whose(user(1)) == await desk.whose(email(1))


async def test_an_act_goes_by_the_rules_that_are_live(desk: Desk) -> None:
    await desk.hear(*TWO)
    newer = desk.rules.model_copy(update={"version": 2, "blocklist": ("phone:*3",)})
    async with transaction(desk.graphs.pool) as conn:
        await make_live(conn, newer, ACT)
    with pytest.raises(Refused, match="blocklist of the rules"):
        await desk.operators.act(Wish("allow", (phone(3),), (), TODAY), ACT)


class Restless(Store):
    """A store whose groups always move."""

    async def perform(self, step: Step[T], work: Work = NO_WORK) -> T:
        assert callable(step)
        raise GroupsMoved(work.lock)


async def test_an_act_on_a_graph_that_does_not_stand_still_may_be_tried_again(desk: Desk) -> None:
    restless = Restless(desk.graphs.pool, desk.keys, Numbers(desk.rules, 0))
    operators = Operators(desk.graphs.pool, desk.keys, restless, desk.worker.bus.producer)
    with pytest.raises(Transient, match="moves faster"):
        await operators.act(Wish("block", (phone(1),), (), TODAY), ACT)
    assert await operators.page(None, None, 10) == []
