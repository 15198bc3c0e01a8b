"""What hostile and broken clients send: each is answered, and harms nobody else."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from unit.ingest.door import GOOD, SERVER_KEY, FrontDoor

BIG = b'{"type":"track","event":"x","properties":{"a":"%s"}}'


async def test_what_is_not_json_is_400_and_kept(door: FrontDoor) -> None:
    for body in (b"hello", b"", b"[1]", b'{"a":'):
        answer = await door.post(body)
        assert (answer.status_code, answer.json()["code"]) == (400, "not-json")
    assert {record.value for record in door.rejected()} == {b"hello", b"[1]", b'{"a":'}
    assert door.events() == []


async def test_content_type_is_ignored(door: FrontDoor) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        answer = await door.post(GOOD, headers={"Content-Type": content_type})
        assert answer.status_code == 200
    assert len(door.events()) == 3


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
@pytest.mark.parametrize("said", ["gzip", None])
async def test_a_packed_body_is_known_by_its_bytes(door: FrontDoor, pack: Any, said: str | None) -> None:
    packed = pack(json.dumps(GOOD).encode())
    answer = await door.post(packed, headers={"Content-Encoding": said} if said else None)
    assert answer.status_code == 200
    assert door.event()["user_id"] == "u1"


async def test_a_gzip_header_on_a_plain_body_does_no_harm(door: FrontDoor) -> None:
    assert (await door.post(GOOD, headers={"Content-Encoding": "gzip"})).status_code == 200


async def test_a_deflated_body_without_zlibs_header_is_known_by_its_label(door: FrontDoor) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bare = packer.compress(json.dumps(GOOD).encode()) + packer.flush()
    assert (await door.post(bare, headers={"Content-Encoding": "deflate"})).status_code == 200
    assert (await door.post(GOOD, headers={"Content-Encoding": "deflate"})).status_code == 200
    assert (await door.post(bare)).status_code == 400


async def test_gzip_members_are_one_body(door: FrontDoor) -> None:
    text = json.dumps(GOOD).encode()
    assert (await door.post(gzip.compress(text[:20]) + gzip.compress(text[20:]))).status_code == 200


async def test_broken_gzip_is_400(door: FrontDoor) -> None:
    packed = gzip.compress(json.dumps(GOOD).encode())
    for body in (packed[:-9], b"\x1f\x8bnonsense", packed + b"tail"):
        answer = await door.post(body)
        assert (answer.status_code, answer.json()["code"]) == (400, "not-gzip")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x"])
async def test_an_unknown_encoding_is_415(door: FrontDoor, encoding: str) -> None:
    answer = await door.post(GOOD, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-encoding")


async def test_too_large_a_body_is_413(door: FrontDoor) -> None:
    large = BIG % (b"x" * door.policy.limits.body_bytes)
    answer = await door.post(large)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_too_large_a_body_in_pieces_is_413(door: FrontDoor) -> None:
    async def pieces() -> Any:
        for _ in range(20):
            yield b" " * (1 << 19)

    answer = await door.client.post("/v1/batch", content=pieces(), auth=(SERVER_KEY, ""))
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert door.bodies.in_flight == 0


async def test_a_compression_bomb_is_413(door: FrontDoor) -> None:
    bomb = gzip.compress(b"0" * (door.policy.limits.body_bytes + 1))
    assert len(bomb) < 10_000
    for body in (bomb, gzip.compress(b" " * 5_000_000) * 2):
        answer = await door.post(body)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_a_nesting_bomb_does_no_harm(door: FrontDoor) -> None:
    bomb = b'{"batch":[' + json.dumps(GOOD).encode() + b',{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}]}"
    answer = await door.post(bomb)
    assert (answer.status_code, answer.json()["code"]) == (400, "too-deep")
    assert (await door.post(GOOD)).status_code == 200


async def test_a_nested_event_is_rejected_alone(door: FrontDoor) -> None:
    nest = b'{"type":"track","event":"x","properties":{"a":' + b"[" * 3_000 + b"]" * 3_000 + b"}}"
    answer = await door.post(b'{"batch":[' + json.dumps(GOOD).encode() + b"," + nest + b"]}")
    assert answer.status_code == 200
    (record,) = door.rejected()
    assert (record.header("reason"), record.value) == ("event-too-deep", nest)
    assert len(door.events()) == 1


async def test_too_many_events_are_413(door: FrontDoor) -> None:
    answer = await door.post(b'{"batch":[' + b"{}," * door.policy.limits.batch_events + b"{}]}")
    assert (answer.status_code, answer.json()["code"]) == (413, "too-many-events")


async def test_a_string_of_ten_megabytes_is_413(door: FrontDoor) -> None:
    answer = await door.post(BIG % (b"x" * 10_000_000))
    assert answer.status_code == 413


async def test_a_string_of_seven_megabytes_is_rejected_with_its_bytes(door: FrontDoor) -> None:
    body = BIG % (b"x" * 7_000_000)
    assert (await door.post(body)).status_code == 200
    (record,) = door.rejected()
    assert (record.header("reason"), record.value) == ("event-too-large", body)


async def test_nul_is_removed(door: FrontDoor) -> None:
    await door.post(b'{"type":"track","event":"x","userId":"u\\u0000","properties":{"a":"\\u0000b"}}')
    assert (door.event()["user_id"], door.event()["properties"]) == ("u", {"a": "b"})


async def test_lone_surrogates_become_replacement_characters(door: FrontDoor) -> None:
    await door.post(b'{"type":"track","event":"\\ud83d","properties":{"a":"\\udc00"}}')
    assert (door.event()["name"], door.event()["properties"]) == ("\ufffd", {"a": "\ufffd"})


async def test_nan_becomes_null(door: FrontDoor) -> None:
    await door.post(b'{"type":"track","event":"x","properties":{"price":NaN,"b":-Infinity}}')
    assert door.event()["properties"] == {"price": None, "b": None}


async def test_a_large_body_is_mended_away_from_the_loop(door: FrontDoor) -> None:
    events = [GOOD | {"messageId": f"m{n}", "properties": {"a": "x" * 1_000, "b": float("nan")}} for n in range(100)]
    assert (await door.post({"batch": events})).status_code == 200
    assert len(door.events()) == 100


async def test_a_future_date_is_clamped(door: FrontDoor) -> None:
    await door.post(GOOD | {"timestamp": "2099-01-01T00:00:00Z"})
    assert door.event()["event_time"] == "2026-03-01T12:05:00Z"


async def test_an_ancient_date_is_clamped(door: FrontDoor) -> None:
    await door.post(GOOD | {"timestamp": "0001-01-01T00:00:00Z"})
    assert door.event()["event_time"] == "2026-01-30T12:00:00Z"
