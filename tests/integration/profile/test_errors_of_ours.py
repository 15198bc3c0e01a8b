"""One record that meets an error of ours in the transaction is set aside; where all do, the process ends (ADR 30)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from integration.profile.test_by_absence import LAPSES_IN, Told
from integration.profile.world import HASHER, Worker, World, customer, home
from support.running import running
from support.waiting import eventually
from tern_common.blaming import IN_A_ROW, PUT_OFF, TooManyErrors
from tern_common.bus import Message
from tern_common.clock import ManualClock
from tern_common.consume import consume
from tern_common.db import Pool, connection
from tern_common.events import decode_profile
from tern_common.fetching import OUR_ERROR, Pacing
from tern_common.hashing import Hasher
from tern_common.memory import MemoryBus
from tern_common.rejecting import Rejecting
from tern_common.topics import PROFILES, REJECTED, RESOLVED
from tern_profile.consumer import GROUP, ProfileHandler
from tern_profile.store import timers
from unit.profile.saying import BOB, DECLARING, at, identify, track


class Jammed(Hasher):
    """Errs about whatever contains `about`: where a record is made, since reading asks about consents only."""

    def __init__(self, about: str) -> None:
        super().__init__(b"a key for tests only")
        self._about = about

    def identifier(self, namespace: str, value: str) -> bytes:
        if self._about in value:
            raise ZeroDivisionError
        return super().identifier(namespace, value)


@pytest.fixture
def shop() -> World:
    world = World()
    for who in ("ann", "bob", "cat"):
        world.place(who, who)
        world.file(who, identify(1, trusted=True, email=f"{who}@example.com", name=who))
    return world


async def work_through(pool: Pool, hasher: Hasher, values: Sequence[bytes]) -> MemoryBus:
    """The service's loop over these, until all is committed."""
    bus = MemoryBus()
    await bus.producer.send([Message(RESOLVED, b"k", value) for value in values])
    handler = ProfileHandler(pool, bus.producer, hasher, DECLARING)
    consumer = await bus.subscribe(GROUP, [RESOLVED])

    async def all_in() -> bool:
        return sum((await bus.log.committed(GROUP, RESOLVED)).values()) == len(values)

    async with running(consume(consumer, handler, Rejecting(bus.producer, "profile"), ManualClock(), pace=Pacing(100))):
        await eventually(all_in, 20, "all is committed")
    return bus


def published(bus: MemoryBus) -> set[str]:
    return {decode_profile(record.value).customer_id for record in bus.sent(PROFILES)}


async def test_a_record_that_errs_is_set_aside_and_counts_once_that_is_mended(pool: Pool, shop: World) -> None:
    bus = await work_through(pool, Jammed(BOB), [one.value for one in shop.said])
    (aside,) = bus.sent(REJECTED)
    assert (aside.header("reason"), aside.value) == (OUR_ERROR, shop.said[1].value)
    assert published(bus) == {customer("ann"), customer("cat")}
    mended = await work_through(pool, HASHER, [aside.value])
    assert published(mended) == {customer("bob")}
    assert {one.customer_id for one in await Worker(pool).deliver(shop.said)} == shop.expected().keys()


async def test_an_error_that_all_records_meet_ends_the_process(pool: Pool, shop: World) -> None:
    with pytest.raises(ExceptionGroup) as ended:
        await work_through(pool, Jammed("@"), [one.value for one in shop.said])
    assert ended.group_contains(TooManyErrors)
    mended = await work_through(pool, HASHER, [one.value for one in shop.said])
    assert published(mended) == shop.expected().keys(), "nothing was set aside"


@pytest.fixture
async def told(pool: Pool, shop: World) -> Told:
    """Ann and Bob bought once, and would lapse at the same moment; nothing is certain yet."""
    told = Told()
    await buy(pool, shop, told, "ann", "bob")
    return told


async def buy(pool: Pool, shop: World, told: Told, *names: str) -> None:
    bought = [shop.file(who, track("Order Completed", 1, order_id=who, total=5)) for who in names]
    await Worker(pool, moments=told).deliver(bought)


async def damage(pool: Pool, *names: str) -> None:
    """What no fold ever writes."""
    async with connection(pool) as conn:
        homes = [bytes.fromhex(home(name)) for name in names]
        await conn.execute(
            "UPDATE home SET standing = ('[' || standing::text || ']')::json WHERE home_id = ANY($1::bytea[])", homes
        )


async def mend(pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("UPDATE home SET standing = standing -> 0 WHERE standing::text LIKE '[%'")


async def test_whoever_errs_when_his_moment_has_passed_is_put_off_and_nobody_waits_for_him(
    pool: Pool, told: Told
) -> None:
    await damage(pool, "bob")
    told.certain = at(99)
    assert [one.customer_id for one in await Worker(pool, moments=told).wake()] == [customer("ann")]
    assert await timers.next_at(pool) == told.certain + PUT_OFF
    await mend(pool)
    told.certain += PUT_OFF
    (record,) = await Worker(pool, moments=told).wake()
    assert (record.customer_id, record.classes["lapsed"]) == (customer("bob"), at(1 + LAPSES_IN))


async def test_a_few_who_err_while_nobody_else_is_due_are_put_off_too(pool: Pool, told: Told) -> None:
    await damage(pool, "ann", "bob")
    told.certain = at(99)
    assert await Worker(pool, moments=told).wake() == []
    assert await timers.next_at(pool) == told.certain + PUT_OFF


async def test_where_all_of_many_err_when_their_moment_has_passed_the_process_ends_and_nobody_is_put_off(
    pool: Pool, shop: World, told: Told
) -> None:
    others = [f"other{number}" for number in range(IN_A_ROW - 1)]
    for who in others:
        shop.place(who, who)
    await buy(pool, shop, told, *others)
    await damage(pool, "ann", "bob", *others)
    told.certain = at(99)
    with pytest.raises(msgspec.DecodeError):
        await Worker(pool, moments=told).wake()
    planned = await timers.next_at(pool)
    assert planned is not None
    assert planned <= told.certain, "they are due as before"
