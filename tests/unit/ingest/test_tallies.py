"""What a source sends is counted exactly, its properties in a sample, in bounded memory and without a person in it."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.clock import ManualClock, SystemClock
from tern_common.errors import Transient
from tern_common.events import Event
from tern_common.policy import load_policy
from tern_common.shipped import shipped
from tern_ingest.domain.decisions import Accepted, Rejected
from tern_ingest.domain.policy import Counting, Policy
from tern_ingest.domain.tallies import OTHER, Counts, Key, Tallies, kept_name, look_into, merge
from tern_ingest.domain.taxonomy import Taxonomy, Vocabulary
from tern_ingest.quality import Quality
from tern_ingest.reporting import quality_of
from unit.ingest.door import GOOD, FrontDoor

VOCABULARY = Vocabulary(load_policy(shipped("tern_ingest", "taxonomy.yaml"), Taxonomy))
NUMBERS = load_policy(shipped("tern_ingest", "policy.yaml"), Policy).counting
CLOCK = ManualClock()
NOW, DAY = CLOCK.now(), CLOCK.now().date()
CONSENT = Raw(b'{"consent": {"categoryPreferences": {"ads": false}}}')


def event(name: str | None = "Order Completed", **more: Any) -> Event:
    fields: dict[str, Any] = {"type": "track", "event_time": NOW, "received_at": NOW, "source_id": "s", **more}
    return Event(message_id="m", name=name, **fields)


def counted(*events: Event, numbers: Counting = NUMBERS) -> Counts:
    tallies = Tallies(numbers)
    tallies.note([Accepted(one) for one in events], "s", NOW)
    return tallies.take(VOCABULARY).counts


def key(what: Any, *more: str) -> Key:
    return Key("s", DAY, what, *more)


def test_each_event_is_counted_for_what_it_is() -> None:
    late = event(event_time=NOW - timedelta(hours=5))
    skewed = event(sent_at=NOW - timedelta(minutes=3), user_id="u-1")
    flagged = event("A Dream", bot=True, test=True, sent_at=NOW - timedelta(minutes=1))
    found = counted(late, skewed, flagged, event(None, type="identify", user_id="u-1"))
    assert found == {
        key("accepted"): 4,
        key("late"): 1,
        key("skewed"): 1,
        key("anonymous"): 2,
        key("bot"): 1,
        key("test"): 1,
        key("named", "Order Completed"): 2,
        key("unknown", "A Dream"): 1,
    }


def test_what_was_taken_is_not_counted_again_and_what_was_not_taken_counts_by_reason() -> None:
    tallies = Tallies(NUMBERS)
    tallies.note([Rejected("type-missing", b"{}"), Rejected("type-missing", b"{}")], "s", NOW)
    tallies.refuse("origin-not-allowed", "s", NOW)
    assert tallies.take(VOCABULARY).counts == {
        Key("s", DAY, "rejected", how="type-missing"): 2,
        Key("s", DAY, "refused", how="origin-not-allowed"): 1,
    }
    assert tallies.take(VOCABULARY) == ({}, [])


def test_the_sample_and_the_names_are_bounded() -> None:
    numbers = NUMBERS.model_copy(update={"sample": 5, "sample_of_source": 3, "names_in_memory": 2})
    tallies = Tallies(numbers)
    for source in ("a", "b"):
        tallies.note([Accepted(event(f"{word} Seen")) for word in ("One", "Two", "Three", "Four")], source, NOW)
    tallies.note([Accepted(event("x" * 65))], "c", NOW)
    taken = tallies.take(VOCABULARY)
    assert [source for source, _, _ in taken.sample] == ["a", "a", "a", "b", "b"]
    assert taken.counts[Key("a", DAY, "unknown", OTHER)] == 2
    assert taken.counts[Key("c", DAY, "unknown", OTHER)] == 1


@pytest.mark.parametrize("said", ["ann@example.com Viewed", "Called 138 0013 8000", "a\x00b", "x" * 65, "  ", ""])
def test_a_name_that_could_hold_a_person_is_not_kept(said: str) -> None:
    assert kept_name(said) == OTHER


def test_a_shops_own_name_is_kept() -> None:
    assert kept_name(" Größe 42 gewählt ") == "Größe 42 gewählt"


def test_what_a_sampled_event_says_is_looked_into() -> None:
    found: Counts = {}
    bare = event(properties=Raw(b'{"order_id": "o", "total": "free"}'))
    agreed = event("A Dream", context=CONSENT)
    asked = event(None, type="page", context=Raw(b'{"consent": {"categoryPreferences": {}}}'))
    for one in (bare, agreed, asked, event(None, type="page", context=Raw(b'{"consent": 1}'))):
        look_into(one, "s", DAY, VOCABULARY, found)
    assert found == {
        key("sampled"): 4,
        key("without-consent"): 3,
        key("checked", "Order Completed"): 1,
        key("fault", "Order Completed", "total|revenue|value", "ill-formed"): 1,
    }


NAMES = st.lists(st.tuples(st.sampled_from([*"abcdef", OTHER]), st.integers(1, 9)), max_size=20)


@given(NAMES, NAMES, st.sets(st.sampled_from("abcdef"), max_size=2))
@example([("a", 1), ("b", 2), ("c", 3)], [("a", 4), (OTHER, 5)], set())
@example([("a", 1)], [("b", 2)], {"b"})
def test_few_names_are_told_apart_and_no_event_is_forgotten(one: Any, two: Any, known: set[str]) -> None:
    found: Counts = {}
    for names in (one, two):
        for name, number in names:
            merge(found, {key("unknown", name): number}, {("s", DAY): known}, 2)
    assert sum(found.values()) == sum(number for _, number in [*one, *two])
    assert len({k.name for k in found} - {OTHER} - known) <= 2 - len(known)


class Shelf:
    """Stands for the database, which may be away."""

    def __init__(self) -> None:
        self.away = False
        self.counts: Counts = {}
        self.forgotten: list[date] = []

    async def add(self, counts: Counts, unknown_names: int) -> None:
        if self.away:
            raise Transient("the database is away")
        merge(self.counts, counts, {}, unknown_names)

    async def forget(self, before: date) -> None:
        self.forgotten.append(before)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def quality_behind(door: FrontDoor, shelf: Shelf) -> Quality:
    return Quality(door.tallies, VOCABULARY, shelf, door.clock, NUMBERS)


async def test_what_came_is_counted_after_the_answer_and_kept_while_the_database_is_away(
    door: FrontDoor, shelf: Shelf
) -> None:
    quality = quality_behind(door, shelf)
    await door.post({"batch": [{"type": "track", "event": "Order Completed", "anonymousId": "a"}] * 50 + [{}]})
    shelf.away = True
    with pytest.raises(Transient):
        await quality.flush()
    shelf.away = False
    await quality.flush()
    await quality.flush()
    today = door.clock.now().date()
    (day,) = quality_of("shop", (today, today), shelf.counts, VOCABULARY).days
    assert (day.accepted, day.rejected, day.anonymous_share, day.sampled) == (50, 1, 1.0, 50)
    assert shelf.forgotten == [today - timedelta(days=NUMBERS.days)]


async def test_a_process_that_is_told_to_stop_stores_its_last_numbers(door: FrontDoor, shelf: Shelf) -> None:
    await door.post({"batch": [{"type": "page", "anonymousId": "a"}]})
    quality = Quality(door.tallies, VOCABULARY, shelf, SystemClock(), NUMBERS.model_copy(update={"every_s": 60.0}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await quality.follow()
    assert [k.what for k in shelf.counts] == ["accepted", "anonymous", "sampled", "without-consent"]


async def test_a_call_that_was_not_acknowledged_is_not_counted(door: FrontDoor) -> None:
    door.bus.fail_with(Transient("gone"))
    assert [(await door.post(body)).status_code for body in (GOOD, b"not json")] == [503, 503]
    assert door.tallies.take(VOCABULARY) == ({}, [])


def test_the_answer_says_what_was_expected_and_the_worst_first() -> None:
    counts = {
        key("accepted"): 10,
        Key("s", DAY - timedelta(days=1), "accepted"): 10,
        key("bot"): 5,
        key("checked", "Order Completed"): 8,
        key("fault", "Order Completed", "order_id", "missing"): 2,
        key("fault", "Order Completed", "currency", "ill-formed"): 3,
        Key("s", DAY, "rejected", how="type-missing"): 4,
    }
    said = json.loads(quality_of("s", (DAY, DAY), counts, VOCABULARY).model_dump_json())
    assert (said["total"]["accepted"], said["total"]["bot_share"], said["total"]["without_consent_share"]) == (
        20,
        0.25,
        None,
    )
    assert [fault["property"] for fault in said["faults"]] == ["currency", "order_id"]
    assert said["faults"][0] == {
        "event": "Order Completed",
        "property": "currency",
        "fault": "ill-formed",
        "expected": "three letters, as ISO 4217",
        "count": 3,
        "checked": 8,
    }
    assert said["rejected"] == [{"reason": "type-missing", "count": 4}]
