"""Where a customer lives, by the clock: concluded from what is surest, and unknown rather than wrong."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tern_common.events import Event, PublicProfile
from tern_profile.domain import zones
from tern_profile.domain.record import Known, public_record
from tern_profile.domain.standing import Standing
from unit.profile.saying import event, heard, identify, subject_of, track


def record(*said: Event) -> PublicProfile:
    found = heard(*said)
    known = Known("c", found.first_at, found.last_at, standing=found.standing or Standing(), rhythm=found.rhythm)
    return public_record(known, {}, subject_of)


def zone(*said: Event) -> tuple[str | None, str | None]:
    found = record(*said)
    return found.zone, found.zone_from


def order(hours: float, country: str, **address: Any) -> Event:
    return track("Order Completed", hours, order_id=f"o{hours}", shipping_address={"country": country, **address})


DEVICE = event("p", 9, type="page", context={"timezone": "Asia/Tokyo"})
PARCEL = order(8, "FR")
PHONE = identify(7, phone="+4915112345678")


class TestOrder:
    def test_the_customers_own_word_comes_first(self) -> None:
        assert zone(identify(1, timezone="Europe/Rome"), DEVICE, PARCEL, PHONE) == ("Europe/Rome", "trait")

    def test_then_his_devices_then_his_parcels_then_his_phone(self) -> None:
        assert zone(DEVICE, PARCEL, PHONE) == ("Asia/Tokyo", "context")
        assert zone(PARCEL, PHONE) == ("Europe/Paris", "address")
        assert zone(PHONE) == ("Europe/Berlin", "phone")

    def test_who_says_nothing_lives_nowhere_and_never_in_utc(self) -> None:
        assert zone(identify(1, timezone="UTC", phone="+12025550123"), order(2, "US")) == (None, None)
        assert zone(identify(1, plan="a")) == (None, None)

    def test_the_last_word_counts_and_what_is_no_zone_is_passed_over(self) -> None:
        assert zone(identify(1, timezone="Europe/Rome"), identify(2, time_zone="europe/oslo")) == (
            "Europe/Oslo",
            "trait",
        )
        assert zone(identify(1, timezone="Europe/Rome"), identify(2, time_zone="here")) == ("Europe/Rome", "trait")
        assert zone(identify(1, timezone="Europe/Rome"), identify(2, timezone=None), PHONE)[1] == "phone"


class TestAddress:
    def test_the_newest_that_tells_counts(self) -> None:
        assert zone(order(1, "FR"), order(2, "IT"))[0] == "Europe/Rome"
        assert zone(order(2, "IT"), identify(3, address={"country": "FR"}))[0] == "Europe/Paris"
        assert zone(order(3, "IT"), identify(2, address={"country": "FR"}))[0] == "Europe/Rome"
        assert zone(order(1, "IT"), identify(3, address={"country": "US"}))[0] == "Europe/Rome"
        assert zone(identify(3, address={"country": "US"})) == (None, None)

    @pytest.mark.parametrize("address", ["Rome", {}, {"country": 5}, {"country": ""}, {"state": "CA"}])
    def test_what_names_no_country_says_nothing(self, address: object) -> None:
        assert zone(identify(1, address=address)) == (None, None)
        assert zone(track("Order Completed", 1, order_id="o", shipping_address=address)) == (None, None)

    @pytest.mark.parametrize(
        ("country", "province", "expected"),
        [
            ("DE", "", "Europe/Berlin"),
            ("Germany", "Bavaria", "Europe/Berlin"),
            ("中国", "广东省", "Asia/Shanghai"),
            ("US", "CA", "America/Los_Angeles"),
            ("usa", "US-NY", "America/New_York"),
            ("United States", "New Mexico", "America/Denver"),
            ("US", "Florida", None),
            ("US", "", None),
            ("Brasil", "São Paulo", "America/Sao_Paulo"),
            ("AU", "Western Australia", "Australia/Perth"),
            ("ES", "Madrid", "Europe/Madrid"),
            ("ES", "Las Palmas", "Atlantic/Canary"),
            ("ES", "", None),
            ("Atlantis", "", None),
        ],
    )
    def test_a_province_tells_where_the_country_does_not(
        self, country: str, province: str, expected: str | None
    ) -> None:
        assert zones.of_address(country, province) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+4915112345678", "Europe/Berlin"), ("+34612345678", None), ("+80012345678", None), ("junk", None)],
)
def test_a_number_tells_where_its_country_has_one_zone(number: str, expected: str | None) -> None:
    assert zones.of_phone(number) == expected


def test_every_zone_that_is_concluded_exists() -> None:
    places = zones._places()
    assert len(places.countries) > 200
    for name in {*places.countries.values(), *places.provinces.values()}:
        assert ZoneInfo(name).key == zones.named(name)


class TestChannels:
    @pytest.mark.parametrize(
        ("traits", "expected"),
        [
            ({"preferred_channel": "SMS"}, ("sms",)),
            ({"preferred_channels": ["email", "push", "email"]}, ("email", "push")),
            ({"channel_preference": "email, sms"}, ("email", "sms")),
            ({"preferred_channel": "by pigeon!", "preferredChannels": ["call", 5]}, ("call",)),
            ({"preferred_channel": 5}, ()),
            ({"preferred_channel": None}, ()),
            (
                {"preferred_channels": [f"c{number}" for number in range(99)]},
                tuple(f"c{number}" for number in range(8)),
            ),
        ],
    )
    def test_what_the_customer_prefers_best_first(self, traits: dict[str, Any], expected: tuple[str, ...]) -> None:
        assert record(identify(1, **traits)).preferred_channels == expected

    def test_the_last_word_counts(self) -> None:
        assert record(
            identify(1, preferred_channel="sms"), identify(2, channel_preference="email")
        ).preferred_channels == ("email",)


def test_a_contact_that_may_be_nobodys_own_is_doubtful() -> None:
    found = record(identify(1, email="info@example.com", phone="+4915112345678")).contacts
    assert {kind: point.doubtful for kind, point in found.items()} == {"email": True, "phone": False}
