"""What waits under two homes is one wait, and it is over once."""

from __future__ import annotations

from integration.triggers.shop import DAY, HOUR, NOON, READY, Shop, cart, customer, moved
from tern_common.events import Contact, PublicProfile, encode
from tern_triggers.domain.policy import Arbiter, Policy, QuietHours
from unit.triggers.saying import CART

NIGHTS = Policy(version=1, arbiter=Arbiter(caps=(), quiet=QuietHours()))
BY_PHONE = CART.model_copy(
    update={"channels": ("sms",), "steps": (CART.steps[0].model_copy(update={"expires_after": 3 * DAY}),)}
)
EVENING = NOON + 9 * HOUR


def lives_in(who: str, zone: str) -> bytes:
    granted = {"marketing": {"sms": True}}
    contacts = {"phone": Contact(value="+491700000000", trusted=True)}
    return encode(
        PublicProfile(customer_id=customer(who), profile_version=1, consent=granted, contacts=contacts, zone=zone)
    )


async def test_of_two_waits_for_one_trigger_the_shorter_counts_and_both_are_over_with_it(shop: Shop) -> None:
    shop = Shop(shop.pool, shop.broker, [BY_PHONE], NIGHTS)
    await shop.meet(lives_in("ann", "Europe/Berlin"), lives_in("bob", "Europe/London"))
    for who in ("ann", "bob"):
        await shop.take(cart(who, EVENING, "m1", "tea", cart_id=None))
    await shop.at(EVENING + READY)
    (_, berlin), (_, london) = await shop.deferred()
    assert berlin < london
    await shop.take(moved("ann", {"bob": 2}, "bob"))
    await shop.at(berlin)
    assert (len(shop.published()), await shop.deferred()) == (1, [])
    await shop.at(london)
    assert len(shop.published()) == 1
