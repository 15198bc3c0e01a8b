"""What the Kafka consumer does when a rebalance or an error comes at a bad moment. An aiokafka consumer is played."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaConnectionError,
)

from tern_common.bus import Place, Poll, Span
from tern_common.errors import Misconfigured, Transient
from unit.common.group_member import AT, PLACE, DealtMore, Player, Stage


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
async def test_an_error_of_the_group_makes_the_member_join_anew(dealing: bool) -> None:
    """One that comes after partitions were taken away, and before they are dealt, is waited for as well: nobody deals
    them after it."""
    stage = Stage()
    await stage.consumer.join()
    if dealing:
        assert stage.player.listener
        stage.player.listener.on_partitions_revoked([AT])

    def fail(_: Player) -> None:
        raise KafkaConnectionError

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


async def test_a_commit_that_does_not_get_through_is_transient() -> None:
    stage = Stage()
    await stage.consumer.join()
    stage.player.refuse_commit = KafkaConnectionError()
    with pytest.raises(Transient):
        await stage.consumer.commit({PLACE: 5})


async def test_who_is_not_answered_about_a_commit_joins_anew() -> None:
    """A member that waits for something that never comes would commit and read nothing any more."""
    stage = Stage()
    await stage.consumer.join()
    stage.player.refuse_commit = TimeoutError()
    with pytest.raises(Transient):
        await stage.consumer.commit({PLACE: 5})
    assert stage.player.stopped
    await stage.consumer.commit({PLACE: 5})  # left to whoever reads it again
    assert (await stage.consumer.poll(10, 0)).spans == {PLACE: Span(3, 10)}
    assert len(stage.players) == 2


async def test_a_commit_that_is_not_answered_leaves_a_member_alone_that_joined_meanwhile() -> None:
    class JoinedAnew(Player):
        async def commit(self, offsets: dict[TopicPartition, int]) -> None:  # noqa: ARG002 - aiokafka's signature
            await stage.consumer.leave()
            await stage.consumer.join()
            raise TimeoutError

    stage = Stage(JoinedAnew)
    await stage.consumer.join()
    with pytest.raises(Transient):
        await stage.consumer.commit({PLACE: 5})
    assert [player.stopped for player in stage.players] == [True, False]


async def test_a_poll_during_which_an_unanswered_commit_has_left_is_empty() -> None:
    stage = Stage()
    await stage.consumer.join()

    def stop(_: Player) -> None:
        raise ConsumerStoppedError

    stage.player.meddle = stop
    assert await stage.consumer.poll(10, 0) == Poll([], {})


async def test_a_commit_that_is_forbidden_is_an_operators_matter() -> None:
    stage = Stage()
    await stage.consumer.join()
    stage.player.refuse_commit = GroupAuthorizationFailedError("g")
    with pytest.raises(Misconfigured, match="ACLs"):
        await stage.consumer.commit({PLACE: 5})


@pytest.mark.parametrize("wrong", [KafkaConnectionError(), TimeoutError(), asyncio.CancelledError()])
async def test_who_cannot_leave_in_order_joins_anew_all_the_same(wrong: BaseException) -> None:
    """The last is what aiokafka lets out when it has cancelled a request of its own that was to be tried again."""
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


async def test_a_pause_that_ends_while_partitions_are_dealt_holds_for_that_poll() -> None:
    """Who waits as a member drops what such a poll brings: a record of it would be lost."""
    stage = Stage()
    await stage.consumer.join()
    assert stage.player.listener
    stage.player.listener.on_partitions_revoked([AT])
    stage.consumer.pause()

    def deal(player: Player) -> None:
        stage.consumer.resume()
        player.rebalance()

    stage.player.meddle = deal
    assert (await stage.consumer.poll(1, 0)).spans == {}
    assert (await stage.consumer.poll(10, 0)).spans == {PLACE: Span(3, 10)}


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
