"""What is on the compacted topic when offsets are committed: the newest record of everybody, whoever sent it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
from prometheus_client import REGISTRY

from integration.profile.world import HASHER, Wire, Worker, World, customer, home, record
from tern_common.bus import SEND_TIMEOUT_S, Message
from tern_common.db import Pool, connection
from tern_common.errors import Transient, Unusable
from tern_common.events import HomeVersion, MembershipChange
from unit.profile.saying import event, identify

LIMIT = 3000


class Away(Wire):
    """No broker: nothing is acknowledged."""

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:  # noqa: ARG002
        if messages:
            raise Transient("away")


class Narrow(Wire):
    """A broker that takes small records only, and nothing of what comes with a large one."""

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        if any(len(message.value) > LIMIT for message in messages):
            raise Unusable("message-too-large")
        await super().send(messages, timeout_s)


class Overtaken(Wire):
    """Something else happens before the first record lands."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._meanwhile = [meanwhile]

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        if self._meanwhile:
            await self._meanwhile.pop()()
        await super().send(messages, timeout_s)


@pytest.fixture
def world() -> World:
    world = World()
    world.place("phone", "ann")
    world.place("desk", "ann")
    world.file("phone", identify(1, plan="a"))
    return world


async def unacknowledged(pool: Pool, world: World) -> None:
    """An instance that has committed its transaction, and whose records are still on their way."""
    with pytest.raises(Transient):
        await Worker(pool, Away()).deliver(world.said)


async def test_an_unchanged_record_that_nobody_got_acknowledged_is_published(
    pool: Pool, worker: Worker, world: World
) -> None:
    """The other's offset may lie behind a claim that this batch completes (C1)."""
    await unacknowledged(pool, world)
    same = world.file("desk", identify(2, plan="a"))
    assert [one.profile_version for one in await worker.deliver([same])] == [1]


async def test_so_is_that_of_a_customer_of_whom_nothing_public_is_said(
    pool: Pool, worker: Worker, world: World
) -> None:
    await unacknowledged(pool, world)
    view = world.file("phone", event("view", 2, type="page"))
    assert [one.profile_version for one in await worker.deliver([view])] == [1]


async def test_an_acknowledged_record_is_not_published_again(worker: Worker, world: World) -> None:
    await worker.deliver(world.said)
    assert await worker.deliver([world.file("desk", identify(2, plan="a"))]) == []


async def test_a_change_that_an_event_has_told_in_part_publishes_nothing_until_it_comes_again(
    worker: Worker, world: World
) -> None:
    """Its door is new: so it was not applied before, and no record of it can be lost."""
    await worker.deliver(world.said)
    told = HomeVersion(home("phone"), world.owner["phone"][1])
    door = HomeVersion(HASHER.door("email", "ann@shop.example"), 9)
    change = record(MembershipChange(customer_id=customer("ann"), homes=(told,), doors=(door,)))
    assert await worker.deliver([change]) == []
    assert [one.profile_version for one in await worker.deliver([change])] == [1]


async def test_whoever_was_overtaken_sends_the_newest_record_again(pool: Pool, worker: Worker, world: World) -> None:
    """Compaction keeps what came last, not what is newest."""
    newer = world.file("desk", identify(2, plan="b"))
    slow = Worker(pool, wire := Overtaken(lambda: worker.deliver([newer])))
    await slow.deliver(world.said[:1])
    assert [one.profile_version for one in worker.wire.published] == [2]
    assert [one.profile_version for one in wire.published] == [1, 2]


async def test_whoever_is_overtaken_again_and_again_ends_with_the_newest(
    pool: Pool, worker: Worker, world: World
) -> None:
    second, third = (world.file("desk", identify(hour, plan=f"{hour}")) for hour in (2, 3))
    middle = Worker(pool, between := Overtaken(lambda: worker.deliver([third])))
    slow = Worker(pool, wire := Overtaken(lambda: middle.deliver([second])))
    await slow.deliver(world.said[:1])
    assert [[one.profile_version for one in sent.published] for sent in (wire, between)] == [[1, 3], [2, 3]]


async def test_a_record_that_no_broker_takes_stops_no_other_and_rejects_no_event(pool: Pool, world: World) -> None:
    worker = Worker(pool, Narrow())
    for name in ("bob", "eve"):
        world.place(name, name)
        world.file(name, identify(1, plan=name))
    world.file("phone", identify(1, "large", story="x" * LIMIT))
    before = _unpublishable()
    found = await worker.deliver(world.said)
    assert {one.customer_id for one in found} == {customer("bob"), customer("eve")}
    assert _unpublishable() == before + 1
    assert await worker.deliver([world.file("phone", event("view", 2, type="page"))]) == []
    assert _unpublishable() == before + 1, "it is left out once, until it changes"
    smaller = await worker.deliver([world.file("phone", identify(3, story=None))])
    assert [(one.customer_id, one.profile_version) for one in smaller] == [(customer("ann"), 2)]


def _unpublishable() -> float:
    return REGISTRY.get_sample_value("tern_profile_unpublishable_total", {"reason": "message-too-large"}) or 0.0


async def test_an_older_acknowledgement_takes_nothing_back(pool: Pool, worker: Worker, world: World) -> None:
    newer = world.file("desk", identify(2, plan="b"))
    await Worker(pool, Overtaken(lambda: worker.deliver([newer]))).deliver(world.said[:1])
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT published_version FROM profile") == 2
