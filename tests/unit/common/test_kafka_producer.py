"""What the producer makes of brokers that keep silent, move or refuse. They are played, and time passes by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from io import StringIO
from itertools import pairwise

import pytest
from aiokafka.errors import ClusterAuthorizationFailedError, GroupLoadInProgressError
from hypothesis import given
from hypothesis import strategies as st

from support.waiting import eventually
from tern_common.bus import Message, Place
from tern_common.errors import Misconfigured, TernError, Transient, Unusable
from tern_common.kafka.batches import Identity
from tern_common.kafka.gathering import GATHER_S
from unit.common.brokers import BROKER, PARTITIONS, TOPIC, Coast, Fate, message

FIRST, SECOND, THIRD = (Place(TOPIC, partition) for partition in range(PARTITIONS))


@asynccontextmanager
async def coast(fates: Iterable[Mapping[int, Fate]] = (), gather_s: float = GATHER_S) -> AsyncIterator[Coast]:
    async with asyncio.TaskGroup() as group:
        found = Coast(group, fates, gather_s)
        try:
            yield found
        finally:
            await found.close()


async def sent(on: Coast, *messages: Message) -> TernError | None:
    """What a send ended with."""
    try:
        await on.producer.send(messages)
    except TernError as error:
        return error
    return None


async def test_all_partitions_of_a_broker_go_in_one_request() -> None:
    async with coast() as on:
        await on.producer.send([message(0, b"a"), message(2, b"b"), message(1, b"c"), message(0, b"d")])
        assert sorted(on.shore.requests) == [[FIRST, THIRD], [SECOND]]
        assert on.values() == {0: [b"a", b"d"], 1: [b"c"], 2: [b"b"]}


async def test_what_arrives_while_a_request_is_under_way_is_the_next_one() -> None:
    async with coast() as on:
        await on.producer.send([message(0, b"first")])
        on.client.gate.clear()
        async with asyncio.TaskGroup() as sending:
            sending.create_task(sent(on, message(0, b"a")))
            await eventually(lambda: len(on.client.nodes) == 2, 5, "a request is under way")
            for value in (b"b", b"c"):
                sending.create_task(sent(on, message(0, value), message(2, value)))
            on.client.gate.set()
        assert on.shore.requests == [[FIRST], [FIRST], [FIRST, THIRD]]
        assert on.values() == {0: [b"first", b"a", b"b", b"c"], 2: [b"b", b"c"]}


async def test_who_was_just_answered_goes_with_those_who_wait_instead_of_taking_turns_with_them() -> None:
    async def twice(first: bytes, second: bytes) -> None:
        await on.producer.send([message(0, first)])
        await on.producer.send([message(0, second)])

    async with asyncio.timeout(5), coast(gather_s=60) as on:
        await on.producer.send([message(0, b"first")])
        on.client.gate.clear()
        async with asyncio.TaskGroup() as sending:
            sending.create_task(twice(b"a", b"aa"))
            sending.create_task(twice(b"b", b"bb"))
            await eventually(lambda: len(on.client.nodes) == 2, 5, "a request is under way")
            sending.create_task(sent(on, message(2, b"c")))
            await eventually(lambda: on.producer._ready, 5, "somebody waits")
            on.client.gate.set()
        assert on.shore.requests == [[FIRST], [FIRST], [THIRD, FIRST]]
        assert on.values() == {0: [b"first", b"a", b"b", b"aa", b"bb"], 2: [b"c"]}


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.UNHEARD, Fate.MOVED])
async def test_what_no_broker_has_answered_for_goes_again_and_is_written_once(fate: Fate) -> None:
    async with coast([{0: fate}, {0: fate}]) as on:
        await on.producer.send([message(0, b"a"), message(0, b"b")])
        await on.producer.send([message(0, b"c")])
        assert on.values() == {0: [b"a", b"b", b"c"]}
        assert len(on.shore.requests) == 4


async def test_a_partition_that_has_to_go_again_does_not_hold_up_the_others() -> None:
    async with coast([{0: Fate.MOVED}]) as on:
        await on.producer.send([message(0, b"a"), message(2, b"b")])
        assert on.shore.requests == [[FIRST, THIRD], [FIRST]]


async def test_it_goes_to_whoever_leads_the_partition_by_then() -> None:
    async with coast([{0: Fate.MOVED}]) as on:
        on.client.gate.clear()
        async with asyncio.TaskGroup() as sending:
            sending.create_task(sent(on, message(0, b"a")))
            await eventually(lambda: on.client.nodes, 5, "a request is under way")
            looked = on.client.looked
            on.client.leaders[0] = 2
            on.client.gate.set()
        assert on.client.nodes == [1, 2]
        assert on.client.looked > looked


async def test_what_waits_behind_a_hung_broker_goes_to_whoever_leads_by_then() -> None:
    async with asyncio.TaskGroup() as sending, coast() as on:
        await on.producer.send([message(0, b"first")])
        on.client.hung = BROKER
        on.client.gate.clear()
        sending.create_task(sent(on, message(0, b"a")))
        await eventually(lambda: len(on.client.nodes) == 2, 5, "a request to it is under way")
        behind = [sending.create_task(sent(on, message(partition, b"b"))) for partition in (2, 1)]
        await eventually(behind[1].done, 5, "the other broker answers")
        assert not behind[0].done()
        on.client.moves(2, to=2)
        assert await behind[0] is None
        assert on.values() == {0: [b"first"], 1: [b"b"], 2: [b"b"]}
        on.client.gate.set()


async def test_without_a_leader_it_waits_until_there_is_one() -> None:
    async with coast() as on:
        on.client.leaders.pop(0)
        async with asyncio.TaskGroup() as sending:
            sending.create_task(sent(on, message(0, b"a")))
            await eventually(lambda: on.client.looked > 2, 5, "somebody asks who leads")
            on.client.leaders[0] = 1
        assert on.values() == {0: [b"a"]}


async def test_what_is_refused_for_good_fails_its_senders_and_the_next_ones_begin_anew(logged: StringIO) -> None:
    async with coast([{0: Fate.REFUSED}]) as on:
        found = await asyncio.gather(sent(on, message(0, b"a")), sent(on, message(2, b"b")))
        assert [type(error) for error in found] == [Transient, type(None)]
        await on.producer.send([message(0, b"c"), message(2, b"d")])
        assert on.values() == {0: [b"c"], 2: [b"b", b"d"]}
        assert on.client.identities == 2
    assert logged.getvalue().count("kafka producer is replaced") == 1


@pytest.mark.parametrize("several", [[[b"b", b"c"]], [[b"b"], [b"c"]]])
async def test_that_a_batch_is_too_large_condemns_a_message_only_where_it_is_alone(several: list[list[bytes]]) -> None:
    async with coast([{}, {0: Fate.TOO_LARGE}, {0: Fate.TOO_LARGE}]) as on:
        await on.producer.send([message(0, b"a")])
        found = await asyncio.gather(*(sent(on, *(message(0, value) for value in values)) for values in several))
        assert [type(error) for error in found] == [Transient] * len(several)
        assert isinstance(await sent(on, message(0, b"large")), Unusable)
        await on.producer.send([message(0, b"b"), message(0, b"c")])
        assert on.values() == {0: [b"a", b"b", b"c"]}


async def test_a_topic_that_is_forbidden_is_an_operators_matter() -> None:
    async with coast() as on:
        on.client.unauthorized_topics.add("forbidden")
        with pytest.raises(Misconfigured, match="ACL"):
            await on.producer.send([Message("forbidden", b"k", b"v")])


async def test_who_waits_for_an_answer_when_it_closes_is_told() -> None:
    async with asyncio.TaskGroup() as sending, coast() as on:
        on.client.gate.clear()
        ended = sending.create_task(sent(on, message(0, b"a")))
        await eventually(lambda: on.client.nodes, 5, "a request is under way")
        await on.close()
        assert isinstance(await ended, Transient)
        assert on.client.closed


async def test_who_sends_when_it_is_closed_is_told_at_once_and_nothing_begins_that_nobody_would_end() -> None:
    async with coast() as on:
        await on.producer.send([message(0, b"a")])
        await on.close()
        begun = len(on.tasks)
        assert isinstance(await sent(on, message(0, b"b")), Transient)
        assert (len(on.tasks), on.values()) == (begun, {0: [b"a"]})


async def test_what_was_on_its_way_when_it_was_closed_does_not_go_again() -> None:
    async with asyncio.TaskGroup() as sending, coast([{0: Fate.LOST}] * 10) as on:
        on.client.gate.clear()
        sending.create_task(sent(on, message(0, b"a")))
        await eventually(lambda: on.client.nodes, 5, "a request is under way")
        await on.producer.close()
        on.client.gate.set()
        await eventually(lambda: all(task.done() for task in on.tasks), 5, "all that was begun has ended")
        assert on.shore.requests == [[FIRST]]


async def test_it_asks_for_an_identity_until_it_has_one_and_says_once_that_it_must(logged: StringIO) -> None:
    async with coast() as on:
        forbidden = ClusterAuthorizationFailedError.errno
        on.client.without.extend([GroupLoadInProgressError.errno, 0, forbidden, forbidden])
        await on.producer.send([message(0, b"a")])
        assert on.values() == {0: [b"a"]}
    assert [json.loads(line)["error"] for line in logged.getvalue().splitlines()] == ["NodeNotReadyError"]


def test_sequence_numbers_go_on_at_zero_when_there_are_no_more() -> None:
    identity = Identity(7, 0)
    assert identity.number(FIRST, 2**31 - 1) == 0
    assert identity.number(FIRST, 3) == 2**31 - 1
    assert identity.number(FIRST, 1) == 2
    assert identity.number(SECOND, 1) == 0


fates = st.lists(st.dictionaries(st.integers(0, PARTITIONS - 1), st.sampled_from(Fate)), max_size=12)
parcels = st.lists(st.lists(st.integers(0, PARTITIONS - 1), min_size=1, max_size=4), min_size=1, max_size=12)


@given(fates, parcels)
async def test_whatever_brokers_do_acknowledged_means_written_and_all_is_written_once_and_in_order(
    happening: list[dict[int, Fate]], wanted: list[list[int]]
) -> None:
    numbers = iter(range(10_000))
    sends = [[message(partition, b"%d" % next(numbers)) for partition in parcel] for parcel in wanted]
    async with asyncio.timeout(30), coast(happening) as on:
        found = await asyncio.gather(*(sent(on, *messages) for messages in sends))
        on.shore.fates.clear()
        assert await sent(on, *(message(partition, b"%d" % next(numbers)) for partition in range(PARTITIONS))) is None
    assert not on.shore.out_of_sequence
    for values in on.values().values():
        assert all(int(one) < int(other) for one, other in pairwise(values))
    written = {value for values in on.values().values() for value in values}
    for messages, error in zip(sends, found, strict=True):
        assert error or {one.value for one in messages} <= written
