"""Who may send, from where and how often: rates per key and per failing address, in bounded memory."""

from __future__ import annotations

import gzip
import json

import pytest

from tern_common.errors import Refused
from tern_ingest.callers import Caller
from tern_ingest.domain.keys import WriteKey, digest
from unit.ingest.door import BROWSER_KEY, GOOD, SERVER_KEY, VOCABULARY, FrontDoor

HOME = Caller("203.0.113.7", None)
LIMITED = {"browser_events_per_s": 1.0, "failures_per_s": 1.0, "burst_s": 5.0}


@pytest.fixture
def slow() -> FrontDoor:
    """Browser keys may send five events at once, then one a second; addresses may fail as often."""
    return FrontDoor(rates=LIMITED)


async def statuses(door: FrontDoor, count: int, key: str | None) -> list[int]:
    return [(await door.post(GOOD, key=key)).status_code for _ in range(count)]


async def test_a_key_that_sends_too_fast_is_429_with_an_integer_retry_after(slow: FrontDoor) -> None:
    assert await statuses(slow, 5, BROWSER_KEY) == [200] * 5
    answer = await slow.post(GOOD, key=BROWSER_KEY, headers={"Origin": "https://shop.example"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-events")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert len(slow.events()) == 5
    await slow.clock.sleep(int(answer.headers["retry-after"]))
    assert await statuses(slow, 1, BROWSER_KEY) == [200]


async def test_each_key_has_a_rate_of_its_own(slow: FrontDoor) -> None:
    slow.store.keys.append(WriteKey("k3", "shop", False, digest("secret-three"), kind="browser"))
    assert (await statuses(slow, 6, BROWSER_KEY))[-1] == 429
    assert await statuses(slow, 5, "wk_k3_secret-three") == [200] * 5
    assert await statuses(slow, 20, SERVER_KEY) == [200] * 20


async def test_every_event_of_a_batch_counts_and_no_batch_is_cut(slow: FrontDoor) -> None:
    batch = {"batch": [GOOD | {"messageId": str(n)} for n in range(9)]}
    assert (await slow.post(batch, key=BROWSER_KEY)).status_code == 200
    assert len(slow.events()) == 9
    answer = await slow.post(GOOD, key=BROWSER_KEY)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    await slow.clock.sleep(5)
    assert await statuses(slow, 2, BROWSER_KEY) == [200, 429]


async def test_a_source_may_have_a_rate_of_its_own(slow: FrontDoor) -> None:
    slow.store.keys = [key._replace(events_per_s=2.0) for key in slow.store.keys]
    for key in (SERVER_KEY, BROWSER_KEY):
        assert await statuses(slow, 11, key) == [200] * 10 + [429]


async def test_an_address_whose_requests_fail_too_often_is_429(slow: FrontDoor) -> None:
    assert await statuses(slow, 7, "wk_k1_wrong") == [401] * 5 + [429] * 2
    answer = await slow.post(GOOD, key="wk_k1_wrong")
    assert (answer.json()["code"], answer.headers["retry-after"]) == ("too-many-failures", "1")
    await slow.clock.sleep(1)
    assert await statuses(slow, 2, "wk_k1_wrong") == [401, 429]


async def test_a_failing_address_costs_no_read_of_keys_and_no_body(slow: FrontDoor) -> None:
    await statuses(slow, 5, "wk_k1_wrong")
    reads = slow.store.reads
    assert await statuses(slow, 3, "wk_nobody_x") == [429] * 3
    assert await statuses(slow, 3, None) == [429] * 3
    assert slow.store.reads == reads


async def test_a_good_key_gets_in_whatever_others_do_from_its_address(slow: FrontDoor) -> None:
    await statuses(slow, 10, "wk_k1_wrong")
    assert await statuses(slow, 3, SERVER_KEY) == [200] * 3
    in_the_body = GOOD | {"writeKey": SERVER_KEY}
    assert (await slow.post(in_the_body, key=None)).status_code == 429
    await slow.clock.sleep(1)
    assert (await slow.post(in_the_body, key=None)).status_code == 200


async def test_bodies_that_are_no_requests_count_as_failures(slow: FrontDoor) -> None:
    for body, headers in ((b"{", {}), (b"x", {"Content-Encoding": "br"})):
        await slow.post(body, key=None, headers=headers)
    assert await statuses(slow, 4, "wk_k1_wrong") == [401] * 3 + [429]


async def test_what_is_not_the_callers_fault_is_not_held_against_him(slow: FrontDoor) -> None:
    slow.store.away = True
    assert await statuses(slow, 20, "wk_nobody_x") == [503] * 20
    slow.store.away = False
    assert await statuses(slow, 1, "wk_nobody_x") == [401]


BOMB = gzip.compress(b'{"batch":[' + b"{}," * 40_000 + b"{}]}")
LARGE = GOOD | {"properties": {"a": "x" * 70_000}}
IN_VAIN = {"a bomb": (BOMB, 413), "one event too large": (json.dumps(LARGE).encode(), 200)}
LONG = {"batch": [GOOD | {"properties": {"a": "x" * 7_000}}] * 10}


@pytest.mark.parametrize("kind", IN_VAIN)
async def test_an_address_whose_long_bodies_are_in_vain_is_put_off_before_the_next_is_worked_on(
    slow: FrontDoor, kind: str
) -> None:
    body, status = IN_VAIN[kind]
    first, second = [await slow.post(body, key=BROWSER_KEY) for _ in range(2)]
    assert (first.status_code, second.status_code) == (status, 429)
    assert (second.json()["code"], second.headers["retry-after"]) == ("too-many-failures", "10")
    assert (await slow.post(LARGE | {"writeKey": BROWSER_KEY}, key=None)).status_code == 429
    await slow.clock.sleep(10)
    assert (await slow.post(body, key=BROWSER_KEY)).status_code == status


async def test_who_is_put_off_with_long_bodies_may_send_short_ones_and_servers_may_send_anything(
    slow: FrontDoor,
) -> None:
    assert [(await slow.post(BOMB, key=BROWSER_KEY)).status_code for _ in range(2)] == [413, 429]
    assert await statuses(slow, 3, BROWSER_KEY) == [200] * 3
    assert [(await slow.post(BOMB)).status_code for _ in range(3)] == [413] * 3
    assert (await slow.post(LONG)).status_code == 200


async def test_long_bodies_with_something_in_them_are_held_against_nobody(door: FrontDoor) -> None:
    for _ in range(5):
        assert (await door.post({"batch": [*LONG["batch"], LARGE]}, key=BROWSER_KEY)).status_code == 200


async def refused(door: FrontDoor, caller: Caller) -> int:
    with pytest.raises(Refused) as found:
        await door.gate.known("wk_k1_wrong", caller)
    door.gate.blame(caller, found.value)
    return found.value.status


async def test_a_provider_customers_ipv6_addresses_are_one(slow: FrontDoor) -> None:
    found = [await refused(slow, Caller(f"2001:db8::{n:x}", None)) for n in range(7)]
    assert found == [401] * 5 + [429] * 2
    assert await refused(slow, HOME) == 401


async def test_a_million_bad_keys_and_addresses_take_bounded_memory_and_evict_no_good_key() -> None:
    door = FrontDoor(rates={**LIMITED, "addresses": 100})
    await door.keyring.refresh()
    for n in range(10_000):
        await refused(door, Caller(f"198.51.{n >> 8}.{n & 255}", None))
    assert len(door.gate._failing._taken) == 100
    assert len(door.gate._taken) == 0
    assert door.store.reads == 1
    assert (await door.gate.admit(SERVER_KEY, HOME)).key_id == "k1"


async def test_the_address_that_has_not_failed_for_longest_is_forgotten() -> None:
    door = FrontDoor(rates={**LIMITED, "addresses": 2})
    first, second, third = (Caller(f"203.0.113.{n}", None) for n in range(3))
    for _ in range(5):
        await refused(door, first)
    await refused(door, second)
    assert await refused(door, first) == 429
    for n in range(2):
        assert await refused(door, third._replace(address=f"192.0.2.{n}")) == 401
    assert await refused(door, first) == 401


async def test_a_refused_request_is_counted_for_the_source_whose_key_it_shows(slow: FrontDoor) -> None:
    slow.store.keys.append(WriteKey("k4", "shop", True, digest("secret-four"), revoked=True))
    slow.list_origins("https://shop.example")
    evil = {"Origin": "https://evil.example"}
    assert await statuses(slow, 6, BROWSER_KEY) == [200] * 5 + [429]
    assert (await slow.post(GOOD, headers=evil)).status_code == 403
    assert (await slow.post(GOOD, headers={"Content-Encoding": "br"})).status_code == 415
    assert (await slow.post(GOOD, key="wk_k4_secret-four")).json()["code"] == "revoked-write-key"
    assert (await slow.post(GOOD, key="wk_k4_wrong")).json()["code"] == "unknown-write-key"
    counts = slow.tallies.take(VOCABULARY).counts
    assert {key.how: count for key, count in counts.items() if key.what == "refused"} == dict.fromkeys(
        ("too-many-events", "origin-not-allowed", "unsupported-encoding", "revoked-write-key"), 1
    )
    assert {key.source_id for key in counts} == {"shop"}


async def test_a_revoked_key_is_final_even_where_its_address_is_put_off(slow: FrontDoor) -> None:
    slow.store.keys.append(WriteKey("k4", "shop", True, digest("secret-four"), revoked=True))
    assert await statuses(slow, 1, "wk_k4_secret-four") == [401]
    assert (await statuses(slow, 7, "wk_k1_wrong"))[-1] == 429
    assert await statuses(slow, 2, "wk_k4_secret-four") == [401] * 2


async def test_a_caller_without_an_address_is_not_counted(slow: FrontDoor) -> None:
    assert [await refused(slow, Caller(None, None)) for _ in range(9)] == [401] * 9
