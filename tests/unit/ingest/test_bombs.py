"""Small bodies that want to become millions of objects, or hours: they cost no more than plain bodies of their size."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tern_common.errors import Unusable
from tern_ingest.app import tracking_routes
from tern_ingest.domain import bounds, calls, tolerant
from tern_ingest.domain.calls import Parsed
from unit.ingest.door import GOOD, POLICY, FrontDoor

SIZE = 2 * 1024 * 1024
EVENT = b'{"type":"track","event":"x","properties":{"a":['


def filled(piece: bytes, head: bytes, tail: bytes) -> bytes:
    return head + piece * ((SIZE - len(head) - len(tail)) // len(piece)) + tail


def events_full_of(piece: bytes, last: bytes = b"0") -> bytes:
    event = EVENT + piece * (32_000 // len(piece)) + last + b"]}}"
    return b'{"batch":[' + b",".join([event] * (SIZE // (len(event) + 1))) + b"]}"


PLAIN = filled(EVENT + b'"%s"]}},' % (b"x" * 200), b'{"batch":[', b"{}]}")
BOMBS = {
    "one event": filled(b"[],", EVENT, b"0]}}"),
    "a batch of nothing": filled(b"{},", b'{"batch":[', b"{}]}"),
    "a batch of numbers": filled(b"1,", b'{"batch":[', b"1]}"),
    "events just small enough": events_full_of(b"[],"),
    "nests just small enough": events_full_of(b"[[[]]],"),
    "a time": filled(b"[],", b'{"batch":[],"sentAt":[', b"0]}"),
    "an id": filled(b"[],", b'{"type":"track","event":"x","userId":[', b"0]}"),
}
TOO_MANY = {"a batch of nothing", "a batch of numbers"}
MALFORMED_BOMBS = {
    "one event": filled(b"[],", EVENT, b"NaN]}}"),
    "a batch of nothing": filled(b"{},", b'{"batch":[', b"NaN]}"),
    "an event of nests": filled(b"[[[[[[[{}]]]]]]],", EVENT, b"NaN]}}"),
    "members": filled(b'"a":1,', b"{", b'"b":NaN}'),
    "escaped quotes": filled(b'\\"', b'{"batch":["', b""),
    "spaces": filled(b" ", b'{"batch":[1', b"NaN]}"),
}


def peak(body: bytes) -> int:
    """Bytes that were allocated at most, beyond the body itself, to parse it."""
    tracemalloc.start()
    try:
        parse(body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def parse(body: bytes) -> Parsed | None:
    try:
        return calls.parse(body, POLICY.limits) or tolerant.parse(body, POLICY.limits)
    except Unusable:
        return None


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_takes_the_fast_way_and_no_more_memory_than_a_plain_body(kind: str) -> None:
    if kind in TOO_MANY:
        with pytest.raises(Unusable, match=bounds.TOO_MANY):
            calls.parse(BOMBS[kind], POLICY.limits)
    else:
        assert calls.parse(BOMBS[kind], POLICY.limits) is not None
    assert peak(BOMBS[kind]) < max(peak(PLAIN), 3 * SIZE)


@pytest.mark.parametrize("kind", MALFORMED_BOMBS)
def test_a_malformed_bomb_takes_no_more_memory_than_a_plain_body(kind: str) -> None:
    assert peak(MALFORMED_BOMBS[kind]) < max(peak(PLAIN), 4 * SIZE)


def test_an_event_above_its_limit_is_never_decoded() -> None:
    parsed = parse(BOMBS["one event"])
    assert parsed is not None
    assert [part.call for part in parsed.parts] == ["event-too-large"]


def test_an_object_of_a_million_names_is_one_event_too_large_in_no_more_memory() -> None:
    names = b"{" + b",".join(b'"%x":1' % number for number in range(1_000_000)) + b"}"
    parsed = parse(names)
    assert parsed is not None
    assert [part.call for part in parsed.parts] == ["event-too-large"]
    assert peak(names) < len(names)


@pytest.mark.parametrize("tail", [b"{}]}", b"NaN]}"], ids=["fast", "tolerant"])
async def test_a_batch_of_nothing_is_413(door: FrontDoor, tail: bytes) -> None:
    answer = await door.post(gzip.compress(filled(b"{},", b'{"batch":[', tail)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-many-events")


async def test_an_envelope_of_a_thousand_members_is_400(door: FrontDoor) -> None:
    answer = await door.post(MALFORMED_BOMBS["members"])
    assert (answer.status_code, answer.json()["code"]) == (400, "too-many-members")


async def test_nests_by_the_thousand_are_400_when_they_must_be_mended(door: FrontDoor) -> None:
    answer = await door.post(MALFORMED_BOMBS["an event of nests"])
    assert (answer.status_code, answer.json()["code"]) == (400, "too-deep")


@pytest.mark.parametrize("kind", ["escaped quotes", "spaces"])
async def test_no_text_makes_the_tolerant_parser_look_twice(door: FrontDoor, kind: str) -> None:
    """Were its time quadratic, this test would take hours."""
    assert (await door.post(MALFORMED_BOMBS[kind])).status_code in (200, 400)


async def test_gzip_members_without_end_are_400(door: FrontDoor) -> None:
    answer = await door.post(gzip.compress(b"") * 100_000)
    assert (answer.status_code, answer.json()["code"]) == (400, "not-gzip")


async def test_a_time_of_thirty_thousand_spaces_is_none(door: FrontDoor) -> None:
    """Were its reading's time quadratic, this test would take minutes."""
    batch = [GOOD | {"timestamp": "1" + " " * 30_000 + "1"}] * 100
    assert (await door.post({"batch": batch})).status_code == 200
    assert {record.header("reason") for record in door.rejected()} == {"timestamp-unreadable"}


@pytest.mark.parametrize("body", [PLAIN, events_full_of(b"[],", b"NaN")], ids=["plain", "bomb"])
async def test_others_are_answered_while_a_large_body_is_worked_on(door: FrontDoor, body: bytes) -> None:
    async def live(_: object) -> PlainTextResponse:
        return PlainTextResponse("live")

    app = Starlette(routes=[*tracking_routes(door.door), Route("/live", live)])
    answered: list[str] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client:

        async def large() -> None:
            await client.post("/v1/batch", content=body, auth=("wk_k1_secret-one", ""))
            answered.append("large")

        async def small() -> None:
            await client.get("/live")
            answered.append("small")

        async with asyncio.TaskGroup() as group:
            group.create_task(large())
            group.create_task(small())
    assert answered == ["small", "large"]
