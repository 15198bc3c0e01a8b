"""Topics grow under traffic: new keys go to new partitions, and safe time never passes a record that was not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime
from typing import NamedTuple

from support.names import unique
from support.shop import Shop, background
from support.waiting import eventually
from tern_cli.__main__ import main
from tern_cli.platform import Session
from tern_common.bus import Bus, Place
from tern_common.db import Pool, connection, open_pool
from tern_common.kafka import kafka_bus
from tern_common.topics import BY_NAME, EVENTS, RESOLVED

PATIENCE = ("--quiet", "2", "--settle", "12")
"""Four rounds of claims; a little more than one age of metadata, which suffices where there is one broker."""
STANDING = """
SELECT (SELECT at FROM safe_time WHERE lane = 'live'),
       (SELECT json_agg(json_build_array(topic, partition, next)) FROM position)
"""


class Sample(NamedTuple):
    """Safe time and positions, as one look at the database sees them."""

    safe: datetime
    positions: Mapping[Place, int]


class Traffic:
    """Events of people nobody has seen before, and looks at what triggers believe, until it is over."""

    def __init__(self, shop: Shop, pool: Pool) -> None:
        self.acknowledged: dict[str, datetime] = {}
        self.samples = list[Sample]()
        self.over = False
        self._shop = shop
        self._pool = pool

    async def goes_on(self) -> None:
        """Returns when safe time has moved some more times."""
        goal = self.moves + 10
        await eventually(lambda: self.moves >= goal, 30, "safe time goes on")

    @property
    def moves(self) -> int:
        """How many safe times were seen."""
        return len({sample.safe for sample in self.samples})

    async def send(self) -> None:
        while not self.over:
            events = [self._shop.event("Product Viewed", unique("passer-by")) for _ in range(5)]
            await self._shop.send(events)
            told = self._shop.clock.now()
            self.acknowledged.update({event["messageId"]: told for event in events})
            await self._shop.clock.sleep(0.05)

    async def look(self) -> None:
        while not self.over:
            async with connection(self._pool) as conn:
                row = await conn.fetchrow(STANDING)
            assert row is not None
            if row[0] is not None:
                positions = {Place(topic, partition): reached for topic, partition, reached in json.loads(row[1])}
                self.samples.append(Sample(row[0], positions))
            await self._shop.clock.sleep(0.05)


async def grow(shop: Shop, topic: str, partitions: int) -> None:
    """As an operator does."""
    words = ["--run-file", str(shop.run_file), "topics", "grow", topic, str(partitions), *PATIENCE]
    assert await asyncio.to_thread(main, words, Session()) == 0


async def standing(bus: Bus, topic: str) -> dict[str, list[tuple[Place, int]]]:
    """message_id → where the records about it stand."""
    found: dict[str, list[tuple[Place, int]]] = {}
    left = {partition: end for partition, end in (await bus.log.ends(topic)).items() if end}
    async with aclosing(bus.tail(topic)) as records:
        async for record in records:
            copies = found.setdefault(record.header("message-id") or "", [])
            copies.append((Place(topic, record.partition), record.offset))
            if record.offset + 1 >= left.get(record.partition, record.offset + 2):
                del left[record.partition]
            if not left:
                return found
    raise AssertionError("the topic ended")


async def test_topics_grow_under_traffic_and_safe_time_goes_on_without_passing_an_unread_record(shop: Shop) -> None:
    pool = await open_pool(shop.door("postgres"), service="triggers", size=2)
    traffic = Traffic(shop, pool)
    async with background(traffic.send(), traffic.look()):
        try:
            for topic in (EVENTS, RESOLVED):
                await traffic.goes_on()
                await grow(shop, topic, BY_NAME[topic].partitions + 4)
                await traffic.goes_on()
        finally:
            traffic.over = True
    await shop.settled()
    await pool.close()

    async with kafka_bus(shop.door("kafka"), unique("growing")) as bus:
        events, resolved = await standing(bus, EVENTS), await standing(bus, RESOLVED)
    for topic, records in ((EVENTS, events), (RESOLVED, resolved)):
        new = [
            place for copies in records.values() for place, _ in copies if place.partition >= BY_NAME[topic].partitions
        ]
        assert {place.partition for place in new} == set(
            range(BY_NAME[topic].partitions, BY_NAME[topic].partitions + 4)
        )
    assert traffic.acknowledged.keys() <= resolved.keys(), "nothing was lost"

    moments = [sample.safe for sample in traffic.samples]
    assert moments == sorted(moments)
    for sample in traffic.samples:
        before = [message_id for message_id, told in traffic.acknowledged.items() if told < sample.safe]
        unread = [
            message_id
            for message_id in before
            if all(sample.positions.get(place, 0) <= offset for place, offset in resolved[message_id])
        ]
        assert unread == [], f"safe time was {sample.safe}"
