"""What an erasure says, and whom it concerns."""

from __future__ import annotations

from tern_common.events import HomeVersion, MembershipChange, encode
from tern_triggers.domain.agenda import LOOK_NOW
from tern_triggers.domain.folds.cart import Newest
from tern_triggers.domain.news import FOREVER, Former, Membership, News, gather, read_resolved
from tern_triggers.domain.rules import reads
from tern_triggers.domain.touched import CartKnown, Known, erased, touched
from unit.triggers.saying import ANN, HOME, OTHER, POLICY, RULES, RULESET, at, snap

BOB = "00000000-0000-7000-8000-00000000000b"


def test_an_erasure_says_that_homes_are_nobodys_and_that_its_own_id_stands_for_nobody() -> None:
    change = MembershipChange(
        customer_id=BOB, homes=(HomeVersion(HOME, 2),), from_=(ANN, BOB), shared=True, erased=True
    )
    said = read_resolved(encode(change), reads(RULES))
    assert said == News((Membership(HOME, None, 2, True),), (Former(ANN, None, 2), Former(BOB, None, FOREVER)))


def test_what_was_erased_stays_so_in_any_order() -> None:
    gone, older, newer = (Membership(HOME, who, version, False) for who, version in ((None, 2), (ANN, 1), (BOB, 3)))
    for items in ([gone, older, newer], [newer, older, gone]):
        assert gather(News((one,)) for one in items).memberships == {HOME: gone}


def test_an_erasure_concerns_whose_homes_it_takes_and_nobody_else() -> None:
    gone = gather([News((Membership(HOME, None, 2, True),))])
    known = Known(memberships={HOME: Membership(HOME, ANN, 1, False)})
    assert touched(RULESET, gone, known, POLICY) == {ANN: LOOK_NOW}
    assert touched(RULESET, gone, Known(memberships={}), POLICY) == {}
    assert erased(gone, known) == {HOME}


def test_an_event_of_before_an_erasure_concerns_only_who_has_the_cart() -> None:
    late = snap(0, "m1", "tea", home=HOME)
    batch = gather([News((Membership(HOME, ANN, 1, False),), facts=(late,))])
    known = Known(
        memberships={HOME: Membership(HOME, None, 2, True), OTHER: Membership(OTHER, BOB, 1, False)},
        carts={late.key: CartKnown(Newest(at(1), "m2", OTHER), None)},
    )
    assert touched(RULESET, batch, known, POLICY).keys() == {BOB}
    assert erased(batch, known) == {HOME}
