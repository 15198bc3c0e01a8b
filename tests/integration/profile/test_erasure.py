"""What was erased is deleted, whatever order it is told in, and does not come back (identity.md §6)."""

from __future__ import annotations

from random import Random

import pytest

from integration.profile.histories import HOMES, ids, with_erasures
from integration.profile.world import HASHER, Worker, World, batches, customer, home, speaking, subject_of
from tern_common.bus import Record
from tern_common.db import Pool, connection
from tern_common.events import PublicProfile
from tern_profile.domain.whole import Whole
from tern_profile.store import lookup
from tern_profile.store.records import Basis
from unit.profile.saying import ANN, BOB, POLICY, identify, track

BASIS = Basis(subject_of, POLICY)

_KEPT = """
SELECT 'event', encode(home_id, 'hex'), message_id FROM event
UNION ALL SELECT 'contact', encode(home_id, 'hex'), encode(subject, 'hex') FROM contact
UNION ALL SELECT 'grant', encode(home_id, 'hex'), granted_proof FROM consent WHERE granted_at IS NOT NULL
UNION ALL SELECT 'withdrawal', encode(home_id, 'hex'), purpose || channel FROM consent WHERE withdrawn_at IS NOT NULL
UNION ALL SELECT 'fragment', encode(home_id, 'hex'), activity::text FROM home WHERE activity IS NOT NULL
UNION ALL SELECT 'subject', '', encode(subject, 'hex') FROM subject
UNION ALL SELECT 'tombstone', encode(home_id, 'hex'), '' FROM home WHERE customer_id IS NULL
UNION ALL SELECT 'owner', encode(home_id, 'hex'), customer_id::text FROM home WHERE customer_id IS NOT NULL
UNION ALL SELECT 'moved', customer_id::text, into_customer::text FROM moved
"""


async def kept(pool: Pool) -> set[tuple[str, str, str]]:
    """All that is kept but the public records: what it is, of which home, and what of it."""
    async with connection(pool) as conn:
        return {tuple(row) for row in await conn.fetch(_KEPT)}


async def shown(pool: Pool, name: str) -> Whole | None:
    return await lookup.by_customer(pool, customer(name), BASIS)


@pytest.fixture
def shop() -> World:
    """Ann was here as a visitor, as a member and at a till; the member's home is what is to be erased."""
    world = World()
    for name in ("visit", "member", "till"):
        world.place(name, "ann")
    world.file("visit", track("Product Added", 1, "p", product_id="pen", cart_id="c"))
    world.file("member", identify(2, "i", trusted=True, email=ANN, plan="a"))
    world.file("member", track("Consent Granted", 3, "g", trusted=True, channel="email", email=ANN, proof="form 4711"))
    world.file("member", track("Order Completed", 4, "o", order_id="o", total=5))
    world.file("till", identify(5, "t", trusted=True, email=BOB))
    return world


async def test_nothing_of_an_erased_home_is_kept_but_that_it_is_erased(pool: Pool, worker: Worker, shop: World) -> None:
    await worker.deliver(shop.said)
    await worker.deliver([shop.erase("member token", "member")])
    assert not [row for row in await kept(pool) if row[1] == home("member") and row[0] != "tombstone"]
    assert ("subject", "", subject_of("email", ANN)) not in await kept(pool)
    assert speaking(worker.wire.newest()) == shop.expected()
    record = worker.wire.newest()[customer("ann")]
    assert (record.orders, record.consent, record.contacts["email"].value) == (0, {}, BOB)


async def test_a_customer_of_whom_all_is_erased_is_published_empty_and_found_by_nobody(
    pool: Pool, worker: Worker, shop: World
) -> None:
    await worker.deliver(shop.said)
    gone = shop.erase("ann", "visit", "member", "till")
    await worker.deliver([gone])
    version = worker.wire.newest()[customer("ann")].profile_version
    assert worker.wire.newest() == {
        customer("ann"): PublicProfile(customer_id=customer("ann"), profile_version=version)
    }
    assert await shown(pool, "ann") is None
    assert await lookup.by_home(pool, bytes.fromhex(home("member")), BASIS) is None
    again = await worker.deliver([gone])
    assert [one.customer_id for one in again] == [customer("ann")], "a redelivered erasure publishes again"


async def test_a_door_that_is_erased_opens_to_nobody(pool: Pool, worker: Worker, shop: World) -> None:
    door = bytes.fromhex(HASHER.door("email", ANN))
    await worker.deliver([*shop.said, shop.door("email", ANN, "ann")])
    assert await lookup.by_home(pool, door, BASIS) is not None
    await worker.deliver([shop.erase_door("email", ANN)])
    assert await lookup.by_home(pool, door, BASIS) is None


async def test_an_event_that_comes_after_the_erasure_is_not_kept(pool: Pool, worker: Worker, shop: World) -> None:
    old = list(shop.said)
    await worker.deliver([shop.erase("member token", "member")])
    await worker.deliver(old)
    await worker.deliver([shop.said[1]])
    first = await kept(pool)
    assert not [row for row in first if row[1] == home("member") and row[0] != "tombstone"]
    assert speaking(worker.wire.newest()) == shop.expected()


async def test_whoever_refused_is_not_written_to_because_the_refusal_was_erased(
    pool: Pool, worker: Worker, shop: World
) -> None:
    shop.place("other", "bob")
    shop.file("other", identify(6, "b", trusted=True, email=ANN))
    shop.file("other", track("Consent Granted", 7, "bg", trusted=True, channel="email", email=ANN))
    shop.file("member", track("Consent Withdrawn", 8, "w", channel="email", email=ANN))
    await worker.deliver(shop.said)
    await worker.deliver([shop.erase("member token", "member")])
    assert worker.wire.newest()[customer("bob")].consent == {"marketing": {"email": False}}
    rows = {row[0] for row in await kept(pool) if row[1] == home("member")}
    assert rows == {"tombstone", "withdrawal"}


async def test_a_grant_goes_with_the_home_that_said_it(worker: Worker, shop: World) -> None:
    shop.place("other", "bob")
    shop.file("other", identify(6, "b", trusted=True, email=ANN))
    await worker.deliver(shop.said)
    assert worker.wire.newest()[customer("bob")].consent == {"marketing": {"email": True}}
    await worker.deliver([shop.erase("member token", "member")])
    assert worker.wire.newest()[customer("bob")].consent == {}


async def test_what_is_left_of_an_erased_customer_goes_on_and_the_old_id_stands_for_nobody(
    pool: Pool, worker: Worker, shop: World
) -> None:
    await worker.deliver(shop.said)
    await worker.deliver([shop.erase("ann", "member"), shop.move("rest", "visit", "till")])
    rest = await shown(pool, "rest")
    assert rest is not None
    assert rest.activity.counts == {"Product Added": 1, "identify": 1}
    assert await shown(pool, "ann") is None
    assert worker.wire.newest()[customer("ann")].merged_into is None


@pytest.mark.parametrize("seed", range(16))
async def test_any_order_of_events_moves_and_erasures_keeps_the_same(pool: Pool, worker: Worker, seed: int) -> None:
    random = Random(seed)
    world = with_erasures(random, 50)
    doubled: list[Record] = [*world.said, *random.sample(world.said, 20)]
    for part in batches(random.sample(doubled, len(doubled)), random):
        await worker.deliver(part)
    assert speaking(worker.wire.newest()) == world.expected()
    assert_nothing_left(await kept(pool), world)
    found = [one for one in [await lookup.by_customer(pool, name, BASIS) for name in ids()] if one]
    folded = world.folded()
    assert {one.known.customer_id: one.known.last_at for one in found} == {
        one: what.last_at for one, what in folded.items()
    }
    before = await kept(pool)
    for part in batches(world.said, random):
        await worker.deliver(part)
    assert await kept(pool) == before


def assert_nothing_left(rows: set[tuple[str, str, str]], world: World) -> None:
    homes = {home(name) for name in HOMES if name in world.erased}
    assert {row[0] for row in rows if row[1] in homes} <= {"tombstone", "withdrawal"}
    assert {row[1] for row in rows if row[0] == "tombstone"} == homes
