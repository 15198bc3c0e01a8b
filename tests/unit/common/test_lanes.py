"""What waits for a partition: batches fill in order, and every byte is accounted for exactly once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_common.bus import Headers, Message, Place
from tern_common.errors import Transient
from tern_common.kafka.lanes import Delivery, Lane, Part, size_of

PLACE = Place("t", 0)


class Box:
    """A batch for so many messages."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.values: list[bytes] = []

    def append(self, key: bytes, value: bytes, headers: Headers) -> bool:  # noqa: ARG002 - a batch's names
        if len(self.values) >= self.room:
            return False
        self.values.append(value)
        return True


def messages(first: int, after: int) -> list[Message]:
    return [Message("t", b"k", str(n).encode()) for n in range(first, after)]


def waiting() -> Delivery:
    return Delivery([], [])


def part_of(lane: Lane, delivery: Delivery, first: int, after: int) -> Part:
    part = Part(lane, delivery)
    for message in messages(first, after):
        part.add(message, size_of(message))
    return part


def added(lane: Lane, first: int, after: int) -> Delivery:
    delivery = waiting()
    lane.add(part_of(lane, delivery, first, after))
    return delivery


def flown(lane: Lane, room: int, error: Transient | None = None) -> list[bytes]:
    box = Box(room)
    lane.take(box)
    lane.settle(error)
    return box.values


async def test_all_that_waits_goes_into_one_batch_in_order() -> None:
    lane = Lane(PLACE)
    one, two = added(lane, 0, 2), added(lane, 2, 5)
    assert flown(lane, 100) == [b"0", b"1", b"2", b"3", b"4"]
    assert one.done.done()
    assert two.done.done()
    assert lane.held == 0
    assert not lane.pending


async def test_a_send_larger_than_a_batch_is_done_when_its_last_batch_is() -> None:
    lane = Lane(PLACE)
    delivery, after = added(lane, 0, 5), added(lane, 5, 6)
    assert flown(lane, 2) == [b"0", b"1"]
    assert flown(lane, 2) == [b"2", b"3"]
    assert not delivery.done.done()
    assert lane.held > 0
    assert flown(lane, 2) == [b"4", b"5"]
    assert delivery.done.done()
    assert after.done.done()
    assert lane.held == 0


async def test_what_arrives_while_a_batch_is_on_its_way_is_the_next_batch() -> None:
    lane = Lane(PLACE)
    added(lane, 0, 2)
    assert lane.take(Box(100))
    late = added(lane, 2, 4)
    lane.settle(None)
    assert not late.done.done()
    assert flown(lane, 100) == [b"2", b"3"]


async def test_a_lost_batch_fails_its_sends_and_only_those() -> None:
    lane, error = Lane(PLACE), Transient("lost")
    one, two, three = added(lane, 0, 1), added(lane, 1, 4), added(lane, 4, 5)
    assert flown(lane, 2, error) == [b"0", b"1"]
    for delivery in (one, two):
        with pytest.raises(Transient):
            await delivery.done
        delivery.end()
    assert flown(lane, 100) == [b"4"]
    assert three.done.done()
    assert lane.held == 0


async def test_what_nobody_waits_for_is_dropped_before_it_is_written() -> None:
    lane = Lane(PLACE)
    gone, waiting = added(lane, 0, 3), added(lane, 3, 4)
    gone.end()
    assert flown(lane, 100) == [b"3"]
    assert waiting.done.done()
    assert lane.held == 0


async def test_what_is_on_its_way_when_nobody_waits_any_more_is_still_accounted_for() -> None:
    lane = Lane(PLACE)
    delivery = added(lane, 0, 4)
    assert lane.take(Box(2))
    delivery.end()
    assert lane.held > 0
    lane.settle(None)
    assert lane.held == 0
    assert flown(lane, 100) == []


async def test_one_send_to_two_lanes_waits_for_both() -> None:
    one, two, delivery = Lane(PLACE), Lane(Place("t", 1)), waiting()
    one.add(part_of(one, delivery, 0, 1))
    two.add(part_of(two, delivery, 1, 2))
    flown(one, 100)
    assert not delivery.done.done()
    flown(two, 100)
    assert delivery.done.done()


async def test_a_closed_producer_fails_all_that_waits_or_is_on_its_way() -> None:
    lane = Lane(PLACE)
    flying, waiting = added(lane, 0, 2), added(lane, 2, 3)
    lane.take(Box(2))
    lane.fail(Transient("closed"))
    for delivery in (flying, waiting):
        with pytest.raises(Transient):
            await delivery.done
    lane.settle(None)
    assert lane.held == 0


def acknowledged(delivery: Delivery) -> bool:
    return delivery.done.done() and not delivery.done.cancelled() and delivery.done.exception() is None


class Play:
    """A writer and its callers, one action at a time."""

    def __init__(self, room: int) -> None:
        self.lane = Lane(PLACE)
        self.sends: list[tuple[Delivery, set[bytes]]] = []
        self.written: list[bytes] = []
        self._box = Box(room)
        self._count = 0

    def add(self) -> None:
        first, self._count = self._count, self._count + 3
        values = {str(n).encode() for n in range(first, self._count)}
        self.sends.append((added(self.lane, first, self._count), values))

    def take(self) -> None:
        if not self.lane.aboard:
            self._box = Box(self._box.room)
            self.lane.take(self._box)

    def ack(self) -> None:
        if self.lane.aboard:
            self.written += self._box.values
            self.lane.settle(None)

    def lose(self) -> None:
        self.lane.settle(Transient("lost"))
        for delivery, _ in self.sends:
            if delivery.done.done() and not acknowledged(delivery):
                delivery.end()  # as `send` does

    def abandon(self) -> None:
        for delivery, _ in self.sends[-1:]:
            delivery.end()


actions = st.lists(st.sampled_from([Play.add, Play.take, Play.ack, Play.lose, Play.abandon]), max_size=60)


@given(actions, st.integers(1, 4))
async def test_after_anything_at_all_nothing_is_held_and_acknowledged_means_written_in_order(
    happening: list[Callable[[Play], None]], room: int
) -> None:
    play = Play(room)
    for action in [*happening, Play.ack, *[Play.take, Play.ack] * 200]:
        action(play)
    assert play.lane.held == 0
    assert not play.lane.pending
    numbers = list(map(int, play.written))
    assert numbers == sorted(numbers)
    for delivery, values in play.sends:
        if acknowledged(delivery):
            assert values <= set(play.written)
