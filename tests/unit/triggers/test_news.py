"""What records say, what a batch of them says together, whom it concerns, and when to look at those."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tern_common.errors import Poison
from tern_common.events import (
    Event,
    HomeVersion,
    MembershipChange,
    Mode,
    PublicProfile,
    ResolvedEvent,
    encode,
)
from tern_triggers.domain.agenda import LOOK_NOW, Plan, join, plan_for, replanned
from tern_triggers.domain.facts import Body, Fact, cart_of, decode_body, distinct, encode_body
from tern_triggers.domain.folds.cart import Newest, Ordered
from tern_triggers.domain.moments import AT_ONCE
from tern_triggers.domain.news import Batch, Former, Membership, News, gather, read_profile, read_resolved
from tern_triggers.domain.rules import reads, ruleset
from tern_triggers.domain.touched import CartKnown, Known, held_by, touched
from unit.triggers.saying import (
    ANN,
    CART,
    DAY,
    HOME,
    OTHER,
    POLICY,
    RECALL,
    RULES,
    RULESET,
    START,
    at,
    cancel,
    checkout,
    item,
    order,
    refund,
    said,
    snap,
)

BOB = "00000000-0000-7000-8000-00000000000b"
CAT = "00000000-0000-7000-8000-00000000000c"
KINDS = reads(RULES)
PRODUCTS = [{"product_id": "tea", "quantity": 2}]


def resolved(
    name: str,
    properties: dict[str, object],
    *,
    message_id: str = "m1",
    event_time: datetime = START,
    received_at: datetime = START,
    mode: Mode = "live",
) -> bytes:
    event = Event(
        message_id=message_id,
        type="track",
        name=name,
        event_time=event_time,
        received_at=received_at,
        source_id="s",
        mode=mode,
        properties=msgspec.Raw(msgspec.json.encode(properties)),
    )
    raw = msgspec.Raw(encode(event))
    return encode(ResolvedEvent(home_id=HOME, customer_id=ANN, membership_version=1, event=raw))


def fact(name: str, properties: dict[str, object], **more: Any) -> Fact | None:
    return next(iter(read_resolved(resolved(name, properties, **more), KINDS).facts), None)


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("Cart Updated", {"cart_id": "c", "products": PRODUCTS}, said("snapshot", 0, "m1", item("tea", 2))),
        ("Product Added", {"cart_id": "c", **PRODUCTS[0]}, said("add", 0, "m1", item("tea", 2))),
        ("Product Removed", PRODUCTS[0], said("remove", 0, "m1", item("tea", 2), cart="")),
        ("Checkout Started", {"cart_id": "c"}, checkout(0, "m1")),
        ("Order Completed", {"order_id": "o1", "cart_id": "c"}, order(0, "o1", cart="c", message_id="m1")),
        ("Order Refunded", {"order_id": "o1"}, refund(0, "o1", message_id="m1")),
        ("Order Cancelled", {"order_id": "o1"}, msgspec.structs.replace(cancel(0, "o1"), message_id="m1")),
        ("Signed In", {}, None),
        ("Page Viewed", {}, None),
        ("Order Refunded", {}, None),
    ],
)
def test_an_event_says_one_fact_or_none(name: str, properties: dict[str, object], expected: Fact | None) -> None:
    assert fact(name, properties) == expected


def test_what_no_rule_reads_is_no_fact() -> None:
    assert read_resolved(resolved("Order Completed", {"order_id": "o1"}), reads([])).facts == ()


@pytest.mark.parametrize(
    ("received", "mode", "passive"),
    [(0, "live", False), (240, "live", False), (241, "live", True), (0, "backfill", True), (0, "replay", False)],
)
def test_late_and_imported_events_are_passive(received: float, mode: Mode, passive: bool) -> None:
    found = fact("Checkout Started", {}, received_at=at(received), mode=mode)
    assert found is not None
    assert found.passive is passive


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"event_time": datetime(9000, 1, 1, tzinfo=UTC)}, "time-out-of-range"),
        ({"event_time": datetime(1960, 1, 1, tzinfo=UTC)}, "time-out-of-range"),
        ({"event_time": START.replace(tzinfo=None), "received_at": START.replace(tzinfo=None)}, "not-an-event"),
        ({"message_id": "a\x00b"}, "message-id-with-nul"),
    ],
)
def test_a_fact_that_could_not_be_kept_is_poison(more: dict[str, object], reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        fact("Checkout Started", {}, **more)


def test_times_are_kept_in_utc() -> None:
    found = fact("Checkout Started", {}, event_time=datetime.fromisoformat("2026-03-02T13:00:00+01:00"))
    assert found is not None
    assert found.at.tzinfo is UTC


def change(**more: Any) -> bytes:
    values: dict[str, Any] = {"customer_id": BOB, "homes": (HomeVersion(HOME, 2),), "from_": (ANN, BOB), **more}
    return encode(MembershipChange(**values))


def test_a_membership_change_says_whose_homes_are_and_whose_they_were() -> None:
    assert read_resolved(change(shared=True), KINDS) == News((Membership(HOME, BOB, 2, True),), (Former(ANN, BOB, 2),))
    doors = read_resolved(change(homes=(), doors=(HomeVersion(OTHER, 4),)), KINDS)
    assert doors == News((), (Former(ANN, BOB, 4),)), "a door's version orders where a customer went as well"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "not-a-resolved-record"),
        (change(customer_id="bob"), "not-a-customer-id"),
        (change(homes=(HomeVersion("zz", 1),)), "not-a-home-id"),
    ],
)
def test_what_is_no_record_is_poison(value: bytes, reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        read_resolved(value, KINDS)


def test_a_profile_says_its_verdicts_or_where_it_went() -> None:
    record = PublicProfile(customer_id=ANN, profile_version=3, consent={"marketing": {"email": True}}, shared=True)
    news = read_profile(encode(record)).profile
    assert news is not None
    assert (news.rev, news.merged_into, news.verdicts.consent, news.verdicts.shared) == (3, None, record.consent, True)
    absorbed = read_profile(encode(PublicProfile(customer_id=ANN, profile_version=4, merged_into=BOB))).profile
    assert absorbed is not None
    assert absorbed.merged_into == BOB


def test_a_batch_keeps_the_highest_versions_and_the_least_copy_of_each_fact() -> None:
    first, second = Membership(HOME, ANN, 1, False), Membership(HOME, BOB, 2, False)
    late, early = snap(5, "m1", "tea"), snap(4, "m1", "tea")
    one = read_profile(encode(PublicProfile(customer_id=ANN, profile_version=1)))
    two = read_profile(encode(PublicProfile(customer_id=ANN, profile_version=2)))
    items = [News((second,), facts=(late,)), News((first,), (Former(ANN, BOB, 1),), (early,)), two, one]
    for order_ in (items, items[::-1]):
        batch = gather(order_)
        assert (batch.memberships, list(batch.facts.values())) == ({HOME: second}, [early])
        assert batch.profiles[ANN] == two.profile
        assert batch.former == {ANN: Former(ANN, BOB, 1)}


def test_a_batch_knows_the_newest_event_and_the_orders_of_each_named_cart() -> None:
    batch = of(
        snap(1, "m1", "tea"), checkout(2, "m2"), snap(9, "m3", cart=""), order(4, "o1", cart="d"), order(5, "o2")
    )
    assert batch.newest == {"c": Newest(at(2), "m2", HOME)}
    assert batch.ordered == {"d": [Ordered(at(4), "o1")]}
    assert batch.cart_ids == ["c", "d"]


def of(*facts: Fact, holder: str = ANN, version: int = 1, former: tuple[Former, ...] = ()) -> Batch:
    """A batch of facts whose homes belong to one customer."""
    homes = {one.home_id: Membership(one.home_id, holder, version, False) for one in facts}
    return Batch(
        memberships=homes,
        former={one.customer_id: one for one in former},
        facts={one.name: one for one in facts},
        profiles={},
    )


def known(*memberships: Membership, **more: Any) -> Known:
    return Known(memberships={one.home_id: one for one in memberships}, **more)


def test_the_highest_version_says_whose_a_home_is() -> None:
    batch = of(snap(0, "m1", "tea"), holder=BOB, version=2)
    assert held_by(HOME, batch, known()) == BOB
    assert held_by(HOME, batch, known(Membership(HOME, ANN, 1, False))) == BOB
    assert held_by(HOME, batch, known(Membership(HOME, CAT, 3, False))) == CAT
    assert held_by(OTHER, batch, known(Membership(OTHER, CAT, 3, False))) == CAT
    assert held_by(OTHER, batch, known()) is None


def test_who_has_a_fact_is_touched_and_planned() -> None:
    plans = touched(RULESET, of(snap(0, "m1", "tea"), order(3, "o1")), known(), POLICY)
    assert plans == {ANN: Plan(at(65), at(45 * DAY + 5 + 3), at(0), at(3))}


@pytest.mark.parametrize("before", [True, False])
def test_a_customer_that_begins_or_ceases_to_be_shared_is_looked_at_once(before: bool) -> None:
    batch = Batch(memberships={HOME: Membership(HOME, ANN, 2, not before)}, former={}, facts={}, profiles={})
    assert touched(RULESET, batch, known(Membership(HOME, ANN, 1, before)), POLICY) == {ANN: LOOK_NOW}
    assert touched(RULESET, batch, known(Membership(HOME, ANN, 1, not before)), POLICY) == {}
    assert touched(RULESET, batch, known(Membership(HOME, ANN, 3, before)), POLICY) == {}


def test_holders_before_and_after_a_change_are_looked_at_once() -> None:
    batch = Batch(memberships={HOME: Membership(HOME, BOB, 2, False)}, former={}, facts={}, profiles={})
    assert touched(RULESET, batch, known(Membership(HOME, ANN, 1, False)), POLICY) == {ANN: LOOK_NOW, BOB: LOOK_NOW}
    assert touched(RULESET, batch, known(Membership(HOME, BOB, 1, False)), POLICY) == {}
    assert touched(RULESET, batch, known(Membership(HOME, ANN, 3, False)), POLICY) == {}
    assert touched(RULESET, batch, known(), POLICY) == {}, "a home seen for the first time brings nothing"


def test_an_order_touches_the_holder_of_the_cart_it_names_and_of_its_open_decisions() -> None:
    theirs, third = Membership(OTHER, BOB, 1, False), Membership("c" * 32, CAT, 1, False)
    cart = CartKnown(Newest(at(0), "m0", OTHER), None)
    seen = known(theirs, third, carts={"c": cart}, open_homes={"c": [third.home_id]})
    plans = touched(ruleset([CART]), of(order(3, "o1", cart="c")), seen, POLICY)
    assert plans[BOB] == plans[CAT] == Plan()
    assert plans[ANN] == Plan(None, None, at(3), at(3))


def test_who_takes_a_cart_over_is_looked_at_once() -> None:
    theirs = Membership(OTHER, BOB, 1, False)
    seen = known(
        theirs, carts={"c": CartKnown(Newest(at(0), "m0", OTHER), None), "d": CartKnown(None, Ordered(at(0), "o"))}
    )
    assert touched(ruleset([CART]), of(snap(3, "m1", "tea")), seen, POLICY)[ANN].live == AT_ONCE
    assert touched(ruleset([CART]), of(snap(3, "m1", "tea", cart="d")), seen, POLICY)[ANN].live == at(68)


def test_a_fact_asks_for_a_look_by_the_smallest_offset_of_the_rules_it_starts() -> None:
    assert plan_for(RULESET, snap(0.5, "m1", "tea"), POLICY) == Plan(at(66), None, at(0.5), at(0.5))
    assert plan_for(ruleset([RECALL]), order(0, "o1"), POLICY).all == at(45 * DAY + 5)
    assert plan_for(RULESET, checkout(0, "m1"), POLICY) == Plan(None, None, at(0), at(0))


def test_a_fact_that_is_not_the_newest_asks_for_a_look_at_once() -> None:
    row = join([plan_for(RULESET, snap(10, "m1", "tea"), POLICY)])
    later, earlier = plan_for(RULESET, snap(11, "m2", "tea"), POLICY), plan_for(RULESET, snap(10, "m0", "tea"), POLICY)
    assert replanned(row, later).live == at(75)
    assert replanned(row, earlier).live == AT_ONCE
    assert replanned(Plan(), later) == later
    assert replanned(row, Plan()) == row


def test_bodies_are_kept_byte_for_byte() -> None:
    body = Body(how="add", items=(item("tea", 2, "1.50"),))
    assert decode_body(encode_body(body)) == body
    assert encode_body(Body()) == b"{}"


def test_copies_of_a_message_count_once_whatever_home_and_order_they_come_in() -> None:
    copies = [
        snap(5, "m1", "tea"),
        snap(4, "m1", "tea", late=True),
        snap(4, "m1", "tea", home=OTHER),
        snap(4, "m1", "tea"),
    ]
    assert distinct(copies) == distinct(copies[::-1]) == [snap(4, "m1", "tea")]


def test_facts_know_the_cart_they_name() -> None:
    assert [
        cart_of(one) for one in (snap(0, "m1"), checkout(0, "m1", "d"), order(0, "o", cart="e"), cancel(0, "o"))
    ] == [
        "c",
        "d",
        "e",
        "",
    ]


def test_slots_are_not_shifted_by_the_grace() -> None:
    assert timedelta(hours=1) + POLICY.grace == timedelta(minutes=65)
