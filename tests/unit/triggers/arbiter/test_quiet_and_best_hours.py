"""Quiet hours and best hours in the customer's zone, on ordinary days and on those on which clocks are moved."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tern_triggers.domain.arbiter.hours import quiet_until
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.policy import QuietHours
from tern_triggers.domain.view import Deferral
from unit.triggers.arbiter.cases import (
    FIRED,
    NO_CAPS,
    READY,
    Said,
    ann,
    deferred,
    judged,
    live,
    look,
    policy,
    rule,
    says,
    story,
    suppressed,
)
from unit.triggers.saying import DAY, HOUR, at

SMS = rule(channels=["sms"])
NIGHT, MORNING = 9 * HOUR, 20 * HOUR
"""22:00 and 09:00 in Berlin."""


def due_at(minutes: float, chosen: object = SMS, *, now: float | None = None, zone: str | None = None) -> Said:
    seen = ann(profile=says(zone=zone))
    return judged(chosen, seen, minutes, of=story(minutes=minutes - READY), now=now)  # type: ignore[arg-type]


@pytest.mark.parametrize("channel", ["sms", "push", "call"])
def test_text_messages_pushes_and_calls_wait_for_the_morning(channel: str) -> None:
    assert due_at(NIGHT, rule(channels=[channel])) == deferred(Why.QUIET, MORNING)


def test_mail_has_no_quiet_hours() -> None:
    assert due_at(NIGHT, rule()) == FIRED


def test_quiet_hours_begin_at_nine_and_end_at_nine() -> None:
    assert due_at(8 * HOUR - 1) == FIRED
    assert due_at(8 * HOUR) == deferred(Why.QUIET, MORNING)
    assert due_at(MORNING - 1) == deferred(Why.QUIET, MORNING)
    assert due_at(MORNING) == FIRED


def test_quiet_hours_are_the_customers_and_the_shops_where_his_zone_is_unknown() -> None:
    assert due_at(NIGHT, zone="America/New_York") == FIRED
    assert due_at(0, zone="Asia/Tokyo") == deferred(Why.QUIET, 12 * HOUR)
    assert due_at(NIGHT, zone="Mars/Olympus") == due_at(NIGHT) == deferred(Why.QUIET, MORNING)


def test_lag_must_not_carry_a_contact_into_the_night() -> None:
    assert due_at(8 * HOUR - 2) == FIRED
    assert due_at(8 * HOUR - 2, now=8 * HOUR) == deferred(Why.QUIET, MORNING)


def test_a_round_in_the_night_is_quiet_whatever_the_clock_says() -> None:
    assert due_at(NIGHT, now=7 * HOUR) == deferred(Why.QUIET, MORNING)


def test_quiet_beyond_expiry_is_suppressed_at_once() -> None:
    brief = rule(channels=["sms"], steps=[{"expires_after": "3h"}])
    assert due_at(NIGHT, brief) == suppressed(Why.QUIET)


def test_a_reminder_that_may_go_now_by_a_channel_without_quiet_hours_goes_now() -> None:
    both = rule(channels=["sms", "email"])
    (ruling,) = look([both], {"nudge": [story(minutes=NIGHT - READY)]}, ann(), NIGHT).rulings
    assert ruling.decision.channels == ("email",)
    (ruling,) = look([both], {"nudge": [story()]}, ann()).rulings
    assert ruling.decision.channels == ("sms", "email")


def test_a_shop_may_do_without_quiet_hours() -> None:
    loud = policy(quiet={"begin": "21:00", "end": "09:00", "channels": []})
    assert judged(SMS, ann(), NIGHT, of=story(minutes=NIGHT - READY), by=loud) == FIRED


SHIPPED = QuietHours()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "zone", "quiet", "end"),
    [
        # clocks are put forward at 02:00 on 29 March 2026 in Berlin: the morning comes an hour sooner
        ("2026-03-28T21:00", "Europe/Berlin", SHIPPED, "2026-03-29T07:00"),
        # ... and back at 03:00 on 25 October
        ("2026-10-24T20:00", "Europe/Berlin", SHIPPED, "2026-10-25T08:00"),
        # a gap goes to the first valid minute: 02:30 does not exist, 03:00 does
        ("2026-03-28T22:00", "Europe/Berlin", QuietHours(begin=time(22), end=time(2, 30)), "2026-03-29T01:00"),
        # a fold to the first occurrence: 02:30 comes at 00:30 and at 01:30 UTC
        ("2026-10-24T22:00", "Europe/Berlin", QuietHours(begin=time(22), end=time(2, 30)), "2026-10-25T00:30"),
        ("2026-10-25T00:45", "Europe/Berlin", QuietHours(begin=time(22), end=time(2, 30)), None),
        # quiet hours that begin in the gap begin with the first valid minute
        ("2026-03-29T01:00", "Europe/Berlin", QuietHours(begin=time(2, 30), end=time(5)), "2026-03-29T03:00"),
        ("2026-03-29T00:59", "Europe/Berlin", QuietHours(begin=time(2, 30), end=time(5)), None),
        # quiet hours that are all gap are none
        ("2026-03-29T01:00", "Europe/Berlin", QuietHours(begin=time(2), end=time(3)), None),
        ("2026-03-08T06:00", "America/New_York", SHIPPED, "2026-03-08T13:00"),
        ("2026-11-01T05:30", "America/New_York", SHIPPED, "2026-11-01T14:00"),
        ("2026-06-01T15:30", "Asia/Kolkata", SHIPPED, "2026-06-02T03:30"),
        # half an hour forward at 02:00 on 4 October
        ("2026-10-03T15:00", "Australia/Lord_Howe", QuietHours(begin=time(21), end=time(2, 15)), "2026-10-03T15:30"),
        ("2026-04-04T14:00", "Australia/Lord_Howe", SHIPPED, "2026-04-04T22:30"),
        # the whole of 30 December 2011 was left out in Samoa
        ("2011-12-30T08:00", "Pacific/Apia", SHIPPED, "2011-12-30T10:00"),
        ("2011-12-30T10:00", "Pacific/Apia", SHIPPED, "2011-12-30T19:00"),
        # clocks that show 00:00 and are then put back to 23:01 of the day before: the night has begun
        ("2010-11-07T02:45", "America/St_Johns", QuietHours(begin=time(0), end=time(6)), "2010-11-07T09:30"),
        # inside one day
        ("2026-06-01T11:30", "Europe/Berlin", QuietHours(begin=time(13), end=time(15)), "2026-06-01T13:00"),
        ("2026-06-01T13:00", "Europe/Berlin", QuietHours(begin=time(13), end=time(15)), None),
    ],
)
def test_the_end_of_quiet_hours(moment: str, zone: str, quiet: QuietHours, end: str | None) -> None:
    found = quiet_until(utc(moment), quiet, ZoneInfo(zone))
    assert found == (None if end is None else utc(end))


BEST = rule(steps=[{"best_hour": True}])
TWENTY = tuple(17 if hour == 18 else 2 if hour == 16 else 1 if hour == 13 else 0 for hour in range(24))


def best(hours: tuple[int, ...], minutes: float = READY, chosen: object = BEST, **more: object) -> Said:
    seen = ann(profile=says(active_hours=hours), **more)
    return judged(chosen, seen, minutes, of=story(minutes=minutes - READY))  # type: ignore[arg-type]


def test_best_hour_is_that_of_the_customers_histogram() -> None:
    assert best(TWENTY) == deferred(Why.BEST_HOUR, 6 * HOUR)


def test_with_fewer_than_twenty_events_it_is_the_shops() -> None:
    few = tuple(max(0, count - 1) for count in TWENTY)
    assert best(few) == best(()) == best((20,)) == deferred(Why.BEST_HOUR, 5 * HOUR)


def test_the_shops_hour_is_in_the_customers_zone() -> None:
    seen = ann(profile=says(zone="Asia/Kolkata"))
    assert judged(BEST, seen, of=story()) == FIRED  # 18:35 there: it is this hour
    assert judged(BEST, seen, 85, of=story(minutes=20)) == FIRED
    assert judged(BEST, seen, 95, of=story(minutes=30)) == deferred(Why.BEST_HOUR, 30 + DAY)


def test_in_the_best_hour_nothing_waits() -> None:
    assert best(TWENTY, 6 * HOUR) == best(TWENTY, 7 * HOUR - 1) == FIRED
    assert best(TWENTY, 7 * HOUR).why is Why.BEST_HOUR


def test_of_equal_hours_the_first_counts_and_this_one_before_all() -> None:
    same = tuple(10 if hour in (13, 16, 18) else 0 for hour in range(24))
    assert best(same) == FIRED
    assert best(same, 3 * HOUR) == deferred(Why.BEST_HOUR, 4 * HOUR)


def test_best_hour_never_waits_past_expiry() -> None:
    five = rule(steps=[{"best_hour": True, "expires_after": "4h"}])
    assert best(TWENTY, chosen=five) == deferred(Why.BEST_HOUR, 4 * HOUR)
    soon = rule(steps=[{"best_hour": True, "expires_after": "1h"}])
    assert best(TWENTY, chosen=soon) == best((), chosen=soon) == FIRED


def test_best_hour_is_never_one_in_which_the_best_channel_is_quiet() -> None:
    late = tuple(50 if hour == 21 else 5 if hour == 17 else 0 for hour in range(24))
    text = rule(channels=["sms", "email"], steps=[{"best_hour": True}])
    assert best(late, chosen=text) == deferred(Why.BEST_HOUR, 5 * HOUR)
    assert best(late) == deferred(Why.BEST_HOUR, 9 * HOUR)


def test_a_shops_hour_in_quiet_hours_is_not_waited_for() -> None:
    night = policy(best_hour={"events": 20, "shop": 23})
    text = rule(channels=["sms"], steps=[{"best_hour": True}])
    assert judged(text, ann(), by=night) == FIRED


def test_best_hour_is_waited_for_once() -> None:
    """At the end of it the customer's histogram may have moved on: a reminder does not run after it."""
    told = {"nudge": [story()]}
    life = live([BEST], told, ann(profile=says(active_hours=TWENTY)), 3 * DAY, NO_CAPS)
    assert [one.outcome for one in life.view.decisions] == [Outcome.FIRED]
    (when, found) = life.deferrals[0]
    (waiting,) = found.deferrals
    moved = says(active_hours=TWENTY[1:] + TWENTY[:1])
    later = ann(profile=moved, deferrals={waiting.trigger_id: waiting})
    (ruling,) = look([BEST], told, later, 8 * HOUR).rulings
    assert ruling.decision.outcome is Outcome.FIRED
    other: Deferral = waiting._replace(why=Why.CAPPED)
    again = ann(profile=says(active_hours=TWENTY), deferrals={waiting.trigger_id: other})
    assert look([BEST], told, again, 8 * HOUR).deferrals[0].why is Why.BEST_HOUR
    assert when == at(READY)


def test_steps_that_do_not_ask_go_at_any_hour() -> None:
    assert best(TWENTY, chosen=rule()) == FIRED


def test_a_customer_without_a_profile_of_his_own_is_about_when_those_he_absorbed_were() -> None:
    seen = ann(profile=None, former=[replace(says(), active_hours=TWENTY)])
    assert judged(BEST, seen) == deferred(Why.BEST_HOUR, 6 * HOUR)


def test_quiet_hours_are_spans_of_real_time() -> None:
    zone = ZoneInfo("Europe/Berlin")
    end = quiet_until(utc("2026-03-28T20:00"), SHIPPED, zone)
    assert end is not None
    assert end - utc("2026-03-28T20:00") == timedelta(hours=11)
