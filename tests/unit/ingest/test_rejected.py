"""The door to rejected events: what there is, by reason; sent again, mended; to those who may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tern_common.access.store import Role
from tern_common.auth import Caller
from tern_common.bus import ALL, SEND_TIMEOUT_S, Message, Place, Producer, Record
from tern_common.errors import Refused, Transient, Unusable
from tern_common.http import CODE_AND_MESSAGE, Probes, create_app
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import EVENTS, OUTCOMES, REJECTED
from tern_ingest import rejected, resending
from tern_ingest.app import PATHS
from tern_ingest.dead_letters import DeadLetters, spans
from tern_ingest.domain.masking import masked
from tern_ingest.rejected import rejected_router
from unit.ingest.door import FrontDoor

KIND = ["rename kind type"]


class Tokens:
    """Every token names its own role."""

    async def find(self, text: str) -> Caller | None:
        roles: dict[str, Role] = {"tt_read": "read", "tt_pii": "pii:read", "tt_admin": "admin"}
        return Caller("t", roles[text], "") if text in roles else None


class Desk:
    """An operator in front of an ingest on a memory bus."""

    def __init__(self, door: FrontDoor, bus: MemoryBus | None = None) -> None:
        letters = DeadLetters(bus or door.bus, door.clock, page_s=5 if bus is None else 0.05)
        router = rejected_router(letters, door.door, PATHS)
        app = create_app(
            service="t",
            summary="t",
            probes=Probes({}),
            routers=[router],
            tokens=Tokens(),  # type: ignore[arg-type]
            errors=CODE_AND_MESSAGE,
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t")

    async def list(self, token: str = "tt_pii", **asked: Any) -> httpx.Response:
        return await self.client.get("/v1/rejected", params=asked, headers=_bearer(token))

    async def replay(self, token: str = "tt_admin", **order: Any) -> httpx.Response:
        return await self.client.post("/v1/rejected/replay", json=order, headers=_bearer(token))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def desk(door: FrontDoor) -> Desk:
    return Desk(door)


async def broken(door: FrontDoor, count: int = 1) -> None:
    """Events that would be good if `kind` were called `type`."""
    events = [{"kind": "track", "event": "Seen", "userId": f"ann{n}", "messageId": f"m{n}"} for n in range(count)]
    await door.post({"batch": events})


async def test_rejected_events_are_listed_by_reason_with_counts_times_and_samples(door: FrontDoor, desk: Desk) -> None:
    await broken(door, 3)
    await door.post({"batch": [{"type": "dance"}]}, "/v1/b")
    page = (await desk.list(samples=2)).json()
    assert (page["read"], page["masked"], page["next"]) == (4, False, None)
    groups = {group["reason"]: group for group in page["groups"]}
    missing = groups["type-missing"]
    assert (missing["count"], missing["source"], missing["service"], missing["place"]) == (
        3,
        "shop",
        "ingest",
        "/v1/batch",
    )
    assert missing["first_at"] == missing["last_at"] == "2026-03-01T12:00:00Z"
    assert [json.loads(sample["text"])["userId"] for sample in missing["samples"]] == ["ann0", "ann1"]
    assert groups["type-unknown"]["place"] == "/v1/b"


async def test_what_consumers_reject_is_listed_by_topic(door: FrontDoor, desk: Desk) -> None:
    junk = [Record(EVENTS, 3, n, b"k", b"junk") for n in (7, 8)]
    await Rejecting(door.bus.producer, "identity", door.clock).reject(junk, "not-an-event")
    (group,) = (await desk.list(service="identity")).json()["groups"]
    assert (group["place"], group["source"], group["count"]) == (EVENTS, None, 2)
    assert [sample["place"] for sample in group["samples"]] == [f"{EVENTS}/3/7", f"{EVENTS}/3/8"]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"reason": "type-missing"}, 3),
        ({"reason": "no-such"}, 0),
        ({"source": "shop", "place": "/v1/batch", "service": "ingest", "since": "2026-03-01T12:00:00Z"}, 3),
        ({"since": "2026-03-01T12:00:01Z"}, 0),
    ],
)
async def test_a_list_names_what_was_asked_for(door: FrontDoor, desk: Desk, asked: dict[str, str], count: int) -> None:
    await broken(door, 3)
    groups = (await desk.list(**asked)).json()["groups"]
    assert sum(group["count"] for group in groups) == count


async def test_samples_are_masked_unless_the_token_may_see_personal_data(door: FrontDoor, desk: Desk) -> None:
    await door.post({"batch": [{"userId": "ann7", "timestamp": "01.03.2026", "properties": {"Ännchen": "é"}}]})
    page = (await desk.list("tt_read")).json()
    assert page["masked"] is True
    (sample,) = page["groups"][0]["samples"]
    assert sample["text"] == masked(door.rejected()[0].value.decode())
    assert '"timestamp": "00.00.0000"' in sample["text"]
    assert '"userId": "xxx0"' in sample["text"]
    assert "nn" not in sample["text"]


def test_a_mask_leaves_no_word_but_the_names_of_an_events_own_fields() -> None:
    assert masked('{"type": "type", "name":"Ann 1", type: userId}') == '{"type": "xxxx", "name":"xxx 0", xxxx: xxxxxx}'


async def test_roles(door: FrontDoor, desk: Desk) -> None:
    assert (await desk.list("tt_none")).status_code == 401
    assert (await desk.replay("tt_none")).status_code == 401
    assert (await desk.list("tt_read")).status_code == 200
    assert (await desk.replay("tt_read")).status_code == (await desk.replay("tt_pii")).status_code == 403
    assert (await desk.replay()).status_code == 200


async def test_a_mended_event_is_sent_with_its_persons_key_and_its_own_id(door: FrontDoor, desk: Desk) -> None:
    await broken(door)
    told = (await desk.replay(mapping=KIND, dry_run=False)).json()
    assert (told["accepted"], told["refused"], told["next"]) == (1, {}, None)
    (record,) = door.bus.sent(EVENTS)
    assert (record.key, record.header("message-id"), record.header("mode")) == (b"ann0", "m0", "replay")
    event = door.event()
    assert (event["type"], event["mode"], event["replayed_at"]) == ("track", "replay", "2026-03-01T12:00:00Z")


async def test_nothing_is_sent_unless_it_is_said(door: FrontDoor, desk: Desk) -> None:
    await broken(door, 2)
    told = (await desk.replay(mapping=KIND)).json()
    assert (told["dry_run"], told["accepted"], door.events()) == (True, 2, [])
    assert [sample["outcome"] for sample in told["samples"]] == ["accepted"]
    assert json.loads(told["samples"][0]["mended"])["type"] == "track"


async def test_what_is_refused_again_is_told_by_reason_and_not_written_again(door: FrontDoor, desk: Desk) -> None:
    await broken(door, 2)
    told = (await desk.replay(dry_run=False)).json()
    assert (told["accepted"], told["refused"]) == (0, {"type-missing": 2})
    assert (len(door.rejected()), door.events()) == (2, [])


async def test_sent_twice_all_has_the_same_ids(door: FrontDoor, desk: Desk) -> None:
    await broken(door, 5)
    await door.post({"batch": [{"kind": "page", "userId": "bob"}]})
    await desk.replay(mapping=KIND, dry_run=False)
    once = {event["message_id"] for event in door.events()}
    await desk.replay(mapping=KIND, dry_run=False)
    assert {event["message_id"] for event in door.events()} == once
    assert (len(once), len(door.events())) == (6, 12)


async def test_a_consumers_letter_goes_back_and_is_not_multiplied(door: FrontDoor, desk: Desk) -> None:
    rejecting = Rejecting(door.bus.producer, "triggers", door.clock)
    await rejecting.reject([Record(OUTCOMES, 0, 5, b"c1", b"{}", (("mode", b"live"),))], "not-an-outcome")
    await desk.replay(dry_run=False)
    (back,) = door.bus.sent(OUTCOMES)
    assert (back.key, back.value, back.header("mode")) == (b"c1", b"{}", "replay")
    await rejecting.reject([back], "not-an-outcome")
    told = (await desk.replay()).json()
    assert (told["accepted"], told["refused"]) == (1, {"put-back-before": 1})


async def test_a_bad_mapping_is_told_with_its_step(door: FrontDoor, desk: Desk) -> None:
    answer = await desk.replay(mapping=["remove a", "type a int"])
    assert (answer.status_code, answer.json()) == (
        400,
        {"code": "bad-mapping", "message": "step 2: a type is one of text, number, boolean"},
    )


async def test_pages_follow_one_another_and_end_where_the_topic_ended_at_first(
    door: FrontDoor, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resending, "LETTERS_SENT", 2)
    await broken(door, 5)
    first = (await desk.replay(mapping=KIND, dry_run=False)).json()
    assert (first["accepted"], first["next"] is None) == (2, False)
    await broken(door, 1)
    second = (await desk.replay(mapping=KIND, dry_run=False, cursor=first["next"])).json()
    third = (await desk.replay(mapping=KIND, dry_run=False, cursor=second["next"])).json()
    assert (second["accepted"], third["accepted"], third["next"]) == (2, 1, None)
    monkeypatch.setattr(rejected, "LETTERS_READ", 4)
    page = (await desk.list()).json()
    assert (page["read"], page["next"] is None) == (4, False)
    assert (await desk.list(cursor=page["next"])).json()["read"] == 2


async def test_many_letters_are_all_read(door: FrontDoor, desk: Desk) -> None:
    await broken(door, 450)
    assert (await desk.list()).json()["groups"][0]["count"] == 450


async def test_what_is_not_kept_any_more_holds_nobody_up(door: FrontDoor, desk: Desk) -> None:
    await broken(door, 4)
    (place,) = {Place(REJECTED, record.partition) for record in door.rejected()}
    cursor = f"{place.partition}.0.4"
    door.bus.broker.truncate(place, 3)
    assert (await desk.list(cursor=cursor)).json()["read"] == 1
    assert (await desk.list(cursor=cursor + "000")).json()["read"] == 1
    door.bus.broker.truncate(place, 4)
    assert (await desk.list(cursor=cursor)).json() == {"groups": [], "read": 0, "masked": False, "next": None}


@pytest.mark.parametrize("cursor", ["x", "1.2", "9.0.1", "0.0.1_"])
async def test_a_cursor_that_is_none_is_refused(desk: Desk, cursor: str) -> None:
    assert (await desk.list(cursor=cursor)).status_code in (400, 422)


def test_no_cursor_is_read_that_was_not_written() -> None:
    with pytest.raises(Refused):
        spans("0.0.1;")


class Stuck(MemoryBus):
    """Its topic of rejected events comes to a stop after so many records."""

    def __init__(self, door: FrontDoor, after: int) -> None:
        super().__init__(door.bus.broker)
        self._after = after

    async def tail(
        self, topic: str, from_start: bool = True, starts: Mapping[int, int] = ALL
    ) -> AsyncGenerator[Record, None]:
        async with aclosing(super().tail(topic, from_start, starts)) as records:
            for _ in range(self._after):
                yield await anext(records)
        await asyncio.Event().wait()


async def test_a_page_that_took_too_long_ends_where_it_came_to(door: FrontDoor) -> None:
    await broken(door, 3)
    page = (await Desk(door, Stuck(door, after=2)).list()).json()
    assert (page["read"], page["next"] is None) == (2, False)


async def test_a_topic_that_cannot_be_read_at_all_is_503(door: FrontDoor) -> None:
    await broken(door)
    assert (await Desk(door, Stuck(door, after=0)).list()).status_code == 503


async def test_without_kafka_the_answer_is_503(door: FrontDoor, desk: Desk) -> None:
    door.bus.fail_with(Transient("away"))
    assert (await desk.list()).status_code == (await desk.replay()).status_code == 503


class Picky:
    """A producer that fails for what holds a word."""

    def __init__(self, producer: Producer, word: bytes, error: Exception) -> None:
        self._producer, self._word, self._error = producer, word, error

    async def send(self, messages: Sequence[Message], timeout_s: float = SEND_TIMEOUT_S) -> None:
        if any(self._word in message.value for message in messages):
            raise self._error
        await self._producer.send(messages, timeout_s)


async def test_a_page_that_kafka_does_not_take_is_503_and_may_be_sent_again(door: FrontDoor) -> None:
    await broken(door, 2)
    producer = door.door.producer
    door.door = replace(door.door, producer=Picky(producer, b"ann0", Transient("away")))
    refused = await Desk(door).replay(mapping=KIND, dry_run=False)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    door.door = replace(door.door, producer=producer)
    assert (await Desk(door).replay(mapping=KIND, dry_run=False)).json()["accepted"] == 2


async def test_what_its_topic_cannot_take_costs_the_others_nothing(door: FrontDoor) -> None:
    await broken(door, 3)
    await door.post({"batch": [{"type": "dance"}]})
    door.door = replace(door.door, producer=Picky(door.door.producer, b"ann1", Unusable("message-too-large")))
    told = (await Desk(door).replay(mapping=KIND, dry_run=False)).json()
    assert (told["accepted"], told["refused"]) == (2, {"message-too-large": 1, "type-unknown": 1})
    assert {event["user_id"] for event in door.events()} == {"ann0", "ann2"}
