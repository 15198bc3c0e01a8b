"""What the Kafka consumer does when a rebalance or an error comes at a bad moment. An aiokafka consumer is played."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaConnectionError,
)

from tern_common.bus import Place, Poll, Span
from tern_common.clock import SystemClock
from tern_common.errors import Misconfigured, Transient
from tern_common.kafka.connection import Connection, KafkaSecurity
from tern_common.kafka.consumer import KafkaConsumer

AT, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)
PLACE = Place("t", 0)


class Found(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Player:
    """One partition with records 0 … 9 and a committed offset; `meddle` happens inside the next fetch."""

    committed_offset: int | None = 3
    log_start = 0
    meddle: Callable[[Player], None] | None = None
    refuse_commit: RuntimeError | None = None
    refuse_stop: RuntimeError | None = None
    refuse_start: RuntimeError | None = None

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.at: int | None = None
        self.dealt = True
        self.stopped = False
        self.listener: ConsumerRebalanceListener | None = None

    def subscribe(self, topics: list[str], listener: ConsumerRebalanceListener) -> None:
        assert topics == ["t"]
        self.listener = listener

    async def start(self) -> None:
        if self.refuse_start:
            raise self.refuse_start
        self.rebalance()

    def rebalance(self) -> None:
        assert self.listener
        self.listener.on_partitions_revoked([AT])
        self.at = self.committed_offset if self.committed_offset is not None else self.log_start
        self.listener.on_partitions_assigned([AT])

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset([AT] if self.dealt else [])

    async def position(self, at: TopicPartition) -> int:
        if not self.dealt or self.at is None:
            raise IllegalStateError(at)
        return self.at

    async def committed(self, at: TopicPartition) -> int | None:
        assert at == AT
        return self.committed_offset

    async def beginning_offsets(self, ats: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(ats, self.log_start)

    def seek(self, at: TopicPartition, offset: int) -> None:
        if not self.dealt:
            raise IllegalStateError(at)
        self.at = offset

    async def getmany(
        self, *wanted: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Found]]:
        assert timeout_ms >= 0
        if self.meddle:
            meddle, self.meddle = self.meddle, None
            meddle(self)
        if wanted or self.at is None or self.at >= 10:
            return {}
        first, self.at = self.at, min(10, self.at + max_records)
        return {
            AT: [Found("t", 0, n, None if n == 9 else b"k", None if n == 9 else b"v") for n in range(first, self.at)]
        }

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refuse_commit:
            raise self.refuse_commit
        self.committed_offset = offsets[AT]

    async def stop(self) -> None:
        self.stopped = True
        if self.refuse_stop:
            raise self.refuse_stop


class DealtMore(Player):
    """Is dealt another partition while it is first asked where reading starts."""

    more = False

    def assignment(self) -> frozenset[TopicPartition]:
        return super().assignment() | ({OTHER} if self.more else set())

    async def position(self, at: TopicPartition) -> int:
        if not self.more:
            self.more = True
            self.rebalance()
        return 1 if at == OTHER else await super().position(at)

    async def committed(self, at: TopicPartition) -> int | None:
        return 0 if at == OTHER else await super().committed(at)

    def seek(self, at: TopicPartition, offset: int) -> None:
        if at != OTHER:
            super().seek(at, offset)

    async def getmany(
        self, *wanted: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Found]]:
        found = await super().getmany(*wanted, timeout_ms=timeout_ms, max_records=max_records)
        return {**found, OTHER: [Found("t", 1, 0, b"k", b"v")]}


class Stage:
    """A consumer and the players it connected, the last one first on stage."""

    def __init__(self, player: type[Player] = Player) -> None:
        self.plays = player
        self.players: list[Player] = []
        connection = Connection("nowhere:1", "me", KafkaSecurity(), SystemClock())
        self.consumer = KafkaConsumer(connection, "g", ["t"], self.connect)
        self.prepare: Callable[[Player], None] = lambda _: None

    def connect(self, **options: Any) -> Player:
        self.players.append(self.plays(**options))
        self.prepare(self.players[-1])
        return self.players[-1]

    @property
    def player(self) -> Player:
        return self.players[-1]


async def test_a_member_commits_only_by_hand_and_starts_at_the_beginning() -> None:
    stage = Stage()
    await stage.consumer.join()
    assert stage.player.options["enable_auto_commit"] is False
    assert stage.player.options["auto_offset_reset"] == "earliest"
    assert stage.player.options["group_id"] == "g"


async def test_the_first_span_starts_at_the_position() -> None:
    stage = Stage()
    poll = await stage.consumer.poll(100, 0)
    assert poll.spans == {PLACE: Span(3, 10)}
    assert [record.offset for record in poll.records] == list(range(3, 10))


@pytest.mark.parametrize(("committed", "start", "expected"), [(5, 0, 5), (None, 2, 2)])
async def test_a_rebalance_inside_a_fetch_sends_reading_back_to_where_it_must_start(
    committed: int | None, start: int, expected: int
) -> None:
    stage = Stage()
    await stage.consumer.poll(2, 0)

    def rebalance(player: Player) -> None:
        player.committed_offset, player.log_start = committed, start
        player.rebalance()

    stage.player.meddle = rebalance
    poll = await stage.consumer.poll(2, 0)
    assert poll.records == []
    assert poll.spans == {}
    poll = await stage.consumer.poll(2, 0)
    assert poll.spans == {PLACE: Span(expected, expected + 2)}


async def test_a_rebalance_inside_the_look_at_positions_loses_nothing_of_the_new_deal() -> None:
    stage = Stage(DealtMore)
    assert await stage.consumer.poll(2, 0) == Poll([], {})
    poll = await stage.consumer.poll(2, 0)
    assert poll.spans == {PLACE: Span(3, 5), Place("t", 1): Span(0, 1)}


async def test_records_that_cannot_be_given_back_are_read_again_by_a_new_member() -> None:
    stage = Stage()
    await stage.consumer.poll(2, 0)

    def lose(player: Player) -> None:
        player.rebalance()
        player.dealt = False

    stage.player.meddle = lose
    assert (await stage.consumer.poll(2, 0)).records == []
    assert stage.player.stopped
    assert (await stage.consumer.poll(2, 0)).spans == {PLACE: Span(3, 5)}
    assert len(stage.players) == 2


async def test_a_partition_that_moves_without_a_record_is_told() -> None:
    stage = Stage()
    await stage.consumer.poll(100, 0)
    stage.player.at = 15
    assert (await stage.consumer.poll(100, 0)).spans == {PLACE: Span(10, 15)}


@pytest.mark.parametrize("dealing", [False, True])
@pytest.mark.parametrize("wrong", [KafkaConnectionError(), RuntimeError("the handler is closed")])
async def test_an_error_of_the_group_makes_the_member_join_anew(wrong: RuntimeError, dealing: bool) -> None:
    """The second is what the event loop says of a connection that was closed under a heartbeat. An error that comes
    after partitions were taken away, and before they are dealt, is waited for as well: nobody deals them after it."""
    stage = Stage()
    await stage.consumer.join()
    if dealing:
        assert stage.player.listener
        stage.player.listener.on_partitions_revoked([AT])

    def fail(_: Player) -> None:
        raise wrong

    stage.player.meddle = fail
    with pytest.raises(Transient):
        await stage.consumer.poll(10, 0)
    assert stage.player.stopped
    assert stage.consumer.assigned() == frozenset()
    assert (await stage.consumer.poll(10, 0)).spans == {PLACE: Span(3, 10)}


async def test_a_member_that_may_not_join_is_an_operators_matter_and_leaves_nothing_open() -> None:
    stage = Stage()

    def forbid(player: Player) -> None:
        player.refuse_start = GroupAuthorizationFailedError("g")

    stage.prepare = forbid
    with pytest.raises(Misconfigured, match="ACLs"):
        await stage.consumer.join()
    assert stage.player.stopped


async def test_while_partitions_are_dealt_a_poll_is_empty() -> None:
    stage = Stage()
    await stage.consumer.join()
    assert stage.player.listener
    stage.player.listener.on_partitions_revoked([AT])
    assert (await stage.consumer.poll(10, 0)).spans == {}
    assert stage.consumer.assigned() == frozenset()
    stage.player.listener.on_partitions_assigned([AT])
    assert stage.consumer.assigned() == {PLACE}


async def test_a_commit_that_came_too_late_is_left_to_the_next_owner() -> None:
    stage = Stage()
    await stage.consumer.commit({PLACE: 5})  # nothing joined, nothing to commit
    await stage.consumer.join()
    for refusal in (CommitFailedError(), IllegalStateError(AT)):
        stage.player.refuse_commit = refusal
        await stage.consumer.commit({PLACE: 5})
    assert stage.player.committed_offset == 3


@pytest.mark.parametrize("wrong", [KafkaConnectionError(), RuntimeError("the handler is closed")])
async def test_a_commit_that_does_not_get_through_is_transient(wrong: RuntimeError) -> None:
    """The second is what the event loop says of a connection that was closed a moment ago."""
    stage = Stage()
    await stage.consumer.join()
    stage.player.refuse_commit = wrong
    with pytest.raises(Transient):
        await stage.consumer.commit({PLACE: 5})


async def test_a_commit_that_is_forbidden_is_an_operators_matter() -> None:
    stage = Stage()
    await stage.consumer.join()
    stage.player.refuse_commit = GroupAuthorizationFailedError("g")
    with pytest.raises(Misconfigured, match="ACLs"):
        await stage.consumer.commit({PLACE: 5})


@pytest.mark.parametrize("wrong", [KafkaConnectionError(), RuntimeError("the handler is closed")])
async def test_who_cannot_leave_in_order_joins_anew_all_the_same(wrong: RuntimeError) -> None:
    stage = Stage()
    await stage.consumer.join()
    stage.player.refuse_stop = wrong
    await stage.consumer.leave()
    assert (await stage.consumer.poll(10, 0)).spans == {PLACE: Span(3, 10)}


async def test_a_paused_member_moves_nowhere() -> None:
    stage = Stage()
    stage.consumer.pause()
    assert (await stage.consumer.poll(10, 0)).spans == {}
    stage.consumer.resume()
    assert (await stage.consumer.poll(10, 0)).spans == {PLACE: Span(3, 10)}


async def test_a_pause_that_comes_inside_a_fetch_loses_nothing_of_it() -> None:
    stage = Stage()
    await stage.consumer.join()
    stage.player.meddle = lambda _: stage.consumer.pause()
    assert (await stage.consumer.poll(2, 0)).spans == {PLACE: Span(3, 5)}
    assert (await stage.consumer.poll(2, 0)).spans == {}


async def test_a_poll_is_held_until_partitions_are_dealt_anew() -> None:
    stage = Stage()
    first = await stage.consumer.poll(2, 0)
    second = await stage.consumer.poll(2, 0)
    assert stage.consumer.holds(first)
    assert stage.consumer.holds(second)
    stage.player.rebalance()
    assert not stage.consumer.holds(second)
    assert stage.consumer.holds(await stage.consumer.poll(2, 0))


async def test_nothing_is_held_by_who_left_and_joined_again() -> None:
    stage = Stage()
    poll = await stage.consumer.poll(2, 0)
    await stage.consumer.leave()
    assert not stage.consumer.holds(poll)
    await stage.consumer.join()
    assert not stage.consumer.holds(poll)


async def test_a_bug_of_the_kind_of_such_an_error_is_no_reason_to_try_again() -> None:
    stage = Stage()
    await stage.consumer.join()

    def fail(_: Player) -> None:
        raise RecursionError

    stage.player.meddle = fail
    with pytest.raises(RecursionError):
        await stage.consumer.poll(10, 0)
