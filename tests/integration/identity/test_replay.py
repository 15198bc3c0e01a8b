"""Replaying what `events` still holds changes nothing: not a membership, not a version, not a notice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from random import Random

import pytest

from integration.identity.graph_in_database import Graphs
from integration.identity.test_store_equals_specification import history
from support.names import unique
from support.running import running
from support.waiting import eventually
from tern_common.bus import SEND_TIMEOUT_S, Bus, Message
from tern_common.clock import SystemClock
from tern_common.consume import consume
from tern_common.db import connection
from tern_common.events import MembershipChange, decode_resolved, encode
from tern_common.fetching import Pacing
from tern_common.kafka import kafka_bus
from tern_common.rejecting import Rejecting
from tern_common.topics import IDENTITY, RESOLVED, Topic
from tern_identity.consumer import EventHandler
from tern_identity.domain.rules import Rules
from unit.identity.histories import HASTY, TIGHT, event


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[Bus]:
    async with kafka_bus(kafka_bootstrap, unique("identity")) as opened:
        yield opened


class Sent:
    """A producer that keeps what is published, apart from what other tests do on the broker."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        assert timeout_s > 0
        self.messages.extend(messages)

    def events(self) -> int:
        return sum(one.topic == RESOLVED for one in self.messages) - len(self.changes())

    def changes(self) -> list[MembershipChange]:
        said = [decode_resolved(one.value) for one in self.messages if one.topic == RESOLVED]
        return [one for one in said if isinstance(one, MembershipChange)]


async def replayed(bus: Bus, graphs: Graphs, source: str, rules: Rules, count: int) -> Sent:
    """The topic from its start, by a group that never read it."""
    sent = Sent()
    handler = EventHandler(await graphs.store(rules), graphs.pool, sent)
    consumer = await bus.subscribe(unique("identity"), [source])
    loop = consume(consumer, handler, Rejecting(bus.producer, "identity"), SystemClock(), pace=Pacing(50))
    async with running(loop):
        await eventually(lambda: sent.events() >= count, 60, "all events are through")
        await eventually(lambda: _nothing_waits(graphs), 60, "all that follows is through")
    return sent


async def _nothing_waits(graphs: Graphs) -> bool:
    async with connection(graphs.pool) as conn:
        return bool(await conn.fetchval("SELECT count(*) = 0 FROM parcel"))


@pytest.mark.parametrize("rules", [TIGHT, HASTY], ids=["tight", "hasty"])
async def test_replaying_changes_nothing(bus: Bus, graphs: Graphs, rules: Rules) -> None:
    source = unique("events")
    await bus.log.create([Topic(source, 3)])
    told = [event(said) for said in history(Random(3), 200, persons=10)]
    await bus.producer.send([Message(source, one.message_id.encode(), encode(one)) for one in told])

    first = await replayed(bus, graphs, source, rules, len(told))
    assert first.changes()
    before = (await graphs.assert_canonical(rules))[1]

    again = await replayed(bus, graphs, source, rules, len(told))
    assert await graphs.found() == before
    assert again.changes() == []
    assert [one for one in again.messages if one.topic == IDENTITY] == []
    assert again.events() == len(told)
