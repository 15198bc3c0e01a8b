"""Write keys in memory: no database read per request, revocation within ten seconds, never a wrong 401."""

from __future__ import annotations

import asyncio

import pytest

from tern_common.errors import Refused, Transient
from tern_ingest.domain import keys
from tern_ingest.domain.keys import KeyKind, WriteKey
from unit.ingest.door import GOOD, SERVER_KEY, FrontDoor

KINDS: tuple[KeyKind, ...] = ("server", "browser")


async def refusal(door: FrontDoor, written: str) -> int:
    with pytest.raises(Refused) as refused:
        await door.keyring.identify(written)
    return refused.value.status


async def test_known_keys_cost_no_read(door: FrontDoor) -> None:
    await door.keyring.refresh()
    for _ in range(100):
        await door.keyring.identify(SERVER_KEY)
    assert door.store.reads == 1


async def test_wrong_secrets_and_malformed_keys_cost_no_read(door: FrontDoor) -> None:
    await door.keyring.refresh()
    assert [await refusal(door, text) for text in ("wk_k1_wrong", "nonsense", "wk_k1")] == [401] * 3
    assert door.store.reads == 1


async def test_a_new_key_is_found_at_once(door: FrontDoor) -> None:
    await door.keyring.refresh()
    door.store.keys.append(WriteKey("new", "shop", True, keys.digest("s")))
    assert (await door.keyring.identify("wk_new_s")).key_id == "new"


async def test_unknown_keys_cause_at_most_one_read_a_second(door: FrontDoor) -> None:
    await door.keyring.refresh()
    begun = door.clock.monotonic()
    for _ in range(10):
        assert await refusal(door, "wk_nobody_s") == 401
    assert door.store.reads <= 1 + (door.clock.monotonic() - begun) / door.policy.keys.unknown_refresh_s


async def test_unknown_keys_at_one_time_share_a_read(door: FrontDoor) -> None:
    await door.keyring.refresh()
    statuses = await asyncio.gather(*(refusal(door, f"wk_nobody{n}_s") for n in range(50)))
    assert statuses == [401] * 50
    assert door.store.reads <= 3


async def test_too_many_unknown_keys_at_one_time_are_told_to_come_back(door: FrontDoor) -> None:
    await door.keyring.refresh()
    waiting = door.policy.keys.waiting
    statuses = await asyncio.gather(*(refusal(door, f"wk_nobody{n}_s") for n in range(waiting + 5)))
    assert statuses.count(503) == 5
    assert (await door.keyring.identify(SERVER_KEY)).key_id == "k1"


async def test_unknown_while_the_store_is_away_is_503(door: FrontDoor) -> None:
    await door.keyring.refresh()
    door.store.away = True
    assert await refusal(door, "wk_nobody_s") == 503


async def test_known_keys_stay_good_for_a_while_without_the_store(door: FrontDoor) -> None:
    await door.keyring.refresh()
    door.store.away = True
    await door.clock.sleep(door.policy.keys.stale_s)
    assert (await door.keyring.identify(SERVER_KEY)).key_id == "k1"
    await door.clock.sleep(1)
    assert await refusal(door, SERVER_KEY) == 503
    door.store.away = False
    assert (await door.keyring.identify(SERVER_KEY)).key_id == "k1"


async def test_a_revoked_key_is_forgotten_with_the_next_read(door: FrontDoor) -> None:
    await door.keyring.identify(SERVER_KEY)
    door.store.keys = door.store.keys[1:]
    await door.keyring.refresh()
    assert await refusal(door, SERVER_KEY) == 401


async def test_a_key_that_was_shown_before_is_forgotten_like_any_other(door: FrontDoor) -> None:
    await door.keyring.refresh()
    assert door.keyring.known(SERVER_KEY) == door.keyring.known(SERVER_KEY)
    assert door.keyring.known(f"{SERVER_KEY}x") is None
    await door.clock.sleep(door.policy.keys.stale_s + 1)
    assert door.keyring.known(SERVER_KEY) is None
    door.store.keys.clear()
    await door.keyring.refresh()
    assert door.keyring.known(SERVER_KEY) is None


async def test_a_revoked_key_costs_no_read_and_only_its_own_secret_tells_whose_it_was(door: FrontDoor) -> None:
    door.store.keys = [key._replace(revoked=True) for key in door.store.keys]
    await door.keyring.refresh()
    assert door.keyring.known(SERVER_KEY) is None
    revoked = door.keyring.revoked(SERVER_KEY)
    assert revoked is not None
    assert revoked.source_id == "shop"
    assert [door.keyring.revoked(text) for text in ("wk_k1_wrong", "wk_k9_secret-one", "nonsense")] == [None] * 3
    assert (await door.post(GOOD)).json()["code"] == "revoked-write-key"
    assert door.store.reads == 1


async def test_keys_are_read_again_within_ten_seconds(door: FrontDoor) -> None:
    door.store.keys.clear()
    begun = door.clock.monotonic()

    class Enough(Transient):
        pass

    async def load() -> list[WriteKey]:
        if door.store.reads == 3:
            raise Enough
        return await door.store.load()

    door.keyring._load = load
    with pytest.raises(Enough):
        await door.keyring.follow()
    assert (door.clock.monotonic() - begun) / 3 < 10


async def test_an_older_read_that_ends_later_is_not_believed(door: FrontDoor) -> None:
    old, begun, release = list(door.store.keys), asyncio.Event(), asyncio.Event()

    async def slow() -> list[WriteKey]:
        begun.set()
        await release.wait()
        return old

    fresh = door.keyring._load
    door.keyring._load = slow
    async with asyncio.TaskGroup() as group:
        group.create_task(door.keyring.refresh())
        await begun.wait()
        await door.clock.sleep(1)
        door.keyring._load = fresh
        door.store.keys = []
        await door.keyring.refresh()
        release.set()
    assert await refusal(door, SERVER_KEY) == 401


@pytest.mark.parametrize(
    "text",
    ["", "wk", "wk_", "wk__", "wk_a", "wk_a_", "wk__s", "sk_a_s", "WK_a_s", "wk_a_" + "s" * 200, "\x00", "wk-a-s"],
)
def test_what_is_no_write_key_is_none(text: str) -> None:
    assert keys.read(text) is None


def test_a_key_reads_as_it_was_written() -> None:
    assert keys.read(keys.write("0a1b", "se_cr-et")) == keys.Presented("0a1b", "se_cr-et")


def test_only_server_keys_are_trusted() -> None:
    assert keys.trusted_by_default("server")
    assert not keys.trusted_by_default("browser")


def test_any_secret_can_be_hashed() -> None:
    assert not keys.matches(WriteKey("a", "s", True, keys.digest("x")), keys.Presented("a", "\udcff"))


def test_only_a_trusted_browser_key_needs_a_warning() -> None:
    asked = [(kind, trusted) for kind in KINDS for trusted in (True, False)]
    assert [pair for pair in asked if keys.warning(*pair)] == [("browser", True)]
