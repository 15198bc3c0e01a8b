"""What is published although nothing happens, and what is not although something does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from random import Random

import pytest

from integration.profile.histories import history
from integration.profile.world import Wire, Worker, World, batches, speaking
from tern_common.bus import SEND_TIMEOUT_S, Message, Record
from tern_common.db import Pool
from tern_common.errors import Transient
from tern_common.events import ResolvedEvent, decode_event, decode_resolved
from tern_profile.store import redeclaring, timers
from unit.profile.saying import POLICY, START, at, event, identify, track

LAPSES_IN = 12
"""Hours, in the policy of these tests."""


@dataclass
class Told:
    """`records.Moments` that a test moves."""

    day: int = START.toordinal()
    certain: datetime | None = None

    def newest_day(self) -> int:
        return self.day

    def passed(self) -> datetime | None:
        return self.certain


@pytest.fixture
def world() -> World:
    """Ann has a phone and a desk."""
    world = World()
    world.place("phone", "ann")
    world.place("desk", "ann")
    return world


class TestOrdinaryTraffic:
    async def test_views_of_a_known_day_publish_nothing_and_the_next_day_tells_their_hours(
        self, pool: Pool, world: World
    ) -> None:
        told = Told()
        worker = Worker(pool, moments=told)
        await worker.deliver(
            [world.file("phone", event("p", 0, type="page")), world.file("desk", identify(0, plan="a"))]
        )
        said = [
            world.file(name, event(f"{name}{n}", n / 20, type="page")) for n in range(100) for name in ("phone", "desk")
        ]
        for part in batches(said, Random(1)):
            assert await worker.deliver(part) == []
        told.day += 1
        (record,) = await worker.deliver([world.file("phone", event("next day", 24, type="page"))])
        assert sum(record.active_hours) == 202
        assert speaking(worker.wire.newest()) == world.expected()

    async def test_what_comes_late_counts_although_its_home_knows_no_later_day(self, pool: Pool, world: World) -> None:
        """The desk has not been used since, so to it the day is not over; to Ann it is."""
        told = Told(day=START.toordinal() + 1)
        worker = Worker(pool, moments=told)
        days = [world.file("desk", event("d", 0, type="page")), world.file("phone", event("p", 24, type="page"))]
        await worker.deliver(days)
        (record,) = await worker.deliver([world.file("desk", event("late", 2, type="page"))])
        assert sum(record.active_hours) == 2
        assert speaking(worker.wire.newest()) == world.expected()

    @pytest.mark.parametrize("seed", range(6))
    async def test_in_the_order_of_days_all_that_is_left_out_changes_nothing_that_is_published(
        self, pool: Pool, seed: int
    ) -> None:
        """Several workers, homes that move, copies: whoever passes over an event of today owes nobody a record."""
        random = Random(seed)
        world = history(random, 80)
        told, wire = Told(), Wire()
        workers = [Worker(pool, wire, moments=told) for _ in range(2)]
        for day, records in groupby(sorted(world.said, key=_day), key=_day):
            told.day = day
            for part in batches(list(records), random):
                await random.choice(workers).deliver(part)
        assert speaking(wire.newest()) == world.expected()


def _day(record: Record) -> int:
    """Moves come first: they have no time."""
    said = decode_resolved(record.value)
    return decode_event(said.event).event_time.toordinal() if isinstance(said, ResolvedEvent) else 0


class TestTimers:
    """Ann ordered, and nothing else happens."""

    @pytest.fixture
    async def told(self, pool: Pool, world: World) -> Told:
        told = Told(certain=at(2))
        order = world.file("phone", track("Order Completed", 1, order_id="o", total=5))
        (record,) = await Worker(pool, moments=told).deliver([order])
        assert "lapsed" not in record.classes
        return told

    async def test_nothing_is_published_before_the_moment_is_certain(self, pool: Pool, told: Told) -> None:
        told.certain = at(1 + LAPSES_IN) - timedelta(microseconds=1)
        assert await Worker(pool, moments=told).wake() == []
        assert await timers.next_at(pool) == at(1 + LAPSES_IN)

    async def test_then_it_is_published_once_with_that_very_moment(self, pool: Pool, told: Told) -> None:
        told.certain = at(99)
        worker = Worker(pool, moments=told)
        (record,) = await worker.wake()
        assert record.classes["lapsed"] == at(1 + LAPSES_IN)
        assert await worker.wake() == []
        assert await timers.next_at(pool) is None

    async def test_an_order_that_came_before_the_moment_was_certain_keeps_it_from_turning(
        self, pool: Pool, told: Told, world: World
    ) -> None:
        worker = Worker(pool, moments=told)
        await worker.deliver([world.file("desk", track("Order Completed", 9, order_id="o2", total=5))])
        told.certain = at(1 + LAPSES_IN)
        assert await worker.wake() == []
        assert await timers.next_at(pool) == at(9 + LAPSES_IN)

    async def test_who_dies_before_publishing_leaves_it_to_another(self, pool: Pool, told: Told) -> None:
        told.certain = at(99)
        with pytest.raises(Transient):
            await Worker(pool, Away(), moments=told).wake()
        (record,) = await Worker(pool, moments=told).wake()
        assert "lapsed" in record.classes

    async def test_an_instance_that_knows_less_turns_nothing_back(self, pool: Pool, told: Told, world: World) -> None:
        told.certain = at(99)
        await Worker(pool, moments=told).wake()
        (record,) = await Worker(pool).deliver([world.file("desk", identify(9, plan="a"))])
        assert "lapsed" in record.classes

    async def test_an_instance_that_knows_nothing_yet_wakes_nobody(self, pool: Pool, told: Told) -> None:
        told.certain = None
        assert await Worker(pool, moments=told).wake() == []

    async def test_who_was_erased_or_absorbed_is_woken_no_more(self, pool: Pool, told: Told, world: World) -> None:
        await Worker(pool, moments=told).deliver([world.move("bob", "phone", "desk")])
        assert await timers.next_at(pool) == at(1 + LAPSES_IN)
        await Worker(pool, moments=told).deliver([world.erase("bob", "phone", "desk")])
        assert await timers.next_at(pool) is None


class TestDeclarations:
    """Who declares something asks it of everybody, also of those to whom nothing happens any more."""

    async def test_everybody_is_looked_at_once_when_declarations_change(self, pool: Pool, world: World) -> None:
        world.place("elsewhere", "bob")
        order = world.file("phone", track("Order Completed", 1, order_id="o", total=5))
        said = [order, world.file("elsewhere", identify(1, plan="a"))]
        told = Told(certain=at(99))
        await Worker(pool, policy=POLICY, moments=told).deliver(said)
        (record,) = await Worker(pool, moments=told).wake()
        assert record.classes == {"buyer": at(1), "lapsed": at(1 + LAPSES_IN)}
        assert await Worker(pool, moments=told).wake() == []
        (record,) = await Worker(pool, policy=POLICY, moments=told).wake()
        assert record.classes == {}
        assert await timers.next_at(pool) is None

    async def test_where_nothing_is_declared_nobody_is_woken(self, pool: Pool, world: World) -> None:
        plain = Worker(pool, policy=POLICY, moments=Told(certain=at(99)))
        await plain.deliver([world.file("phone", identify(1, plan="a"))])
        assert await plain.wake() == []

    async def test_pages_follow_each_other(self, pool: Pool, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(redeclaring, "PAGE", 2)
        for number in range(5):
            world.place(f"h{number}", f"c{number}")
            world.file(f"h{number}", track("Order Completed", 1, order_id=f"o{number}", total=5))
        told = Told(certain=at(99))
        await Worker(pool, policy=POLICY, moments=told).deliver(world.said)
        assert len(await Worker(pool, moments=told).wake()) == 5


class Away(Wire):
    """No broker: nothing is acknowledged."""

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:  # noqa: ARG002
        if messages:
            raise Transient("away")
