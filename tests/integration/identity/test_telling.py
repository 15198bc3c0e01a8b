"""What identity publishes: every event with its membership, every change once it is committed, and why."""

from __future__ import annotations

import msgspec
import pytest

from integration.identity.graph_in_database import KEYS, Graphs
from integration.identity.shop_talk import Reader, Worker, record
from tern_common.bus import Record
from tern_common.db import connection
from tern_common.errors import Poison, Transient
from tern_common.events import Merged, Split, Violation
from tern_common.memory import MemoryBus
from tern_common.topics import EVENTS, IDENTITY, RESOLVED
from tern_identity.consumer import Arrived
from tern_identity.domain.notices import merge_id_of
from unit.identity.histories import TIGHT, Said, event

DAY = 24
VISIT = Said(1, 0, browser=1)
LOGIN = Said(2, 1, user=1, browser=1)


@pytest.fixture
def worker(graphs: Graphs) -> Worker:
    return Worker(graphs)


async def test_an_event_is_passed_on_with_its_home_and_customer_and_its_own_bytes(worker: Worker) -> None:
    odd = record(event(VISIT))._replace(value=encode_oddly())
    await worker.take([odd])
    [resolved] = worker.resolved()
    assert bytes(resolved.event) == odd.value
    [sent] = [one for one in worker.bus.sent(RESOLVED) if one.header("schema") == "resolved"]
    assert (sent.key.decode(), sent.header("message-id"), sent.header("mode")) == (resolved.customer_id, "m-1", "live")
    assert resolved.shared is False


def encode_oddly() -> bytes:
    """The same event, as another encoder would write it, with a field that nobody knows."""
    known = msgspec.json.decode(record(event(VISIT)).value)
    return msgspec.json.format(msgspec.json.encode(known | {"colour": "blue"}), indent=2)


async def test_every_identifier_has_a_door_whose_membership_is_published(worker: Worker) -> None:
    await worker.hear(Said(1, 0, user=1, email=1, browser=1))
    reader = Reader()
    reader.read(worker.bus.sent(RESOLVED))
    [member] = {customer_id for _, customer_id, _ in reader.members.values()}
    doors = {KEYS.hasher.door("user_id", "user-1"), KEYS.hasher.door("anonymous_id", "browser-1")}
    assert doors <= reader.members.keys()
    assert reader.members[KEYS.hasher.door("email", "ann1@example.com")][1] == member


async def test_a_members_second_number_is_told_of_though_no_event_is_filed_under_it(
    graphs: Graphs, worker: Worker
) -> None:
    await worker.hear(Said(1, 0, user=1, union=1))
    reader = Reader()
    reader.read(worker.bus.sent(RESOLVED))
    found = await graphs.found()
    assert reader.members.keys() == found.members.keys()
    assert len({customer_id for _, customer_id, _ in reader.members.values()}) == 1


async def test_a_login_moves_the_visitors_homes_and_says_merged(worker: Worker) -> None:
    await worker.hear(VISIT)
    [visit] = worker.resolved()
    await worker.hear(LOGIN)
    login = next(one for one in worker.resolved() if one.home_id != visit.home_id)
    [change] = [one for one in worker.changes() if one.from_]
    assert change.customer_id == login.customer_id
    assert change.from_ == (visit.customer_id,)
    assert [home.home_id for home in change.homes] == [visit.home_id]
    assert [home.home_id for home in change.doors] == [KEYS.hasher.door("anonymous_id", "browser-1")]
    assert change.homes[0].version > visit.membership_version
    assert change.cause == {"kind": "claim", "event_id": "m-2"}
    [merged] = worker.notices()
    assert isinstance(merged, Merged)
    assert (merged.survivor, merged.absorbed) == (login.customer_id, visit.customer_id)


async def test_all_that_identity_adds_has_an_id_a_schema_and_a_mode(worker: Worker) -> None:
    await worker.hear(VISIT)
    await worker.hear(LOGIN)
    added = [one for one in worker.bus.sent(RESOLVED) if one.header("schema") == "membership"]
    added += worker.bus.sent(IDENTITY)
    assert {one.header("schema") for one in added} == {"membership", "merged"}
    assert {one.header("mode") for one in added} == {"live"}
    ids = [one.header("message-id") for one in added]
    assert None not in ids
    assert len(set(ids)) == len(ids)


async def test_a_pair_that_joins_two_says_which_and_names_the_merge(worker: Worker, graphs: Graphs) -> None:
    await worker.hear(Said(1, 0, email=1))
    [guest] = worker.resolved()
    await worker.hear(Said(2, 1, user=1, email=1))
    [merged] = worker.notices()
    assert isinstance(merged, Merged)
    found = await graphs.found()
    tokens = {str(token): token for token, _ in found.tokens.values()}
    a, b = tokens[str(merged.cause["a"])], tokens[str(merged.cause["b"])]
    assert merged.absorbed == guest.customer_id
    assert merged.cause["kind"] == "pair"
    assert merged.cause["event_id"] == "m-2"
    assert merged.merge_id == str(merge_id_of(a, b))


async def test_a_second_member_on_a_browser_splits_it_off(worker: Worker) -> None:
    await worker.hear(VISIT, LOGIN, Said(3, 5 * DAY, browser=1))
    later = next(one for one in worker.resolved() if b'"m-3"' in bytes(one.event))
    await worker.hear(Said(4, 4 * DAY, user=2, browser=1))
    [split] = [notice for notice in worker.notices() if isinstance(notice, Split)]
    assert split.from_ == later.customer_id
    assert split.homes == (later.home_id,)
    assert split.cause == {"kind": "claim", "event_id": "m-4"}
    [change] = [one for one in worker.changes() if one.shared]
    assert change.customer_id == split.to
    assert [home.home_id for home in change.homes] == [later.home_id]
    await worker.hear(Said(5, 5 * DAY, browser=1))
    [again] = [one for one in worker.resolved() if b'"m-5"' in bytes(one.event)]
    assert (again.customer_id, again.shared) == (split.to, True)


async def test_a_refused_pair_is_told_once(worker: Worker) -> None:
    await worker.hear(Said(1, 0, user=1, phone=1))
    await worker.hear(Said(2, 1, user=2, phone=1))
    await worker.hear(Said(3, 2 * DAY, user=2, phone=1), Said(4, 3, user=1, email=1))
    [notice] = worker.notices()
    assert isinstance(notice, Violation)
    assert (notice.guard, notice.namespaces, notice.message_id) == ("values-per-customer", ("user_id", "phone"), "m-2")


async def test_a_value_that_becomes_shared_is_told_and_lets_go_of_its_homes(graphs: Graphs) -> None:
    worker = Worker(graphs, rules=TIGHT)
    await worker.hear(Said(1, 0, phone=1), Said(2, 0, user=1, phone=1))
    [guest] = [one for one in worker.resolved() if b'"m-1"' in bytes(one.event)]
    await worker.hear(Said(3, 1 * DAY, user=2, phone=1), Said(4, 2 * DAY, user=3, phone=1))
    notices = worker.notices()
    violations = [(one.guard, one.namespaces) for one in notices if isinstance(one, Violation)]
    assert ("partners", ("phone",)) in violations
    [split] = [one for one in notices if isinstance(one, Split)]
    assert (split.from_, split.homes) == (guest.customer_id, (guest.home_id,))
    assert (split.cause["kind"], split.cause["count"]) == ("eligibility", 3)
    [change] = [one for one in worker.changes() if one.shared]
    assert change.customer_id == split.to


async def test_a_late_fact_that_turns_a_contest_says_so(worker: Worker) -> None:
    await worker.hear(Said(1, 5, user=2, phone=1), Said(2, 5, phone=1))
    [guest] = [one for one in worker.resolved() if b'"m-2"' in bytes(one.event)]
    await worker.hear(Said(3, 1, user=1, phone=1))
    [split] = [one for one in worker.notices() if isinstance(one, Split)]
    assert (split.from_, split.homes) == (guest.customer_id, (guest.home_id,))
    assert split.cause == {"kind": "refold"}


async def test_no_identifier_in_plain_stands_on_what_identity_adds(worker: Worker) -> None:
    await worker.hear(VISIT, Said(2, 1, user=1, phone=1, email=1, browser=1), Said(3, 2, user=2, phone=1))
    added = [one.value for one in worker.bus.sent(RESOLVED) if one.header("schema") == "membership"]
    added += [one.value for one in worker.bus.sent(IDENTITY)]
    assert added
    for plain in (b"example.com", b"1381234567", b"user-1", b"browser-1"):
        assert not any(plain in value for value in added)


async def test_redelivered_events_are_published_again_with_the_stored_membership(graphs: Graphs) -> None:
    first, second = Worker(graphs), Worker(graphs)
    await first.hear(VISIT, LOGIN)
    await second.hear(VISIT, LOGIN)
    assert sorted(second.resolved(), key=repr) == sorted(first.resolved(), key=repr)
    assert (second.changes(), second.notices()) == ([], [])


async def test_what_a_crash_left_in_the_outbox_is_published_by_whoever_comes_next(graphs: Graphs) -> None:
    broken = MemoryBus()
    broken.fail_with(Transient("the broker is away"))
    dying, heir = Worker(graphs, broken), Worker(graphs)
    with pytest.raises(Transient):
        await dying.hear(VISIT, LOGIN)
    assert broken.sent(RESOLVED) == []
    await heir.hear(VISIT, LOGIN)
    reader = Reader()
    reader.read(heir.bus.sent(RESOLVED))
    _, found = await graphs.assert_canonical(TIGHT)
    assert reader.members.keys() == found.members.keys()
    async with connection(graphs.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM parcel") == 0


async def test_an_empty_batch_still_publishes_what_waits(graphs: Graphs) -> None:
    broken = MemoryBus()
    broken.fail_with(Transient("the broker is away"))
    with pytest.raises(Transient):
        await Worker(graphs, broken).hear(LOGIN)
    heir = Worker(graphs)
    await heir.take([])
    assert heir.changes()


async def test_versions_grow_also_after_a_restore_from_backup(graphs: Graphs) -> None:
    worker = Worker(graphs)
    await worker.hear(VISIT)
    [before] = worker.resolved()
    restored = await graphs.store(TIGHT, epoch=1)
    login = worker.handler.decode(record(event(LOGIN)))
    assert isinstance(login, Arrived)
    [filed] = await restored.file([login])
    assert filed.membership.version > 1 << 40 > before.membership_version


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"message_id": ""}, "message-id-not-storable"),
        ({"message_id": "a\x00b"}, "message-id-not-storable"),
        ({"event_time": "2026-03-01T09:00:00"}, "not-an-event"),
        ({"type": "dance"}, "not-an-event"),
    ],
)
def test_what_cannot_be_filed_is_poison(worker: Worker, changed: dict[str, str], reason: str) -> None:
    known = msgspec.json.decode(record(event(VISIT)).value)
    bad = Record(EVENTS, 0, 0, b"key", msgspec.json.encode(known | changed))
    with pytest.raises(Poison) as poison:
        worker.handler.decode(bad)
    assert poison.value.reason == reason


async def test_nothing_of_an_identifier_is_stored_in_plain(worker: Worker, graphs: Graphs) -> None:
    await worker.hear(Said(1, 0, user=1, phone=1, email=1, browser=1))
    async with connection(graphs.pool) as conn:
        rows = await conn.fetch("SELECT node::text AS whole, original FROM node")
    assert sorted(KEYS.sealer.open(row["original"]) for row in rows) == [
        "+8613812345671",
        "ann1@example.com",
        "browser-1",
        "user-1",
    ]
    for plain in ("ann1", "1381234567", "user-1", "browser-1"):
        assert not any(plain in row["whole"] or plain.encode().hex() in row["whole"] for row in rows)
