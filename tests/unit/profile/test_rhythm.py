"""At which hours somebody is about, and where: by the day, and the same in whatever order and pieces it is told."""

from __future__ import annotations

from datetime import timedelta, timezone
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tern_common.events import Event
from tern_profile.domain.change import change
from tern_profile.domain.fragment import Fragment, fold
from tern_profile.domain.reading import read
from tern_profile.domain.rhythm import histogram
from tern_profile.domain.standing import Standing
from unit.profile.saying import DECLARING, POLICY, START, at, event, heard, histories, subject_of, track

TODAY = START.toordinal()


def hours(found: Fragment) -> tuple[int, ...]:
    return histogram((found.standing or Standing()).days)


def view(hour: float, message_id: str = "", zone: object = None) -> Event:
    return event(message_id or f"v{hour}", hour, type="page", context={"timezone": zone} if zone else {})


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_any_pieces_tell_the_same(said: list[Event], random: Random) -> None:
    """Also where days, and single events that a trait counts, are dropped for newer ones."""
    whole = heard(*said, policy=DECLARING)
    shuffled = random.sample(said, len(said))
    cuts = sorted(random.choices(range(len(said) + 1), k=3))
    pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    assert fold([heard(*piece, policy=DECLARING) for piece in pieces], DECLARING) == whole


def test_hours_are_those_of_all_days_before_the_last() -> None:
    found = heard(view(0), view(1), view(1.5), view(24), view(25))
    assert hours(found) == (0,) * 12 + (1, 2) + (0,) * 10
    assert hours(heard(view(0), view(1))) == ()


def test_a_day_that_two_parts_tell_of_has_the_hours_of_both() -> None:
    one, other = [view(0), view(24)], [view(0, "again"), view(1), view(24.5)]
    both = fold([heard(*one), heard(*other)], POLICY)
    assert both == heard(*one, *other)
    assert hours(both) == (0,) * 12 + (2, 1) + (0,) * 10


def test_hours_are_utc_whatever_the_offset_an_event_came_with() -> None:
    abroad = msgspec.structs.replace(view(0), event_time=at(0).astimezone(timezone(timedelta(hours=13))))
    assert heard(abroad, view(24)).standing == heard(view(0), view(24)).standing


def test_days_without_end_do_not_grow_a_standing_without_end() -> None:
    found = heard(*(view(24.0 * day) for day in range(9)), policy=DECLARING)
    assert found.rhythm.day == TODAY + 8
    assert list((found.standing or Standing()).days) == [TODAY + 5, TODAY + 6, TODAY + 7]


class TestPublic:
    """Most events are of the customer's newest day, and change nothing that is published."""

    @staticmethod
    def changed(old: Fragment, new: Event, today: int = TODAY) -> bool:
        added = read(new, subject_of, POLICY)
        return change(old, fold((old, added), POLICY), late=added.rhythm.day != today).public

    def test_views_of_a_known_day_are_not_public(self) -> None:
        known = heard(view(0, zone="Europe/Berlin"))
        for hour in (1, 2, 3):
            assert not self.changed(known, view(hour, zone="Europe/Berlin"))
            assert not self.changed(known, view(hour, zone="Asia/Tokyo")), "the first word of a day stands"

    def test_the_first_of_a_day_is(self) -> None:
        assert self.changed(heard(view(0)), view(24), TODAY + 1)

    def test_what_is_of_a_day_that_may_be_over_is(self) -> None:
        assert self.changed(heard(view(0)), view(1), TODAY + 1)

    def test_the_first_zone_is(self) -> None:
        assert self.changed(heard(view(0)), view(1, zone="Europe/Berlin"))


class TestZoneSaid:
    """By devices, with every event."""

    @staticmethod
    def said(*events: Event) -> str | None:
        zone = heard(*events).rhythm.zone
        return None if zone is None else zone.zone

    def test_the_last_day_that_named_one_speaks_and_its_first_word_stands(self) -> None:
        berlin, tokyo = view(1, zone="Europe/Berlin"), view(2, zone="Asia/Tokyo")
        assert self.said(berlin, tokyo) == self.said(tokyo, berlin) == "Europe/Berlin"
        assert self.said(berlin, view(26, zone="asia/tokyo"), view(50)) == "Asia/Tokyo"
        assert self.said(view(26, zone="Asia/Tokyo"), berlin) == "Asia/Tokyo"

    def test_what_is_no_place_says_nothing(self) -> None:
        for zone in ("UTC", "Etc/GMT+5", "GMT", "Mars/Base", 5, "x" * 100, {"a": 1}):
            assert self.said(view(1, zone=zone)) is None

    def test_ill_formed_contexts_say_nothing(self) -> None:
        for context in (
            b'{"timezone": [',
            b'["timezone"]',
            b'{"timezone": "\\ud800"}',
            b'{"page": {"timezone": "Asia/Tokyo"}}',
        ):
            assert self.said(msgspec.structs.replace(view(1), context=msgspec.Raw(context))) is None

    def test_track_events_say_it_too(self) -> None:
        assert self.said(track("Search", 1)) is None
