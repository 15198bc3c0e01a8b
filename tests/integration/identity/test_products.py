"""Events about products have no person: they are passed on, and identity keeps nothing of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec import Raw
from msgspec.structs import replace

from integration.identity.graph_in_database import Graphs
from integration.identity.shop_talk import Worker
from support.names import unique
from support.running import running
from tern_common import topics
from tern_common.bus import Bus, Message, Record
from tern_common.clock import SystemClock
from tern_common.consume import consume
from tern_common.db import connection
from tern_common.events import Event, encode
from tern_common.fetching import Pacing
from tern_common.kafka import kafka_bus
from tern_common.rejecting import Rejecting
from tern_common.topics import CATALOG, REJECTED, RESOLVED, Topic
from tern_identity.consumer import EventHandler
from unit.identity.histories import SHIPPED, Said, event


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[Bus]:
    async with kafka_bus(kafka_bootstrap, unique("identity")) as opened:
        await opened.log.create(topics.TABLE)
        yield opened


def priced(product_id: str) -> Event:
    """A price that a server of the shop states, with identifiers on it that are beside the point."""
    said = Raw(b'{"product_id":"%s","price":7.5}' % product_id.encode())
    visit = event(Said(1, 0, user=1, phone=1, browser=1))
    return replace(
        visit, message_id=product_id, type="track", name="Product Price Changed", properties=said, mode="replay"
    )


async def _found(bus: Bus, topic: str, marker: str) -> Record:
    async for record in bus.tail(topic):
        if marker.encode() in record.value:
            return record
    raise AssertionError("the topic ended")


async def _resolved(bus: Bus) -> int:
    return sum((await bus.log.ends(RESOLVED)).values())


async def test_an_event_about_a_product_is_passed_on_and_filed_under_nobody(bus: Bus, graphs: Graphs) -> None:
    source, product_id = unique("events"), unique("mug")
    await bus.log.create([Topic(source, 1)])
    said = priced(product_id)
    nameless = replace(said, message_id=unique("nameless"), properties=Raw(b"{}"))
    await bus.producer.send([Message(source, b"k", encode(one)) for one in (said, nameless)])
    handler = EventHandler(await graphs.store(SHIPPED), graphs.pool, bus.producer)
    consumer = await bus.subscribe(unique("identity"), [source])
    loop = consume(consumer, handler, Rejecting(bus.producer, "identity"), SystemClock(), pace=Pacing(500))
    before = await _resolved(bus)
    async with running(loop):
        passed = await _found(bus, CATALOG, product_id)
        assert (passed.key.decode(), passed.value) == (product_id, encode(said))
        assert [passed.header(name) for name in ("message-id", "schema", "mode")] == [product_id, "event", "replay"]
        rejected = await _found(bus, REJECTED, nameless.message_id)
        assert (rejected.header("reason"), rejected.value) == ("product-id-missing", encode(nameless))
    assert await _resolved(bus) == before
    async with connection(graphs.pool) as conn:
        for table in ("node", "home", "parcel"):
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_persons_events_of_the_same_batch_are_filed_as_ever(graphs: Graphs) -> None:
    worker = Worker(graphs)
    visit = event(Said(2, 0, browser=1))
    told = [replace(priced("mug-1"), message_id="m-1"), visit, replace(priced("mug-2"), message_id="m-3")]
    await worker.take([Record("in", 0, offset, b"k", encode(one)) for offset, one in enumerate(told)])
    assert sorted(one.key for one in worker.bus.sent(CATALOG)) == [b"mug-1", b"mug-2"]
    assert [bytes(one.event) for one in worker.resolved()] == [encode(visit)]
