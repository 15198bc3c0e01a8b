"""Any order, duplication and batching of what identity says ends in the same profiles (architecture, G3, G4, G6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from random import Random

import msgspec
import pytest

from integration.profile.histories import history, ids
from integration.profile.world import Wire, Worker, World, batches, customer, home, speaking, subject_of
from tern_common.bus import Record
from tern_common.db import Pool, connection
from tern_common.events import PublicProfile
from tern_profile.domain.consent import Consent, Grant
from tern_profile.domain.fragment import Fragment
from tern_profile.domain.whole import Whole
from tern_profile.store import lookup
from tern_profile.store.events import PAGE
from tern_profile.store.records import Basis
from unit.profile.saying import ANN, BOB, DECLARING, at, event, identify, track

BASIS = Basis(subject_of, DECLARING)


async def whole(pool: Pool, name: str) -> Whole:
    """All that is known about whoever the customer is now."""
    found = await lookup.by_customer(pool, customer(name), BASIS)
    assert found is not None
    return found


def unversioned(found: Whole) -> Whole:
    return found._replace(profile_version=0, public=msgspec.structs.replace(found.public, profile_version=0))


async def everything(pool: Pool) -> dict[str, Fragment]:
    """Customer id → the fold of his homes as the API sees it, for whoever answers to any id."""
    shown = [one for one in [await lookup.by_customer(pool, name, BASIS) for name in ids()] if one]
    return {
        one.known.customer_id: Fragment(
            one.known.first_at, one.known.last_at, one.activity, one.known.standing, one.known.rhythm
        )
        for one in shown
    }


async def said_of_contacts(pool: Pool) -> dict[tuple[str, str], Consent]:
    """(home id, key) → what its row says."""
    async with connection(pool) as conn:
        rows = await conn.fetch(
            "SELECT encode(home_id, 'hex'), concat_ws('/', encode(subject, 'hex'), purpose, channel),"
            " granted_at, granted_proof, trusted_at, trusted_proof, withdrawn_at FROM consent"
        )
    return {(row[0], row[1]): Consent(_grant(row[2], row[3]), _grant(row[4], row[5]), row[6]) for row in rows}


def _grant(at: datetime | None, proof: str) -> Grant | None:
    return None if at is None else Grant(at, proof)


@pytest.mark.parametrize("seed", range(12))
async def test_shuffled_and_duplicated_delivery_converges(pool: Pool, worker: Worker, seed: int) -> None:
    random = Random(seed)
    world = history(random, 60)
    doubled = [*world.said, *random.sample(world.said, 20)]
    for part in batches(random.sample(doubled, len(doubled)), random):
        await worker.deliver(part)
    assert speaking(worker.wire.newest()) == world.expected()
    assert await everything(pool) == world.kept()
    assert await said_of_contacts(pool) == world.said_of_contacts()


@pytest.mark.parametrize("seed", range(100, 108))
async def test_workers_at_once_keep_versions_growing_and_the_last_record_right(pool: Pool, seed: int) -> None:
    random = Random(seed)
    world = history(random, 150)
    doubled = [*world.said, *random.sample(world.said, 30)]
    parts = batches(random.sample(doubled, len(doubled)), random)
    wire = Wire()
    async with asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(_work(Worker(pool, wire), parts[number::3]))
    assert speaking(wire.newest()) == world.expected()
    assert_one_record_a_version(wire)
    assert {one.customer_id: one for one in wire.published} == wire.newest(), "compaction keeps what came last"
    assert await everything(pool) == world.kept()
    assert await said_of_contacts(pool) == world.said_of_contacts()


async def _work(worker: Worker, parts: list[Sequence[Record]]) -> None:
    for part in parts:
        await worker.deliver(part)


def assert_one_record_a_version(wire: Wire) -> None:
    """A version names one content; a record published again is the same, byte for byte."""
    contents: dict[tuple[str, int], bytes] = {}
    for one, sent in zip(wire.published, wire.sent, strict=True):
        assert contents.setdefault((one.customer_id, one.profile_version), sent.value) == sent.value


@pytest.fixture
def shop() -> World:
    """Ann was here as a visitor and as a member."""
    world = World()
    world.place("visit", "visitor")
    world.place("member", "ann")
    world.file("visit", track("Product Added", 1, product_id="pen", cart_id="c"))
    world.file("visit", event("p", 2, type="page"))
    world.file("member", identify(3, trusted=True, email=ANN, plan="a"))
    world.file("member", track("Order Completed", 4, order_id="o", total=5))
    return world


async def test_redelivery_counts_nothing_twice_and_publishes_again(pool: Pool, worker: Worker, shop: World) -> None:
    first = await worker.deliver(shop.said)
    before = await whole(pool, "ann")
    again = await worker.deliver(shop.said)
    assert by_id(again) == by_id(first)
    assert len(again) == 2, "once per customer and batch"
    ids = [dict(message.headers)["message-id"] for message in worker.wire.sent]
    assert set(ids[:-2]) >= set(ids[-2:]), "what is published again has the same id"
    assert await whole(pool, "ann") == before


def by_id(records: list[PublicProfile]) -> dict[str, PublicProfile]:
    return {one.customer_id: one for one in records}


async def test_a_redelivered_move_publishes_both_sides_again(worker: Worker, shop: World) -> None:
    await worker.deliver(shop.said)
    moved = shop.move("ann", "visit")
    first = await worker.deliver([moved])
    again = by_id(await worker.deliver([moved]))
    assert again.keys() == {customer("ann"), customer("visitor")}
    assert by_id(first).items() <= again.items()


async def test_a_redelivered_consent_publishes_whoever_has_the_contact_again(worker: Worker, shop: World) -> None:
    await worker.deliver(shop.said)
    shop.place("stranger", "bob")
    withdrawn = shop.file("stranger", track("Consent Withdrawn", 5, channel="email", email=ANN))
    first = await worker.deliver([withdrawn])
    assert by_id(first).keys() == {customer("ann"), customer("bob")}
    assert by_id(await worker.deliver([withdrawn])) == by_id(first)


async def test_views_publish_nothing(worker: Worker, shop: World) -> None:
    await worker.deliver(shop.said)
    assert await worker.deliver([shop.file("member", event("more", 3.5, type="page"))]) == []


async def test_a_merge_moves_nothing_twice_and_a_split_gives_back_exactly(
    pool: Pool, worker: Worker, shop: World
) -> None:
    await worker.deliver(shop.said)
    visitor, ann = await whole(pool, "visitor"), await whole(pool, "ann")

    merge = shop.move("ann", "visit")
    for _ in range(2):
        await worker.deliver([merge])
    merged = await whole(pool, "ann")
    assert merged.activity.counts == {"Product Added": 1, "page": 1, "identify": 1, "Order Completed": 1}
    assert merged.homes == 2
    assert await whole(pool, "visitor") == merged

    await worker.deliver([shop.move("visitor", "visit")])
    again = await whole(pool, "visitor"), await whole(pool, "ann")
    assert [unversioned(one) for one in again] == [unversioned(one) for one in (visitor, ann)]
    assert speaking(worker.wire.newest()) == shop.expected()


async def test_an_absorbed_customer_is_published_as_such_and_comes_back(worker: Worker, shop: World) -> None:
    await worker.deliver(shop.said)
    await worker.deliver([shop.move("ann", "visit")])
    absorbed = worker.wire.newest()[customer("visitor")]
    assert absorbed == PublicProfile(customer_id=customer("visitor"), profile_version=2, merged_into=customer("ann"))
    await worker.deliver([shop.move("visitor", "visit")])
    assert worker.wire.newest()[customer("visitor")].merged_into is None


async def test_an_event_with_a_newer_membership_moves_its_home_even_as_a_copy(worker: Worker, shop: World) -> None:
    """Membership comes before the duplicate check (C6)."""
    await worker.deliver(shop.said)
    shop.move("ann", "visit")
    copy = shop.file("visit", event("p", 2, type="page"))
    assert by_id(await worker.deliver([copy]))[customer("visitor")].merged_into == customer("ann")


async def test_an_older_membership_changes_nothing(pool: Pool, worker: Worker, shop: World) -> None:
    old = shop.said[1]
    await worker.deliver([shop.move("ann", "visit")])
    await worker.deliver([old])
    assert (await whole(pool, "ann")).activity.counts == {"page": 1}


async def test_ids_follow_each_other_to_the_customer_of_now(pool: Pool, worker: Worker, shop: World) -> None:
    await worker.deliver([*shop.said, shop.move("b", "visit"), shop.move("c", "visit"), shop.move("ann", "visit")])
    for name in ("visitor", "b", "c", "ann"):
        assert (await whole(pool, name)).known.customer_id == customer("ann")


async def test_a_copy_with_a_smaller_time_counts_once_at_that_time(pool: Pool, worker: Worker) -> None:
    world = World()
    world.place("h", "ann")
    late = world.file("h", track("Order Completed", 9, "m", order_id="o", total=5))
    early = world.file("h", track("Order Completed", 2, "m", order_id="o", total=5))
    await worker.deliver([late])
    assert len(await worker.deliver([early])) == 1
    await worker.deliver([late])
    assert speaking(worker.wire.newest()) == world.expected()
    assert (await whole(pool, "ann")).activity.counts == {"Order Completed": 1}


async def test_a_home_of_many_pages_is_folded_again_as_a_whole(pool: Pool, worker: Worker) -> None:
    world = World()
    world.place("h", "ann")
    for number in range(2 * PAGE + 1):
        world.file("h", track("Cart Updated", number, f"m{number}", cart_id=f"c{number}", products=[]))
    world.file("h", track("Cart Updated", -1, f"m{PAGE}", cart_id=f"c{PAGE}", products=[]))
    await worker.deliver(world.said[:-1])
    await worker.deliver(world.said[-1:])
    assert speaking(worker.wire.newest()) == world.expected()
    assert (await whole(pool, "ann")).activity == world.folded()[customer("ann")].activity


async def test_what_a_home_said_of_a_contact_stays_said_whatever_it_says_later(
    worker: Worker, pool: Pool, shop: World
) -> None:
    """Batch by batch, so that nothing but the contact's rows knows of what was before."""

    def consent(hours: float, kind: str, proof: str = "", *, trusted: bool = False) -> Record:
        name = f"{kind} {hours} {proof}"
        said = track(f"Consent {kind}", hours, name, trusted=trusted, channel="email", email=ANN, proof=proof)
        return shop.file("visit", said)

    async def verdict(said: Record) -> bool:
        await worker.deliver([said])
        return worker.wire.newest()[customer("ann")].consent["marketing"]["email"]

    await worker.deliver(shop.said)
    assert not await verdict(consent(10, "Withdrawn"))
    assert not await verdict(consent(12, "Granted")), "only a trusted event can grant again"
    assert await verdict(consent(11, "Granted", "b", trusted=True))
    assert await verdict(consent(9, "Withdrawn")), "an older one"
    assert await verdict(consent(11, "Granted", "a", trusted=True))
    assert not await verdict(consent(13, "Withdrawn"))
    async with connection(pool) as conn:
        (row,) = await conn.fetch(
            "SELECT granted_at, trusted_at, trusted_proof, withdrawn_at, standing ->> 'consents'"
            " FROM consent JOIN home USING (home_id) WHERE home_id = $1",
            bytes.fromhex(home("visit")),
        )
    assert tuple(row) == (at(12), at(11), "b", at(13), None)


async def test_consent_changes_the_records_of_all_who_have_the_contact(worker: Worker, shop: World) -> None:
    await worker.deliver(shop.said)
    shop.place("till", "nobody")
    granted = shop.file("till", track("Consent Granted", 5, trusted=True, channel="email", email=ANN))
    assert by_id(await worker.deliver([granted]))[customer("ann")].consent == {"marketing": {"email": True}}
    await worker.deliver([shop.file("till", track("Consent Withdrawn", 6, channel="email", email=ANN))])
    await worker.deliver([shop.file("till", track("Consent Withdrawn", 7, channel="email", email=BOB))])
    assert worker.wire.newest()[customer("ann")].consent == {"marketing": {"email": False}}
    assert speaking(worker.wire.newest()) == shop.expected()


async def test_a_door_alone_publishes_nothing(worker: Worker, shop: World) -> None:
    assert await worker.deliver([shop.door("email", ANN, "ann")]) == []
    assert len(await worker.deliver(shop.said)) == 2


async def test_a_higher_epoch_passes_every_version_published_before(pool: Pool, worker: Worker, shop: World) -> None:
    await worker.deliver(shop.said)
    restored = Worker(pool, epoch=1)
    first = await restored.deliver([shop.file("member", identify(9, plan="b"))])
    second = await restored.deliver([shop.file("member", identify(10, plan="c"))])
    assert [one.profile_version for one in first + second] == [(1 << 40) + 1, (1 << 40) + 2]
