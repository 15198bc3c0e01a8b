"""What is answered when something is away, slow, or too much; and that an answer means what it says."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.types import Message
from structlog.testing import capture_logs

from support.waiting import eventually
from tern_common.bus import Message as Sent
from tern_common.errors import Misconfigured, Transient
from tern_common.topics import EVENTS, REJECTED
from tern_ingest.bodies import Bodies
from tern_ingest.importing import PATH as IMPORT
from unit.ingest.door import GOOD, POLICY, FrontDoor

LARGE = b'{"type":"track","event":"x","properties":{"a":"%s"}}' % (b"x" * 2_000)


async def test_kafka_away_is_503_with_retry_after(door: FrontDoor) -> None:
    await door.post(GOOD)
    door.bus.fail_with(Transient("gone"))
    answer = await door.post(GOOD, headers={"Origin": "https://shop.example"})
    assert (answer.status_code, answer.json()["code"]) == (503, "kafka-unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    door.bus.recover()
    assert (await door.post(GOOD)).status_code == 200


class Forbidden:
    """A broker whose ACLs let nobody write."""

    async def send(self, messages: Sequence[Sent], timeout_s: float = 0) -> None:  # noqa: ARG002 - refuses all alike
        raise Misconfigured("kafka refuses to write: check ACLs")


@pytest.mark.parametrize("path", ["/v1/batch", IMPORT])
async def test_what_kafka_refuses_is_503_too_and_an_operator_is_told_once_a_minute(door: FrontDoor, path: str) -> None:
    door.door = replace(door.door, producer=Forbidden())
    door.serve()
    history = GOOD | {"timestamp": "2019-03-01T12:00:00Z"}
    with capture_logs() as said:
        for _ in range(3):
            answer = await door.post(history, path, headers={"Origin": "https://shop.example"})
            assert (answer.status_code, answer.json()["code"]) == (503, "kafka-unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        door.clock.advance(timedelta(minutes=1))
        await door.post(history, path)
    told = {"event": "kafka refuses events", "why": "kafka refuses to write: check ACLs", "log_level": "error"}
    assert said == [told, told]


def test_who_waits_for_kafka_is_answered_within_two_seconds() -> None:
    assert POLICY.waits.kafka_s < 2


async def test_an_answer_waits_for_the_acknowledgement(door: FrontDoor) -> None:
    acknowledged = asyncio.Event()

    class Slow:
        async def send(self, messages: Sequence[Sent], timeout_s: float = 0) -> None:
            assert len(messages) == 1
            assert timeout_s == POLICY.waits.kafka_s
            await acknowledged.wait()

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(GOOD).encode()}

    request = door.asked(receive, Slow())
    async with asyncio.TaskGroup() as group:
        group.create_task(request.run())
        await eventually(lambda: door.bodies.in_flight > 0, 2, "the request is in flight")
        assert request.answers == []
        acknowledged.set()
    assert request.answers[0]["status"] == 200
    assert door.bodies.in_flight == 0


async def test_one_request_is_one_send(door: FrontDoor) -> None:
    sends: list[Sequence[Sent]] = []

    class Counting:
        async def send(self, messages: Sequence[Sent], timeout_s: float = 0) -> None:
            assert timeout_s
            sends.append(messages)

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps({"batch": [GOOD, {"type": "dance"}, GOOD]}).encode()}

    await door.asked(receive, Counting()).run()
    assert [[message.topic for message in sent] for sent in sends] == [[EVENTS, REJECTED, EVENTS]]


async def test_key_store_unreachable_is_503_never_401(door: FrontDoor) -> None:
    door.store.away = True
    answer = await door.post(GOOD)
    assert (answer.status_code, answer.json()["code"]) == (503, "write-keys-unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_too_much_in_flight_is_503_with_retry_after() -> None:
    door = FrontDoor(in_flight_bytes=1_000)
    for body in (LARGE, gzip.compress(LARGE)):
        answer = await door.post(body)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0
    assert door.bodies.in_flight == 0
    assert (await door.post(GOOD)).status_code == 200


async def test_a_caller_who_hangs_up_gets_no_answer_and_holds_nothing(door: FrontDoor) -> None:
    parts: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Message:
        return next(parts)

    request = door.asked(receive)
    await request.run()
    assert request.answers == []
    assert door.bodies.in_flight == 0


async def test_a_body_that_stays_unfinished_is_408(door: FrontDoor) -> None:
    parts: Iterator[Message] = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Message:
        for part in parts:
            return part
        await asyncio.Event().wait()
        raise AssertionError

    waits = door.policy.waits.model_copy(update={"body_s": 0.01})
    request = door.asked(receive, bodies=Bodies(door.policy.model_copy(update={"waits": waits})))
    await request.run()
    assert request.answers[0]["status"] == 408
