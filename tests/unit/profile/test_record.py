"""The public record: what it holds, what changes it, and what the API shows beside it."""

from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tern_common.events import Contact, Event, PublicProfile, decode_profile, encode
from tern_profile.domain.change import Reached, change
from tern_profile.domain.consent import Key
from tern_profile.domain.fragment import Fragment, fold
from tern_profile.domain.reading import read
from tern_profile.domain.record import Known, day, digest, public_record
from tern_profile.domain.standing import Standing
from tern_profile.domain.whole import Whole, is_personal
from unit.profile.declaring import declaring
from unit.profile.declaring import record as declared_record
from unit.profile.saying import ANN, BOB, DECLARING, PASSED, at, heard, histories, identify, subject_of, track


def known(*said: Event, merged_into: str | None = None, shared: bool = False) -> Known:
    found = heard(*said)
    standing = found.standing or Standing()
    return Known("c1", found.first_at, found.last_at, shared, standing, merged_into, found.rhythm)


def record(*said: Event, merged_into: str | None = None, shared: bool = False) -> PublicProfile:
    return public_record(known(*said, merged_into=merged_into, shared=shared), {}, subject_of)


def test_the_record_holds_what_moves_slowly() -> None:
    found = record(
        identify(1, trusted=True, email=ANN, plan="a", gone=1),
        identify(2, "later", gone=None),
        track("Consent Granted", 3, channel="email"),
        track("Order Completed", 30, order_id="o", total=12.5),
        track("Product Added", 31, product_id="p"),
    )
    assert found == PublicProfile(
        customer_id="c1",
        profile_version=0,
        traits={"plan": Raw(b'"a"')},
        contacts={"email": Contact(value=ANN, trusted=True)},
        consent={"marketing": {"email": True}},
        first_seen_day="2026-03-01",
        last_seen_day="2026-03-02",
        orders=1,
        order_value=Decimal("12.5"),
        last_order_at=at(30),
        active_hours=(0,) * 13 + (1, 1, 1) + (0,) * 8,
    )
    assert decode_profile(encode(found)) == found


def test_an_absorbed_customer_only_says_into_whom() -> None:
    absorbed = encode(record(identify(1, plan="a"), merged_into="c2"))
    assert absorbed == b'{"customer_id":"c1","profile_version":0,"merged_into":"c2"}'


def test_a_shared_customer_is_flagged() -> None:
    found = record(track("Consent Granted", 3, channel="email"), shared=True)
    assert found.shared
    assert found.consent == {"marketing": {"email": False}}


def test_views_on_the_same_day_do_not_change_the_record() -> None:
    before, after = track("Product Viewed", 1), track("Product Viewed", 2)
    assert digest(record(before)) == digest(record(before, after))
    assert digest(record(before)) != digest(record(before, track("Product Viewed", 24)))


def test_a_day_is_a_day_in_utc() -> None:
    assert day(at(0).astimezone(timezone(timedelta(hours=13)))) == "2026-03-01"
    assert day(None) is None


class TestChange:
    """Whether a customer must be looked at again is decided without looking."""

    @given(histories(6), histories(4))
    def test_a_change_that_is_not_public_leaves_the_record_as_it_was(self, old: list[Event], new: list[Event]) -> None:
        renamed = [read(one, subject_of, DECLARING) for one in new]
        before = heard(*old, policy=DECLARING)
        after = fold([before, *renamed], DECLARING)
        if not change(before, after).public:
            assert _record(before) == _record(after)

    def test_more_of_the_same_day_is_not_public(self) -> None:
        before = heard(identify(1, plan="a"))
        found = change(Fragment(before.first_at, before.last_at), heard(track("Search", 2)))
        assert (found.public, found.standing) == (False, None)

    def test_what_is_said_again_is_not_public(self) -> None:
        before = heard(identify(1, plan="a"))
        assert not change(before, before).public

    def test_a_new_day_is_public(self) -> None:
        assert change(heard(track("Search", 1)), heard(track("Search", 25))).public

    def test_it_names_the_consent_and_the_contact_points_that_differ(self) -> None:
        granted = track("Consent Granted", 1, channel="email", email=BOB)
        own = track("Consent Granted", 1, "own", channel="email")
        before, after = (
            heard(identify(1, email=ANN)),
            heard(identify(1, email=ANN), granted, own, identify(2, email=BOB)),
        )
        found = change(before, after)
        assert found.said.keys() == {Key(subject_of("email", BOB), "marketing", "email")}
        assert found.reached == [Reached("email", BOB)]
        assert change(after, after).said == {}

    def test_however_many_contacts_a_home_names_its_fragment_keeps_none_of_them(self) -> None:
        own = heard(track("Consent Granted", 1, "own", channel="email"))
        some = [track("Consent Withdrawn", 2, str(n), channel="email", email=f"ann{n}@example.com") for n in range(50)]
        found = change(own, fold([own, heard(*some)], DECLARING))
        assert (len(found.said), found.public, found.standing) == (50, True, None)
        assert found.fragment.standing == own.standing


def _record(found: Fragment) -> PublicProfile:
    standing = found.standing or Standing()
    known = Known("c1", found.first_at, found.last_at, standing=standing, rhythm=found.rhythm, passed=PASSED)
    return public_record(known, {}, subject_of, DECLARING.declared)


def whole(*said: Event) -> Whole:
    return Whole(known(*said), heard(*said).activity, {}, 3, 1, record(*said))


class TestWhole:
    def test_personal_data_is_hidden_and_the_rest_is_not(self) -> None:
        found = whole(identify(1, email=ANN, firstName="Ann", plan="a", gone=None))
        assert found.traits(hide=True) == {"firstName": b'"***"', "plan": b'"a"'}
        assert found.traits(hide=False) == {"firstName": b'"Ann"', "plan": b'"a"'}
        assert found.contacts(hide=True) == {"email": Contact(value="a***@e***.com")}
        assert found.contacts(hide=False) == {"email": Contact(value=ANN)}

    def test_what_is_computed_of_personal_data_is_hidden_and_so_is_what_nobody_declares_any_more(self) -> None:
        of_form = {"of": "last", "event": "Form Sent", "property": "form.first_name"}
        policy = declaring(
            {"called": of_form, "forms": of_form | {"of": "distinct"}, "by": of_form | {"property": "by"}}
        )
        public = declared_record(policy, track("Form Sent", 1, form={"first_name": "Ann"}, by="web"))
        found = whole()._replace(public=public, declared=policy.computed)
        assert {name: one.value for name, one in found.computed(hide=True).items()} == {
            "called": "***",
            "forms": 1,
            "by": "web",
        }
        assert found._replace(declared={}).computed(hide=True)["by"].value == "***"
        assert found.computed(hide=False)["called"].value == "Ann"

    @pytest.mark.parametrize("name", ["name", "first_name", "Date of Birth", "USERNAME"])
    def test_reserved_traits_are_personal(self, name: str) -> None:
        assert is_personal(name)
        assert not is_personal("plan")

    @given(st.integers(1, 5), st.integers(1, 5))
    def test_a_cart_is_ordered_when_an_order_follows_its_last_change(self, added: int, ordered: int) -> None:
        found = whole(
            track("Product Added", added, product_id="p"), track("Order Completed", ordered, order_id="o", total=1)
        )
        cart = found.cart()
        assert cart is not None
        assert found.ordered(cart) == (ordered >= added)
        assert found.totals().orders == 1
