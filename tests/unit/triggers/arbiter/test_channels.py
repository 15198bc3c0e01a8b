"""By which channels a customer may and can be reached, and which is best (triggers.md §4.4, profile.md)."""

from __future__ import annotations

import pytest

from tern_common.events import Contact
from tern_triggers.domain.arbiter.reach import response
from tern_triggers.domain.decisions import Why
from tern_triggers.domain.policy import PastResponse
from tern_triggers.domain.view import Responses, Verdicts, View
from unit.triggers.arbiter.cases import (
    ANN_SAYS,
    FIRED,
    MAIL,
    NO_CAPS,
    PHONE,
    Said,
    ann,
    judged,
    look,
    policy,
    rule,
    says,
    story,
    suppressed,
)

ALL = rule(channels=["email", "push", "sms", "call"])


def channels(view: View, chosen: object = ALL) -> tuple[str, ...]:
    (ruling,) = look([chosen], {"nudge": [story()]}, view, by=NO_CAPS).rulings  # type: ignore[list-item]
    return ruling.decision.channels


def only(**verdicts: bool) -> Verdicts:
    return says(consent={"marketing": verdicts})


def test_without_anything_to_choose_by_the_order_is_that_of_the_rule() -> None:
    assert channels(ann()) == ("email", "push", "sms", "call")
    assert channels(ann(), rule(channels=["sms", "email"])) == ("sms", "email")


def test_only_what_is_granted_now_may_be_used() -> None:
    assert channels(ann(profile=only(sms=True, email=False))) == ("sms",)
    assert judged(ALL, ann(profile=only())) == suppressed(Why.NO_CONSENT)


def test_a_step_may_have_channels_of_its_own() -> None:
    assert channels(ann(), rule(steps=[{"channels": ["push", "call"]}])) == ("push", "call")


def test_a_channel_needs_its_contact_point() -> None:
    assert channels(ann(profile=says(contacts={"email": MAIL}))) == ("email", "push")
    assert channels(ann(profile=says(contacts={"phone": PHONE}))) == ("push", "sms", "call")
    assert judged(rule(), ann(profile=says(contacts={}))) == suppressed(Why.UNREACHABLE)


def test_push_needs_consent_and_no_contact_point() -> None:
    assert channels(ann(profile=says(contacts={}))) == ("push",)


def typed(view: View, by: object = None) -> Said:
    return judged(rule(), view, by=by or NO_CAPS)  # type: ignore[arg-type]


def test_a_contact_that_only_a_browser_named_is_used_where_the_shop_allows_it() -> None:
    seen = ann(profile=says(contacts={"email": Contact(value="typed@shop.example")}))
    assert typed(seen) == suppressed(Why.UNREACHABLE)
    assert typed(seen, policy(untrusted_contacts=True)) == FIRED


def test_a_doubtful_contact_comes_last_whatever_else_speaks_for_it() -> None:
    doubtful = {"email": Contact(value="info@shop.example", trusted=True, doubtful=True), "phone": PHONE}
    seen = ann(profile=says(contacts=doubtful, preferred_channels=("email",)), responses={"email": Responses(100, 100)})
    assert channels(seen) == ("push", "sms", "call", "email")


def test_the_customers_preference_comes_before_past_response() -> None:
    seen = ann(profile=says(preferred_channels=("call", "fax", "sms")), responses={"email": Responses(100, 100)})
    assert channels(seen) == ("call", "sms", "email", "push")


def test_past_response_comes_before_the_order_of_the_rule() -> None:
    seen = ann(responses={"sms": Responses(20, 15), "email": Responses(20, 0), "call": Responses(20, 5)})
    assert channels(seen) == ("sms", "call", "push", "email")


def test_one_answer_does_not_outrank_a_long_history() -> None:
    expected = PastResponse()
    assert response(None, expected) == pytest.approx(0.2)
    assert response(Responses(50, 25), expected) > response(Responses(1, 1), expected) > response(None, expected)
    assert response(Responses(1, 0), expected) < response(None, expected)


def test_while_there_is_no_profile_the_absorbed_ones_points_and_preferences_count() -> None:
    mine = says(preferred_channels=("sms",))
    assert channels(ann(profile=None, former=[Verdicts(), mine])) == ("sms", "email", "push", "call")


def test_of_several_contact_points_the_most_trustworthy_that_is_granted_counts() -> None:
    typed_in = says(contacts={"email": Contact(value="a@shop.example")})
    assert judged(rule(), ann(profile=None, former=[typed_in, ANN_SAYS])) == FIRED
    strange = says(consent={"marketing": {"push": True}})
    assert judged(rule(), ann(profile=None, former=[typed_in, strange])) == suppressed(Why.UNREACHABLE)


def test_a_former_id_that_refuses_a_channel_refuses_it() -> None:
    assert channels(ann(former=[only(email=False, call=False)])) == ("push", "sms")
