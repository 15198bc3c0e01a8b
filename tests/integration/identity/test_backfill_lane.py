"""What history leads to in identity: its events stay in their lane, memberships are told to everybody."""

from __future__ import annotations

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Reader, Worker, record
from tern_common.bus import Message
from tern_common.consume import Batch
from tern_common.topics import RESOLVED, RESOLVED_BACKFILL
from tern_identity.consumer import BACKFILL_PASSAGE, Arrived, EventHandler
from tern_identity.store import Numbers, Store
from unit.identity.histories import SHIPPED, Said, event

VISIT = Said(1, 0, browser=1)
LOGIN = Said(2, 1, user=1, browser=1)


def historian(graphs: Graphs, live: Worker) -> EventHandler:
    """The handler of the backfill lane in the same process."""
    store = Store(graphs.pool, KEYS, Numbers(SHIPPED, 0))
    return EventHandler(store, graphs.pool, live.bus.producer, RESOLVED_BACKFILL)


def batch(handler: EventHandler, *history: Said) -> Batch[Arrived | Message]:
    return Batch([handler.decode(record(event(said))) for said in history], {})


async def test_events_stay_in_their_lane_and_memberships_are_told_on_the_live_topic(graphs: Graphs) -> None:
    live = Worker(graphs)
    await live.hear(VISIT)
    [visit] = live.resolved()
    handler = historian(graphs, live)
    publish = await handler.apply(batch(handler, LOGIN))
    await publish()
    sent = {topic: live.bus.sent(topic) for topic in BACKFILL_PASSAGE.outputs}
    assert [one.header("schema") for one in sent[RESOLVED_BACKFILL]] == ["resolved"]
    [moved] = [change for change in live.changes() if change.from_]
    assert [home.home_id for home in moved.homes] == [visit.home_id]
    assert live.resolved() == [visit], "no event of the past among those that happen now"
    reader = Reader()
    reader.read([*sent[RESOLVED], *sent[RESOLVED_BACKFILL]])
    assert len({customer for _, customer, _ in reader.members.values()}) == 1


async def test_what_history_changed_and_a_crash_kept_back_is_told_before_the_live_lane_commits(graphs: Graphs) -> None:
    """A live event that builds on it finds the change already made, and derives nothing: the outbox has it (C1)."""
    live = Worker(graphs)
    await live.hear(VISIT)
    handler = historian(graphs, live)
    await handler.apply(batch(handler, LOGIN))
    assert [change for change in live.changes() if change.from_] == []
    await live.hear(Said(3, 2, user=1, browser=1))
    assert [change for change in live.changes() if change.from_] != []


async def test_history_that_is_read_again_is_published_again(graphs: Graphs) -> None:
    """The first copy may be the one that was lost (C2)."""
    live = Worker(graphs)
    handler = historian(graphs, live)
    for copies in (1, 2):
        publish = await handler.apply(batch(handler, LOGIN))
        await publish()
        assert len(live.bus.sent(RESOLVED_BACKFILL)) == copies
