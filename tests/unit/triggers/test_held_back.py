"""What a letter that was held back is asked again: everything that may have changed, and what the night is to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tern_triggers.domain.decisions import Why
from tern_triggers.domain.held_back import asked_again
from tern_triggers.domain.policy import Arbiter, Policy, QuietHours
from tern_triggers.domain.view import Verdicts, View
from unit.triggers.saying import CART, DAY, GRANTED, POLICY, at, fired, snap, view

READY = 65.0
SEEN = replace(view(snap(0, "m1", "tea")), profile=GRANTED)
(MAIL,) = fired(SEEN, READY, [CART])
NIGHTS = Policy(version=1, arbiter=Arbiter(caps=(), quiet=QuietHours(channels=("email",))))
SHARED = replace(SEEN, shared=True)


def said(**changed: object) -> View:
    return replace(SEEN, profile=replace(GRANTED, **changed))


@pytest.mark.parametrize(
    ("seen", "minutes", "expected"),
    [
        (SEEN, READY, None),
        (SEEN, READY + DAY, Why.EXPIRED),
        (SHARED, READY, Why.SHARED),
        (said(shared=True), READY, Why.SHARED),
        (said(consent={"marketing": {"email": False}}), READY, Why.NO_CONSENT),
        (said(consent={}), READY, Why.NO_CONSENT),
        (said(traits={"do_not_contact": True}), READY, Why.DO_NOT_CONTACT),
        (replace(SEEN, former=[Verdicts(consent={"marketing": {"email": False}})]), READY, Why.NO_CONSENT),
    ],
)
def test_it_goes_only_if_it_would_still_be_said(seen: View, minutes: float, expected: Why | None) -> None:
    assert asked_again(MAIL, CART, seen, POLICY, at(minutes)) == expected


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(20, None), (21, 33), (26, 33), (33, None)],
)
def test_at_night_it_waits_for_the_morning(hour: int, expected: int | None) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=ZoneInfo(POLICY.arbiter.zone))
    lasting = replace(MAIL, expires=at(3 * DAY))
    morning = None if expected is None else midnight + timedelta(hours=expected)
    assert asked_again(lasting, CART, SEEN, NIGHTS, midnight + timedelta(hours=hour)) == morning


def test_what_would_not_live_to_see_the_morning_does_not_go() -> None:
    brief = replace(MAIL, expires=at(12 * 60))
    assert asked_again(brief, CART, SEEN, NIGHTS, at(10 * 60)) == Why.QUIET


def test_a_ticket_is_no_contact() -> None:
    ticket = replace(MAIL, act="ticket", channels=())
    refused = replace(SEEN, profile=Verdicts())
    assert asked_again(ticket, CART, refused, NIGHTS, at(10 * 60)) is None
