"""While a merge is half applied no refusal is lost, and no grant that is known is missing."""

from __future__ import annotations

import pytest

from integration.triggers.shop import HOUR, MINUTE, NOON, READY, Shop, cart, customer, moved, profile
from tern_common.events import PublicProfile, encode

FIRED, REFUSED = ["cart_abandoned fired -"], ["cart_abandoned suppressed no-consent"]


def absorbed(who: str, into: str, rev: int = 2) -> bytes:
    """The last record of a customer that was merged into another."""
    return encode(PublicProfile(customer_id=customer(who), profile_version=rev, merged_into=customer(into)))


async def test_a_refusal_of_an_absorbed_customer_counts_until_profiles_are_merged(shop: Shop) -> None:
    await shop.meet(profile("ann"), profile("visitor", email=False))
    await shop.take(cart("visitor", NOON, "m1", "tea"), moved("ann", {"visitor": 2}, "visitor"))
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == REFUSED


async def test_a_refusal_outlives_the_record_of_the_merge_until_safe_time_has_passed_it(shop: Shop) -> None:
    """The survivor's own record may come in a later batch than the absorbed one's last."""
    await shop.meet(profile("ann"), profile("visitor", email=False))
    await shop.take(cart("visitor", NOON, "m1", "tea"), moved("ann", {"visitor": 2}, "visitor"))
    shop.clock.advance(READY + MINUTE)
    await shop.meet(absorbed("visitor", "ann"))
    await shop.safe(NOON + READY)
    while await shop.timing.look():
        pass
    assert await shop.outcomes("ann") == REFUSED
    await shop.take(cart("ann", NOON + 2 * HOUR, "m2", "pot", cart_id="c2"))
    await shop.at(NOON + 2 * HOUR + READY)
    assert (await shop.outcomes("ann"))[1:] == FIRED, "ann's own record is here by now"


async def test_a_customer_whose_homes_have_not_moved_yet_keeps_its_own_verdicts(shop: Shop) -> None:
    await shop.meet(profile("visitor"))
    await shop.take(cart("visitor", NOON, "m1", "tea"))
    shop.clock.advance(READY + MINUTE)
    await shop.meet(absorbed("visitor", "ann"))
    await shop.safe(NOON + READY)
    await shop.timing.look()
    assert await shop.outcomes("visitor") == FIRED


@pytest.mark.parametrize(("email", "expected"), [(False, REFUSED), (True, FIRED)])
async def test_what_was_absorbed_by_way_of_another_counts_too(shop: Shop, email: bool, expected: list[str]) -> None:
    await shop.meet(profile("ann"), profile("visitor", email=email))
    await shop.take(
        cart("visitor", NOON, "m1", "tea"),
        moved("guest", {"visitor": 2}, "visitor"),
        moved("ann", {"visitor": 3}, "guest"),
    )
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == expected


@pytest.mark.parametrize(("wife", "expected"), [(True, FIRED), (None, FIRED), (False, REFUSED)])
async def test_a_survivor_without_a_record_yet_is_granted_what_the_absorbed_grant(
    shop: Shop, wife: bool | None, expected: list[str]
) -> None:
    await shop.meet(profile("visitor"), profile("wife", email=wife))
    await shop.take(cart("visitor", NOON, "m1", "tea"), cart("wife", NOON, "m2", "pot", cart_id=None))
    await shop.take(moved("ann", {"visitor": 2, "wife": 2}, "visitor", "wife"))
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == expected * 2
    contacts = [event["data"]["channels"][0]["contact"] for event in shop.published()]
    assert set(contacts) <= {"visitor@example.com", "wife@example.com"}


async def test_a_customer_that_is_split_off_again_is_counted_no_more(shop: Shop) -> None:
    await shop.meet(profile("ann"), profile("visitor", email=False))
    await shop.take(
        cart("ann", NOON, "m1", "tea"),
        cart("visitor", NOON, "m2", "tea", cart_id="c2"),
        moved("ann", {"visitor": 2}, "visitor"),
        moved("visitor", {"visitor": 3}),
    )
    await shop.at(NOON + READY)
    assert await shop.outcomes("ann") == FIRED
