"""What was erased is deleted here too, in any order; what was decided stays, without what led to it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from random import Random

import pytest

from integration.triggers.shop import (
    HOUR,
    MINUTE,
    NOON,
    READY,
    Shop,
    cart,
    customer,
    erased,
    home,
    moved,
    order,
    profile,
)
from tern_common.db import connection
from tern_triggers.domain.reports import OutcomeReported
from tern_triggers.domain.story import Gone
from tern_triggers.store import firing, memberships, reports

_KEPT = """
SELECT 'fact', replace(home_id::text, '-', ''), message_id FROM fact
UNION ALL SELECT 'membership', replace(home_id::text, '-', ''), customer_id::text FROM membership
UNION ALL SELECT 'former', customer_id::text, into_id::text FROM former
UNION ALL SELECT 'cart', cart_id, concat_ws(' ', newest_at, newest_message, newest_home, order_at) FROM cart_key
"""


async def kept(shop: Shop) -> set[tuple[str, str, str | None]]:
    """All facts, memberships and carts: what it is, of which home, customer or cart, and what of it."""
    async with connection(shop.pool) as conn:
        return {tuple(row) for row in await conn.fetch(_KEPT)}


async def reminded(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    await shop.at(NOON + READY)


async def test_facts_of_an_erased_home_are_deleted_and_never_taken_again(shop: Shop) -> None:
    told = cart("ann", NOON, "m1", "tea")
    await shop.meet(profile("ann"))
    await shop.take(told)
    for _ in range(2):
        await shop.take(erased("ann", {"ann": 2}))
        await shop.take(told, order("ann", NOON + MINUTE, "o1", "tea"))
        assert await shop.count("fact") == 0
    await shop.at(NOON + READY)
    assert await shop.outcomes() == []
    assert ("membership", home("ann"), None) in await kept(shop)
    assert await shop.planned() == {customer("ann")}


async def test_an_erasure_that_comes_first_keeps_out_what_comes_later(shop: Shop) -> None:
    await shop.take(erased("ann", {"ann": 2}))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    assert await shop.count("fact") == 0
    assert await shop.planned() == set(), "nobody is looked at"


async def test_what_is_left_of_the_customer_goes_on(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(
        cart("ann", NOON, "m1", "tea"),
        cart("ann", NOON, "m2", "pot", cart_id="c2", home_of="phone"),
        erased("token", {"phone": 2}, "ann"),
    )
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == ["cart_abandoned fired -"]
    assert [event["data"]["cart"]["cart_id"] for event in shop.published()] == ["c1"]


async def test_a_trigger_that_is_out_is_cancelled_and_its_decision_says_no_more_than_that(shop: Shop) -> None:
    await reminded(shop)
    await shop.take(erased("ann", {"ann": 2}))
    await shop.take(erased("ann", {"ann": 3}))
    kinds = [event["type"].split(".")[2] for event in shop.published()]
    assert kinds == ["fired", "cancelled"], "once"
    assert shop.published()[1]["data"]["reason"] == Gone.ERASED
    assert shop.published()[1]["subject"] == customer("ann"), "the key of its firing"
    (decision,) = await shop.decisions()
    assert (decision.outcome, decision.facts) == ("fired", {})
    assert decision.cancelled_at is not None
    assert await shop.decisions("ann") == []


async def test_what_became_of_a_trigger_goes_with_the_home_and_is_not_noted_again(shop: Shop) -> None:
    await reminded(shop)
    trigger_id = shop.published()[0]["id"]
    said = [OutcomeReported(trigger_id=trigger_id, status="opened", at=shop.clock.now(), channel="email")]
    assert await reports.take_outcomes(shop.pool, said, shop.clock.now()) == (1, 0)
    await shop.take(erased("ann", {"ann": 2}))
    assert await shop.count("outcome") == 0
    assert await reports.take_outcomes(shop.pool, said, shop.clock.now()) == (0, 1)
    assert await shop.count("outcome") == 0


async def test_a_trigger_that_nobody_has_seen_is_withdrawn(shop: Shop) -> None:
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    shop.clock.advance(READY)
    await shop.safe(NOON + READY)
    await firing.fire_due(shop.pool, shop.writing, await shop.safe_now(), shop.clock.now())
    await shop.take(erased("ann", {"ann": 2}))
    assert await shop.count("outbox") == 0
    assert await shop.outcomes() == ["cart_abandoned withdrawn erased"]


async def test_a_trigger_that_has_expired_is_not_spoken_of_again(shop: Shop) -> None:
    await reminded(shop)
    shop.clock.advance(timedelta(days=3))
    await shop.take(erased("ann", {"ann": 2}))
    assert len(shop.published()) == 1
    assert [decision.facts for decision in await shop.decisions()] == [{}]


@pytest.mark.parametrize("first", [True, False])
async def test_an_order_by_somebody_who_was_erased_still_ends_the_cart_of_another(shop: Shop, first: bool) -> None:
    """An erasure takes reasons away, and gives none back: whichever comes first."""
    await shop.meet(profile("ann"))
    await shop.take(cart("ann", NOON, "m1", "tea"))
    said = [order("guest", NOON + MINUTE, "o1", cart_id="c1"), erased("guest", {"guest": 2})]
    for one in said if first else said[::-1]:
        await shop.take(one)
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == ["cart_abandoned ended ordered"]


async def test_contact_points_are_kept_of_living_profiles_only(shop: Shop) -> None:
    await shop.meet(profile("ann"), profile("visitor", email=False))
    await shop.meet(profile("visitor", 2, into="ann"))
    async with connection(shop.pool) as conn:
        found = [bytes(row[0]) for row in await conn.fetch("SELECT verdicts FROM profile_copy")]
    assert sorted(b"example.com" in one for one in found) == [False, True]
    await shop.take(cart("ann", NOON, "m1", "tea"), moved("ann", {"visitor": 2}, "visitor"))
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == ["cart_abandoned fired -"], "safe time has passed the merge"


async def test_the_id_of_what_was_erased_stands_for_nobody(shop: Shop) -> None:
    await shop.take(cart("ann", NOON, "m1", "tea"), cart("ann", NOON, "m2", "tea", home_of="phone"))
    await shop.take(erased("ann", {"ann": 2}), moved("rest", {"phone": 3}, "ann"))
    async with connection(shop.pool) as conn:
        assert await memberships.canonical(conn, customer("ann")) == customer("ann")


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_keeps_the_same(shop: Shop, seed: int) -> None:
    random = Random(seed)
    said = _history(random)
    found = []
    for _ in range(3):
        await shop.execute("TRUNCATE fact, membership, former, cart_key, agenda")
        doubled = random.sample([*said, *random.sample(said, 8)], len(said) + 8)
        while doubled:
            size = random.randint(1, 7)
            part, doubled = doubled[:size], doubled[size:]
            await shop.take(*part)
        found.append(await kept(shop))
        assert not {row[1] for row in found[-1] if row[0] == "fact"} & {home("h1"), home("h3")}
    assert found[0] == found[1] == found[2]


def _history(random: Random) -> list[bytes]:
    """Three customers and six homes; a merge, a split, two erasures, and events of all times."""
    owners = {f"h{number}": random.choice("abc") for number in range(6)}
    numbers = count(1)
    versions = {name: next(numbers) for name in owners}
    said: list[bytes] = []

    def act(number: int) -> None:
        name = random.choice(sorted(owners))
        at = NOON + random.randint(0, 50) * HOUR
        more = {"home_of": name, "version": versions[name]}
        cart_id = random.choice(["c1", "c2", None])
        if random.random() < 0.6:
            said.append(cart(owners[name], at, f"m{number}", "tea", cart_id=cart_id, **more))
        else:
            said.append(order(owners[name], at, f"m{number}", "tea", cart_id=cart_id or "", **more))

    def move(names: list[str], to: str) -> None:
        sources = {owners[name] for name in names}
        for name in names:
            owners[name], versions[name] = to, next(numbers)
        said.append(moved(to, {name: versions[name] for name in names}, *sorted(sources - {to})))

    for number in range(30):
        act(number)
        if random.random() < 0.2:
            move(random.sample(sorted(owners), 2), random.choice("abc"))
    said.append(erased("a", {"h1": next(numbers)}, *({owners["h1"]} - {"a"})))
    said.append(erased("token", {"h3": next(numbers)}, owners["h3"]))
    return said
