"""A giant group waits for its fold; everything else stays instant, and in the end nothing is missing."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.graph_jobs import desk, done
from integration.identity.shop_talk import Worker
from tern_common.clock import ManualClock
from tern_common.db import connection
from tern_identity.domain.rules import Rules
from tern_identity.store.walks.deferring import Deferred
from unit.identity.histories import SHIPPED, Said, hear

RULES = SHIPPED.model_copy(update={"deferred_above": 5})
GIANT = [Said(user, 10 * user, user=user, phone=user) for user in range(1, 6)] + [
    Said(10 + user, 10 * user + 5, user=user, phone=user + 1) for user in range(1, 5)
]
"""Five members, each of whom also gave the next one's phone: ten values, and who has what is a matter of order."""
LATE = Said(30, 1, user=2, phone=1)


class Counted:
    """Remembers what it was told last."""

    def __init__(self) -> None:
        self.owed = -1
        self.refolds = self.moved = 0
        self.events = self.news = 0

    def filed(self, events: int, news: int) -> None:
        self.events, self.news = self.events + events, self.news + news

    def settled(self, refolds: int, moved: int) -> None:
        self.refolds, self.moved = self.refolds + refolds, self.moved + moved

    def deferred(self, groups: int) -> None:
        self.owed = groups


class Erring(Counted):
    """Cannot be told of a fold."""

    def settled(self, refolds: int, moved: int) -> None:
        raise ZeroDivisionError(refolds, moved)


@pytest.fixture
async def worker(graphs: Graphs) -> Worker:
    found = Worker(graphs, rules=RULES)
    await found.hear(*GIANT)
    await graphs.assert_canonical(RULES)
    return found


async def owed(graphs: Graphs) -> int:
    async with connection(graphs.pool) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM grp WHERE deferred"))


async def test_a_group_that_meets_an_error_of_ours_waits_for_its_next_turn(worker: Worker, graphs: Graphs) -> None:
    """And the process goes on: begun anew, it would meet it again."""
    await worker.hear(LATE)
    deferred = Deferred(desk(graphs, RULES, tally=Erring()))
    with capture_logs() as said:
        assert [await deferred.step(), await deferred.step()] == [1, 0]
    assert [line["log_level"] for line in said] == ["warning", "error"]


async def test_a_late_pair_only_marks_a_giant_and_the_worker_folds_it(worker: Worker, graphs: Graphs) -> None:
    before = await graphs.found()
    await worker.hear(LATE)
    assert await owed(graphs) == 1
    assert (await graphs.found()).core_of == before.core_of
    tally = Counted()
    with capture_logs() as said:
        assert await Deferred(desk(graphs, RULES, tally=tally)).step() == 1
    after = (await graphs.assert_canonical(RULES))[1]
    assert after.core_of != before.core_of
    assert (await owed(graphs), tally.owed, tally.refolds) == (0, 1, 1)
    assert tally.moved > 0
    [warning] = said
    assert warning["size"] == 10
    assert set(warning["best_connected"]) <= {str(token) for token, _ in after.tokens.values()}
    assert warning["partners"] == sorted(warning["partners"], reverse=True)
    assert warning["partners"][0] == 3


async def test_everything_else_stays_instant(worker: Worker, graphs: Graphs) -> None:
    await worker.hear(LATE)
    await worker.hear(Said(40, 200, user=7, phone=8), Said(41, 201, user=1, email=1), Said(42, 202, user=8, browser=1))
    found = await graphs.found()
    assert await owed(graphs) == 1
    cores = [core for core in set(found.core_of.values()) if list(found.core_of.values()).count(core) > 1]
    assert len(cores) > 1
    await Deferred(desk(graphs, RULES)).step()
    await graphs.assert_canonical(RULES)


async def test_the_check_counts_what_is_owed_and_blames_nobody(worker: Worker, graphs: Graphs) -> None:
    await worker.hear(LATE)
    report = (await done(graphs, RULES, "check")).report
    assert (report["owed"], report["drift"]) == (1, {})
    await Deferred(desk(graphs, RULES)).step()
    assert (await done(graphs, RULES, "check")).report["owed"] == 0


async def test_a_group_is_folded_at_most_once_in_an_interval(worker: Worker, graphs: Graphs) -> None:
    clock = ManualClock(KEYS.clock.now())
    work = Deferred(desk(graphs, RULES)._replace(clock=clock), interval_s=60.0)
    await worker.hear(LATE)
    assert await work.step() == 1
    await worker.hear(Said(31, 0, user=3, phone=1))
    assert (await work.step(), await owed(graphs)) == (0, 1)
    await clock.sleep(61.0)
    assert (await work.step(), await owed(graphs)) == (1, 0)
    await graphs.assert_canonical(RULES)


async def test_a_rebuild_folds_what_is_owed(worker: Worker, graphs: Graphs) -> None:
    await worker.hear(LATE)
    await done(graphs, RULES, "rebuild")
    assert await owed(graphs) == 0
    await graphs.assert_canonical(RULES)


async def test_known_events_are_told_from_those_that_brought_something(graphs: Graphs) -> None:
    tally = Counted()
    store = await graphs.store(SHIPPED)
    store._tally = tally
    visits = [Said(number, number, browser=1) for number in range(1, 9)]
    await store.file([hear(one) for one in visits])
    assert (tally.events, tally.news) == (8, 1)
    await store.file([hear(one) for one in (*visits, Said(9, 8, user=1, browser=1), Said(10, 9, user=1, browser=1))])
    assert (tally.events, tally.news) == (18, 2)
    await store.file([hear(one) for one in visits])
    assert (tally.events, tally.news) == (26, 2)


def test_rules_say_what_is_giant() -> None:
    assert Rules.model_validate(SHIPPED.model_dump()).deferred_above == 1_000
