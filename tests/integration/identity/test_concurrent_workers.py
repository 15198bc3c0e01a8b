"""Several workers on one database and one hot set of persons: equal to the specification, without a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Reader, Worker
from integration.identity.test_store_equals_specification import history
from tern_common.errors import Transient
from tern_common.topics import RESOLVED
from tern_identity.domain.collapsing import Heard
from tern_identity.domain.rules import Rules
from tern_identity.store import Filed, Numbers, Store
from tern_identity.store.errors import GroupsMoved
from unit.identity.histories import HASTY, SHIPPED, TIGHT, Said, hear

EVENTS = 400


async def work(worker: Worker, batches: list[list[Said]]) -> None:
    while batches:
        await worker.hear(*batches.pop())


def batches(random: Random, size: int) -> list[list[Said]]:
    said = history(random, EVENTS, persons=12)
    said += random.sample(said, EVENTS // 3)
    random.shuffle(said)
    return [said[start : start + size] for start in range(0, len(said), size)]


@pytest.mark.parametrize(
    ("workers", "size", "rules"),
    [(1, 40, TIGHT), (4, 5, TIGHT), (4, 40, TIGHT), (4, 10, HASTY), (4, 15, SHIPPED), (8, 5, TIGHT), (8, 20, HASTY)],
    ids=[
        "one",
        "four-small-batches",
        "four-large-batches",
        "four-hasty",
        "four-shipped-rules",
        "eight-small-batches",
        "eight-hasty",
    ],
)
async def test_concurrent_workers_equal_the_specification(
    graphs: Graphs, rules: Rules, workers: int, size: int
) -> None:
    random = Random(workers * 100 + size)
    crew = [Worker(graphs, rules=rules) for _ in range(workers)]
    todo = batches(random, size)
    async with asyncio.timeout(120):
        await asyncio.gather(*(work(one, todo) for one in crew))
    _, found = await graphs.assert_canonical(rules)

    delivered = [one for worker in crew for one in worker.bus.sent(RESOLVED)]
    delivered += random.sample(delivered, len(delivered) // 2)
    random.shuffle(delivered)
    reader = Reader()
    reader.read(delivered)
    assert reader.members == {
        home_id: (it.version, str(it.customer_id), it.shared) for home_id, it in found.members.items()
    }


class Restless(Store):
    """A store whose groups always move when it takes more events than `calm` at a time."""

    calm = 1

    async def _file(self, events: Sequence[Heard]) -> list[Filed]:
        if len(events) > self.calm:
            raise GroupsMoved
        return await super()._file(events)


async def test_a_batch_whose_groups_keep_moving_is_halved(graphs: Graphs) -> None:
    store = Restless(graphs.pool, KEYS, Numbers(TIGHT, 0))
    await store.refresh()
    heard = [hear(Said(number, 0, user=number, browser=number)) for number in (1, 2, 3)]
    filed = await store.file(heard)
    assert len({one.home_id for one in filed}) == len(filed) == len(heard)
    await graphs.assert_canonical(TIGHT)


async def test_an_event_whose_group_keeps_moving_is_tried_again_later(graphs: Graphs) -> None:
    store = Restless(graphs.pool, KEYS, Numbers(TIGHT, 0))
    await store.refresh()
    store.calm = 0
    with pytest.raises(Transient):
        await store.file([hear(Said(1, 0, user=1))])
