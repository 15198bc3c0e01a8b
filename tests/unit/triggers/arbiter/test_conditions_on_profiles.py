"""What rules, steps and the shop's contact list may ask of a profile."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tern_common.events import Computed, Contact
from tern_triggers.domain.arbiter.profile_says import NAMED, SINGLE, said
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.view import Verdicts
from unit.triggers.arbiter.cases import FIRED, NO_CAPS, PHONE, ann, judged, live, policy, rule, says, story, suppressed
from unit.triggers.saying import DAY

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = Verdicts(
    zone="Asia/Tokyo",
    orders=3,
    order_value=Decimal("120.50"),
    traits={"tier": "gold", "first name": "Ann", "points": 7, "vip": True, "a.b": "dotted"},
    computed={"churn": Computed(value=0.75, since=LONG_AGO)},
    classes={"high_value": LONG_AGO},
    contacts={"email": Contact(value="a@shop.example", doubtful=True), "phone": PHONE},
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("orders", Decimal(3)),
        ("order_value", Decimal("120.50")),
        ("zone", "Asia/Tokyo"),
        ("traits.tier", "gold"),
        ("traits.first name", "Ann"),
        ("traits.points", Decimal(7)),
        ("traits.vip", True),
        ("traits.a.b", "dotted"),
        ("traits.unknown", None),
        ("traits", None),
        ("computed.churn", Decimal("0.75")),
        ("computed.unknown", None),
        ("classes.high_value", True),
        ("classes.lost", False),
        ("contacts.email", True),
        ("contacts.email.trusted", False),
        ("contacts.email.doubtful", True),
        ("contacts.email.colour", None),
        ("contacts.phone", True),
        ("contacts.sms.trusted", True),
        ("contacts.call.doubtful", False),
        ("contacts.fax", False),
        ("contacts.fax.trusted", False),
        ("shoe_size", None),
    ],
)
def test_what_a_path_leads_to(path: str, value: object) -> None:
    assert said(KNOWN, path) == value


def test_every_root_is_known() -> None:
    assert all(said(KNOWN, root) is not None for root in SINGLE)
    assert {"traits", "computed", "classes", "contacts"} == NAMED


def test_without_a_profile_everything_is_missing() -> None:
    assert said(None, "orders") is None
    assert said(None, "classes.high_value") is None


RICH = {"path": "order_value", "at_least": 100}


def test_a_rule_asks_the_profile_when_it_decides() -> None:
    asks = rule(when=RICH)
    assert judged(asks, ann(profile=says(order_value=Decimal(100)))) == FIRED
    assert judged(asks, ann(profile=says(order_value=Decimal("99.99")))) == suppressed(Why.CONDITION)
    assert judged(asks, ann(profile=None)) == suppressed(Why.CONDITION)


def test_a_step_asks_for_itself_and_the_next_one_comes_all_the_same() -> None:
    human = rule(steps=[{"when": RICH}, {"after": "2h"}])
    decisions = live([human], {"nudge": [story()]}, ann(), DAY, NO_CAPS).view.decisions
    assert [(one.step, one.outcome) for one in decisions] == [(0, Outcome.SUPPRESSED), (1, Outcome.FIRED)]


def test_both_must_hold() -> None:
    both = rule(when=RICH, steps=[{"when": {"path": "orders", "at_least": 1}}])
    assert judged(both, ann(profile=says(order_value=Decimal(100), orders=1))) == FIRED
    assert judged(both, ann(profile=says(order_value=Decimal(100)))) == suppressed(Why.CONDITION)
    assert judged(both, ann(profile=says(orders=1))) == suppressed(Why.CONDITION)


def test_whoever_is_on_the_shops_list_is_contacted_about_nothing() -> None:
    listed = ann(profile=says(traits={"do_not_contact": True}))
    assert judged(rule(), listed) == suppressed(Why.DO_NOT_CONTACT)
    assert judged(rule(), ann(profile=says(traits={"do_not_contact": False}))) == FIRED
    assert judged(rule(), listed, by=policy(do_not_contact=None)) == FIRED
    own = policy(do_not_contact={"path": "classes.high_value", "equals": True})
    assert judged(rule(), ann(profile=says(classes={"high_value": LONG_AGO})), by=own) == suppressed(Why.DO_NOT_CONTACT)
